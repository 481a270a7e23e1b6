/**
 * What all routes share, once: who may, waiting for news, paging and filtering, encoding, state headers, errors, forwarding.
 */
import { Fault } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import { type Log, silentLog } from '../lib/log.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';
import { askedNamespace, type Policy } from './access.ts';
import { readWhenNew, tablesIndex } from './blocking.ts';
import type { Channel } from './channel.ts';
import { errorAnswer, permissionDenied } from './error-answer.ts';
import { writePage } from './list-writer.ts';
import { readPage } from './listing.ts';
import { blockingOptions, checkStale, pageOptions } from './query-parameters.ts';
import type { ApiRequest } from './request.ts';
import type { Answer, ListRoute, LocalServices, NodeRoute, ReadRoute, Route, Services } from './route.ts';
import type { RowCache } from './row-cache.ts';

export interface RunnerOptions {
  readonly policy: Policy;
  readonly services: LocalServices & Partial<Pick<Services, 'commands'>>;
  readonly rowCache: RowCache;
  readonly log?: Log;
}

/** Answers one request after its route was found. Faults become statuses here and nowhere else. */
export class RouteRunner {
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** To be asked first of all, before anything is looked up for the caller. Faults: `denied`, or another region. */
  authorise(route: Route, request: ApiRequest): void {
    this.#checkRegion(request);
    const { policy, services } = this.#options;
    const { access } = route;
    const namespace = askedNamespace(access, services.store?.snapshot() ?? null, request);
    if (access.scope === 'each-row' && namespace === '*') return;
    if (!policy.allows(request.caller, { capability: access.capability, namespace })) throw permissionDenied();
  }

  /** Runs anything but a WebSocket, for a caller who may. Never throws: what goes wrong is answered, or the connection is cut. */
  async run(route: Route, request: ApiRequest, channel: Channel): Promise<void> {
    try {
      await this.#dispatch(route, request, channel);
    } catch (error) {
      await this.fail(error, request.target, channel);
    }
  }

  async fail(error: unknown, target: string, channel: Channel): Promise<void> {
    const answer = errorAnswer(error);
    const path = target.split('?', 1)[0];
    if (answer.internal) (this.#options.log ?? silentLog).error('request failed', { path, error: stackOf(error) });
    if (channel.started) return channel.abandon();
    await channel.send(answer.status, 'text/plain; charset=utf-8', answer.text);
  }

  async #dispatch(route: Route, request: ApiRequest, channel: Channel): Promise<void> {
    if ('list' in route) return this.#list(route, request, channel);
    if ('read' in route) return this.#read(route, request, channel);
    if ('stream' in route) return route.stream(request, channel, this.#options.services);
    if ('socket' in route) throw new Fault('invalid', 'websocket connection not found in context', { status: 500 });
    if ('ask' in route) return sendAnswer(await route.ask(request, this.#options.services), request, channel);
    if ('onNode' in route) return this.#onNode(route, request, channel);
    return sendAnswer(await route.run(request, this.#server()), request, channel);
  }

  async #onNode(route: NodeRoute, request: ApiRequest, channel: Channel): Promise<void> {
    const { client } = this.#options.services;
    if (client === null) throw new Fault('not_found', 'No path to node');
    await sendAnswer(await route.onNode(request, client), request, channel);
  }

  async #read(route: ReadRoute, request: ApiRequest, channel: Channel): Promise<void> {
    checkStale(request.query);
    const blocking = blockingOptions(request.query);
    const { tables } = route;
    const rows = route.rows?.(request);
    const watched = rows === undefined ? { tables } : { tables, rows };
    const { answer } = await readWhenNew(this.#server().store, watched, blocking, request.signal, (snapshot) =>
      route.read(snapshot, request),
    );
    setStateHeaders(channel, answer.index, !('knownLeader' in answer) || answer.knownLeader !== false);
    if ('absent' in answer) return channel.send(404, 'text/plain; charset=utf-8', answer.absent);
    await channel.send(200, 'application/json', encoded(answer.value, request));
  }

  async #list(route: ListRoute, request: ApiRequest, channel: Channel): Promise<void> {
    checkStale(request.query);
    const blocking = blockingOptions(request.query);
    const page = pageOptions(request.query);
    const { store } = this.#server();
    // faults of the parameters come before any waiting
    route.list.admits?.(request, store.snapshot());
    const { tables } = route;
    const index = (snapshot: ServerSnapshot) => ({ index: tablesIndex(snapshot, tables) });
    const { answer, snapshot } = await readWhenNew(store, { tables }, blocking, request.signal, index);
    const found = await readPage(route.list, snapshot, request, page, this.#namespaceTest(route, request));
    setStateHeaders(channel, answer.index, true);
    if (found.nextToken !== '') channel.headers['x-nomad-nexttoken'] = found.nextToken;
    await writePage(route.list, found, snapshot, request, channel, this.#options.rowCache);
  }

  /** Which namespaces' rows a caller may see; asked once per namespace. undefined: all rows are of the namespace already checked. */
  #namespaceTest(
    { access, rowCapability }: ListRoute,
    request: ApiRequest,
  ): ((namespace: string) => boolean) | undefined {
    const { namespace, caller } = request;
    if (access.scope !== 'each-row' && rowCapability === undefined) return undefined;
    const capability = rowCapability ?? access.capability;
    const decided = new Map<string, boolean>();
    return (name) => {
      if (namespace !== '*' && rowCapability === undefined) return name === namespace;
      const known = decided.get(name);
      if (known !== undefined) return known;
      const allowed = this.#options.policy.allows(caller, { capability, namespace: name });
      decided.set(name, allowed);
      return allowed;
    };
  }

  #checkRegion(request: ApiRequest): void {
    const region = request.query.text('region');
    if (region !== '' && region !== this.#options.services.agent.region)
      throw new Fault('unavailable', 'No path to region');
  }

  #server(): Services {
    const { store, commands, agent } = this.#options.services;
    if (store === null || commands === undefined)
      throw new Fault('unavailable', 'this agent is a client without a server, and no server is known');
    return { store, commands, agent };
  }
}

function setStateHeaders(channel: Channel, index: number, knownLeader: boolean): void {
  channel.headers['x-nomad-index'] = index;
  channel.headers['x-nomad-knownleader'] = String(knownLeader);
  channel.headers['x-nomad-lastcontact'] = 0;
}

async function sendAnswer(answer: Answer, request: ApiRequest, channel: Channel): Promise<void> {
  Object.assign(channel.headers, answer.headers);
  if (answer.index !== undefined) channel.headers['x-nomad-index'] = answer.index;
  if (answer.value === undefined) return channel.send(answer.status ?? 200, undefined, '');
  await channel.send(answer.status ?? 200, 'application/json', encoded(answer.value, request));
}

function encoded(value: unknown, { query }: ApiRequest): string {
  const pretty = query.has('pretty') && query.text('pretty') !== '0';
  return pretty ? `${formatJson(value, 4)}\n` : formatJson(value);
}

function stackOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
