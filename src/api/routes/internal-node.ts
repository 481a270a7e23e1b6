/** The connection between agents: the server's side, of the shapes and paths of `client/server-connection-wire`, and the node's of `server/node-connection`. */
import { timingSafeEqual } from 'node:crypto';
import type { AllocationUpdate, NodeCredentials, ServerConnection } from '../../client/server-connection.ts';
import {
  type JobBody,
  nodeWireHeaders,
  nodeWirePaths,
  type ReadBody,
  type RegisterBody,
  type UpdateBody,
  type WatchBody,
} from '../../client/server-connection-wire.ts';
import { Fault } from '../../lib/fault.ts';
import { parseNouns } from '../../lib/json.ts';
import { fill } from '../../model/fill.ts';
import { Node } from '../../model/node.ts';
import type { RehearsalAsk } from '../../model/rehearsal.ts';
import { int, list, noun, nullable, object, string } from '../../model/schema.ts';
import { proofHeader, proofOf, rehearsalPath } from '../../server/node-connection.ts';
import { decodeBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import type { Answer, Route, Services } from '../route.ts';

export interface NodeGate {
  readonly connection: ServerConnection;
  /** Whether a node that is not known yet may join with this token (`""`: none was sent). */
  readonly admits: (joinToken: string) => boolean;
}

const Register = noun('Register', { Node: nullable(object(Node)) });
const Watch = noun('Watch', { Index: int() });
const Read = noun('Read', { IDs: list(string()) });
const JobOf = noun('JobOf', { Namespace: string(), ID: string(), Version: int() });
/**
 * The reports as sent: their instants in nanoseconds are wider than what decoding takes from strangers, and a node that got this far is none.
 * Faults: `invalid` for what is no list of reports.
 */
function reportsOf(request: ApiRequest): readonly AllocationUpdate[] {
  const body = parseNouns(request.body.toString('utf8')) as Partial<UpdateBody> | null;
  const updates: unknown = body?.Updates;
  if (!Array.isArray(updates) || !updates.every(isReport))
    throw new Fault('invalid', 'not a list of allocation reports');
  return updates;
}

function isReport(value: unknown): value is AllocationUpdate {
  if (typeof value !== 'object' || value === null) return false;
  const report = value as { readonly [name: string]: unknown };
  const texts = [report['ID'], report['NodeID'], report['ClientStatus'], report['ClientDescription']];
  return texts.every((text) => typeof text === 'string') && isStates(report['TaskStates']);
}

function isStates(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(
    (state: unknown) => typeof state === 'object' && state !== null && 'State' in state,
  );
}

function header({ headers }: ApiRequest, name: string): string {
  return String(headers[name] ?? '');
}

function credentials(request: ApiRequest): NodeCredentials {
  const nodeId = header(request, nodeWireHeaders.nodeId);
  const secretId = header(request, nodeWireHeaders.secretId);
  if (nodeId === '' || secretId === '') throw new Fault('denied', 'a node proves who it is by its id and secret');
  return { nodeId, secretId };
}

async function register(request: ApiRequest, gate: NodeGate, { store }: Services): Promise<Answer> {
  const body = decodeBody(request, Register) satisfies Partial<Record<keyof RegisterBody, unknown>>;
  const node = fill(Node, body.Node ?? {});
  if (node.ID === '' || node.SecretID === '') throw new Fault('invalid', 'a node must have an id and a secret');
  const known = store.snapshot().get('nodes', node.ID) !== undefined;
  if (!known && !gate.admits(header(request, nodeWireHeaders.joinToken)))
    throw new Fault('denied', 'this node is not known here; give it the join token of the server');
  const done = await gate.connection.register(node, request.signal);
  return { value: { Index: done.index, HeartbeatTtlMs: done.heartbeatTtlMs } };
}

type Call = (request: ApiRequest, gate: NodeGate, services: Services) => Promise<Answer>;

const calls: { readonly [name in keyof typeof nodeWirePaths]: Call } = {
  register,
  heartbeat: async (request, { connection }) => {
    const { heartbeatTtlMs } = await connection.heartbeat(credentials(request), request.signal);
    return { value: { HeartbeatTtlMs: heartbeatTtlMs } };
  },
  watch: async (request, { connection }) => {
    const body: Partial<WatchBody> = present(decodeBody(request, Watch));
    const found = await connection.watchAllocations(credentials(request), body.Index ?? 0, request.signal);
    return { value: { Index: found.index, Allocations: found.allocations } };
  },
  read: async (request, { connection }) => {
    const body: Partial<ReadBody> = present(decodeBody(request, Read));
    return {
      value: { Allocations: await connection.readAllocations(credentials(request), body.IDs ?? [], request.signal) },
    };
  },
  update: async (request, { connection }) => {
    await connection.updateAllocations(credentials(request), reportsOf(request), request.signal);
    return { value: {} };
  },
  job: async (request, { connection }) => {
    const body: Partial<JobBody> = present(decodeBody(request, JobOf));
    const { Namespace = 'default', ID = '', Version = 0 } = body;
    return { value: { Job: await connection.readJob(credentials(request), Namespace, ID, Version, request.signal) } };
  },
};

/** null counts as absent. */
function present<T extends object>(body: T): { readonly [K in keyof T]?: NonNullable<T[K]> } {
  return Object.fromEntries(Object.entries(body).filter(([, value]) => value !== null)) as {
    readonly [K in keyof T]?: NonNullable<T[K]>;
  };
}

/** Only a server knows the node's secret. */
const rehearse: Route = {
  kind: 'ask',
  methods: ['PUT'],
  path: rehearsalPath,
  access: { capability: 'node-secret', scope: 'none' },
  target: { kind: 'agent' },
  ask: async (request, { client }) => {
    if (client === null) throw new Fault('unsupported', 'this agent is no node');
    const expected = Buffer.from(proofOf(client.node().SecretID, request.body));
    const given = Buffer.from(header(request, proofHeader));
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new Fault('denied', 'a node answers this to its servers alone');
    return {
      value: await client.rehearse(
        parseNouns(request.body.toString('utf8')) as unknown as RehearsalAsk,
        request.signal,
      ),
    };
  },
};

export function internalNodeRoutes(gate: NodeGate | undefined): readonly Route[] {
  const ofServers = (Object.keys(nodeWirePaths) as (keyof typeof nodeWirePaths)[]).map(
    (name): Route => ({
      kind: 'write',
      methods: ['PUT'],
      path: nodeWirePaths[name],
      access: { capability: 'node-secret', scope: 'none' },
      run: async (request, services) => {
        if (gate === undefined) throw new Fault('unsupported', 'this agent takes no nodes: it is not a server');
        if (!request.isPrivate)
          throw new Fault(
            'denied',
            'a node of another machine is served over TLS only: its secret and job files go this way',
          );
        return calls[name](request, gate, services);
      },
    }),
  );
  return [...ofServers, rehearse];
}
