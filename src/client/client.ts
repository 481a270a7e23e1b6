/**
 * The client half of an agent, put together: who this node is, what it can do, what it runs, what it tells.
 *
 *   openClient ─▶ identity, stored allocations ─▶ drivers report ─▶ tasks found again ─▶ registered ─▶ in step with the servers
 *   stop       ─▶ (dev mode: every task ends) ─▶ last reports sent ─▶ loops end; otherwise tasks run on
 */

import { setMaxListeners } from 'node:events';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { makeDirectories } from '../lib/node/directories.ts';
import type { Node, NodeEvent } from '../model/node.ts';
import type { AllocationDisks } from './allocation-disks.ts';
import type { AllocationNetworks } from './allocation-networks.ts';
import { syncAllocations } from './allocation-sync.ts';
import { AllocationTable } from './allocation-table.ts';
import type { ClientDriver, ClientDrivers } from './client-driver.ts';
import type { ClientNode } from './client-node.ts';
import type { ClientStore, NodeIdentity } from './client-tables.ts';
import type { ClientConfig } from './config.ts';
import type { DriverPrograms } from './driver-programs.ts';
import { allowedDriver, DriverReports } from './fingerprint/drivers.ts';
import { buildNode, hostFacts } from './fingerprint/node.ts';
import { HostStatsSampler } from './host-stats.ts';
import { nodeApi } from './node-api.ts';
import { NodeMeta } from './node-meta.ts';
import { Registration } from './registration.ts';
import { Rehearsals } from './rehearsal.ts';
import type { ServerConnection } from './server-connection.ts';
import { defaultDeniedEnv } from './task-env.ts';
import { UpdateSender } from './update-sender.ts';

export interface ClientOptions {
  readonly config: ClientConfig;
  readonly store: ClientStore;
  /** Every driver of this build and its plugins; `driver.allowlist` and `driver.denylist` are applied here. */
  readonly drivers: ClientDrivers;
  readonly server: ServerConnection;
  readonly log: Log;
  /** Unix milliseconds, fractions welcome. */
  now(): number;
  /** 0 ≤ x < 1 */
  random(): number;
  /** A new UUID. */
  newId(): string;
  /** The agent's environment; default: this process's. */
  readonly hostEnv?: Readonly<Record<string, string | undefined>>;
  /** The programs behind some of the drivers; default: there are none. */
  readonly plugins?: DriverPrograms;
  /** Absent: allocations can have no network of their own here. */
  readonly networks?: AllocationNetworks | null;
  /** Absent: what allocations write to disk is bound by nothing. */
  readonly disks?: AllocationDisks | null;
  /** Where tasks have ids of their own, those of an ended allocation's become the next one's (`IsolationHost`). Default: they have none. */
  readonly passIds?: (from: string, to: string) => void;
}

export interface Client {
  readonly api: ClientNode;
  /** A driver that came while the agent runs; one that the operator's lists leave out is not taken up. */
  addDriver(name: string, driver: ClientDriver): void;
  removeDriver(name: string): void;
  /** Another program stands behind the driver: it may take other options, and report otherwise. */
  driverRenewed(name: string): void;
  /** The host was looked at again: drivers report anew, running tasks are looked at. `lost`: mechanisms that worked before, and why not now. */
  hostChanged(lost: readonly { readonly name: string; readonly evidence: string }[]): Promise<void>;
  /** Ends every loop. `endTasks` (dev mode: always): tasks are stopped first and their ends reported. */
  stop(options?: { readonly endTasks?: boolean }): Promise<void>;
}

const noPlugins: DriverPrograms = { list: () => [], reload: async () => [] };

/** Drivers that take longer to report are added to the node when they do. */
const firstReportsMs = 15_000;

/** Resolves once stored allocations were taken up and drivers reported; registration goes on by itself. */
export async function createClient(options: ClientOptions): Promise<Client> {
  const { config, store, log, server } = options;
  const logged = (message: string) => (error: unknown) => log.error(message, { error: messageOf(error) });
  makeDirectories(config.allocDir, 0o711);
  const life = new AbortController();
  const { signal } = life;
  setMaxListeners(0, signal);
  const allowed = allowedDriver(config.options);
  const drivers = new Map([...options.drivers].filter(([name]) => allowed(name)));
  const identity = await ownIdentity(store, options.newId);
  const who = { nodeId: identity.ID, secretId: identity.SecretID };
  const facts = await hostFacts(config);
  const self = ownNode(options, identity, facts, drivers, () => registration.nodeChanged());
  const { reports, node } = self;
  const registration = new Registration({
    server,
    who,
    node,
    beaten: () => table.serversBeat(),
    log,
    random: options.random,
  });
  const sender = new UpdateSender(server, who, log);
  const host = { config, drivers, hostEnv: options.hostEnv ?? process.env, deniedEnv: deniedEnvOf(config), node, log };
  const table = new AllocationTable({
    ...host,
    store,
    sender,
    networks: options.networks ?? null,
    disks: options.disks ?? null,
    passIds: options.passIds ?? (() => undefined),
    now: options.now,
    random: options.random,
    newGeneration: () => options.newId().replaceAll('-', '').slice(0, 8),
  });

  await reports.first(firstReportsMs, signal);
  await table.restore();
  const loops = [
    registration.run(signal),
    sender.run(signal),
    syncAllocations({ server, who, known: () => table.known(), apply: (changes) => table.apply(changes), log }, signal),
    ...[...drivers.keys()].map((name) => table.listenToDriver(name, signal)),
    ...table.loops(signal),
  ].map((loop) => loop.catch(logged('a loop of the client failed')));
  const listen = (name: string): void => {
    loops.push(table.listenToDriver(name, signal).catch(logged('a loop of the client failed')));
  };
  const stats = new HostStatsSampler(config.allocDir, facts.processor.totalCompute, options.now);
  return {
    api: nodeApi({
      ...{ config, table, stats, node, drivers: options.plugins ?? noPlugins },
      meta: self,
      rehearsals: new Rehearsals({ ...host, makesNetworks: (options.networks ?? null) !== null }),
    }),
    ...comingAndGoing(options, { drivers, reports, table, listen }, signal),
    async stop({ endTasks = false } = {}) {
      if (endTasks || config.devMode) await table.endAll(config.maxKillTimeoutMs + 5_000);
      if (config.devMode) await table.collect(null).catch(logged('ended allocations could not be collected'));
      await table.detach();
      life.abort();
      await Promise.all(loops);
    },
  };
}

/** The node as the servers are to know it, and what changes it: its drivers' reports, and metadata set at run time. */
function ownNode(
  { config, store, now, log }: ClientOptions,
  identity: NodeIdentity,
  facts: Awaited<ReturnType<typeof hostFacts>>,
  drivers: ClientDrivers,
  changed: () => void,
): Pick<ClientNode, 'node' | 'meta' | 'setMeta'> & { readonly reports: DriverReports } {
  const meta = new NodeMeta(store, config.meta);
  let events: readonly NodeEvent[] = [];
  const build = (): Node => ({
    ...buildNode(identity, { ...config, meta: meta.view().Meta }, facts, reports.all()),
    Events: events,
    DriverSchemas: reports.schemas(),
  });
  const rebuild = (): void => {
    node = build();
    changed();
  };
  const reports = new DriverReports(drivers, now, log, (event) => {
    if (event !== null) events = [...events, event].slice(-10);
    rebuild();
  });
  let node = build();
  return {
    reports,
    node: () => node,
    meta: () => meta.view(),
    setMeta: (changes) => meta.set(changes).finally(rebuild),
  };
}

function deniedEnvOf({ options }: ClientConfig): ReadonlySet<string> {
  const named = options['env.denylist'] ?? options['env.blacklist'];
  return new Set(named?.split(',').map((name) => name.trim()) ?? defaultDeniedEnv);
}

interface Parts {
  readonly drivers: Map<string, ClientDriver>;
  readonly reports: DriverReports;
  readonly table: AllocationTable;
  /** What else has to hear of a driver that came. */
  listen(name: string): void;
}

function comingAndGoing(
  { config }: ClientOptions,
  { drivers, reports, table, listen }: Parts,
  signal: AbortSignal,
): Pick<Client, 'addDriver' | 'removeDriver' | 'driverRenewed' | 'hostChanged'> {
  const allowed = allowedDriver(config.options);
  return {
    addDriver(name, driver) {
      if (!allowed(name) || drivers.get(name) === driver) return;
      drivers.set(name, driver);
      reports.add(name, signal);
      listen(name);
    },
    removeDriver(name) {
      drivers.delete(name);
      reports.remove(name);
    },
    driverRenewed(name) {
      if (drivers.has(name)) reports.again(signal, [name]);
    },
    async hostChanged(lost) {
      reports.again(signal);
      await table.hostChanged(lost);
    },
  };
}

async function ownIdentity(store: ClientStore, newId: () => string): Promise<NodeIdentity> {
  const known = store.snapshot().get('identity', 'node');
  if (known !== undefined) return known;
  const row: NodeIdentity = { ID: newId(), SecretID: newId() };
  try {
    await store.write(() => ({ changes: [{ table: 'identity', id: 'node', row }], result: null }));
  } catch (error) {
    throw new Fault('unavailable', `the node's identity cannot be stored: ${messageOf(error)}`, { cause: error });
  }
  return row;
}
