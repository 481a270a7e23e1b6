/**
 * A route is data: how it is reached, who may use it, and one function. Everything else — waiting, paging, filtering, encoding,
 * errors, forwarding — is the runner's.
 *
 *   read    a pure function of a snapshot; may be waited for (blocking query); a list is paged and filtered
 *   write   a command to the server, or an effect on a node: runs once, answers with a value or nothing
 *   ask     something an agent knows outside the state (its own stats, a file's size): no index, no waiting
 *   stream  bytes as they come, or a WebSocket
 */
import type { WebSocket } from 'ws';
import type { ClientNode } from '../client/client-node.ts';
import type { ServerCommands } from '../server/commands.ts';
import type { ServerSnapshot, ServerStore, ServerTables } from '../state/server-tables.ts';
import type { WatchedRows } from '../state/store.ts';
import type { Access, Capability } from './access.ts';
import type { AgentFacts } from './agent-facts.ts';
import type { Channel } from './channel.ts';
import type { ListDefinition } from './listing.ts';
import type { ApiRequest } from './request.ts';

export type Method = 'GET' | 'PUT' | 'POST' | 'DELETE' | 'OPTIONS';

/** Where a route's work is done: on a server (any with the state), on the node that has an allocation or is named, or right here. */
export type Target =
  | { readonly kind: 'server' }
  | { readonly kind: 'allocation'; readonly param: string }
  | { readonly kind: 'node' }
  | { readonly kind: 'agent' };

interface RouteBase {
  readonly methods: readonly Method[];
  /** `/v1/job/{id}/plan`: a parameter takes anything, slashes included; where several patterns fit, the one with most literal text wins. */
  readonly path: string;
  readonly access: Access;
  /** Default: server. */
  readonly target?: Target;
}

/** What a read gives: a value at an index, or a 404 with Nomad's text at an index. */
export type ReadAnswer =
  | {
      readonly index: number;
      readonly value: unknown;
      /** False: the index stands in no header (few routes). */
      readonly knownLeader?: boolean;
    }
  | { readonly index: number; readonly absent: string };

export interface ReadRoute extends RouteBase {
  readonly kind: 'read';
  /** A change of any of them may change the answer. */
  readonly tables: readonly (keyof ServerTables)[];
  /** Where the answer depends on a few rows only: those. */
  readonly rows?: (request: ApiRequest) => readonly WatchedRows<ServerTables>[];
  readonly read: (snapshot: ServerSnapshot, request: ApiRequest) => ReadAnswer;
}

export interface ListRoute extends RouteBase {
  readonly kind: 'read';
  readonly tables: readonly (keyof ServerTables)[];
  /** Rows of any namespace come with what is asked for (the allocations of a node): this is asked for each of theirs. */
  readonly rowCapability?: Capability;
  // biome-ignore lint/suspicious/noExplicitAny: rows of every table meet here; each definition is typed where it is made
  readonly list: ListDefinition<any>;
}

export interface Answer {
  /** undefined: an empty body. */
  readonly value?: unknown;
  readonly index?: number;
  readonly status?: number;
  readonly headers?: { readonly [name: string]: string };
}

/** What the functions of routes may use besides the request. */
export interface Services {
  readonly store: ServerStore;
  readonly commands: ServerCommands;
  readonly agent: AgentFacts;
}

/** What is there on this agent: a client without a server has no store, a server without a client no node. */
export interface LocalServices {
  readonly store: ServerStore | null;
  readonly client: ClientNode | null;
  readonly agent: AgentFacts;
}

/** `ask`: of the server, of what is not in its state; nothing is written. */
export interface WriteRoute extends RouteBase {
  readonly kind: 'write' | 'ask';
  readonly run: (request: ApiRequest, services: Services) => Promise<Answer>;
}

/** A write or a question that the node with the allocation answers. */
export interface NodeRoute extends RouteBase {
  readonly kind: 'write' | 'ask';
  readonly target: Target & { readonly kind: 'allocation' | 'node' };
  readonly onNode: (request: ApiRequest, client: ClientNode) => Promise<Answer>;
}

export interface AskRoute extends RouteBase {
  readonly kind: 'ask';
  readonly ask: (request: ApiRequest, services: LocalServices) => Promise<Answer> | Answer;
}

export interface StreamRoute extends RouteBase {
  readonly kind: 'stream';
  /** Nothing is sent before the channel's `start`: what is thrown earlier becomes an ordinary error. */
  readonly stream: (
    request: ApiRequest,
    channel: Channel,
    services: LocalServices & Partial<Pick<Services, 'commands'>>,
  ) => Promise<void>;
}

export interface SocketRoute extends RouteBase {
  readonly kind: 'stream';
  /** What is thrown closes the socket: 1008 for what is not there, 1011 otherwise, the text as reason. */
  readonly socket: (request: ApiRequest, socket: WebSocket, services: LocalServices) => Promise<void>;
}

export type Route = ReadRoute | ListRoute | WriteRoute | NodeRoute | AskRoute | StreamRoute | SocketRoute;

export const readMethods: readonly Method[] = ['GET'];
export const writeMethods: readonly Method[] = ['PUT', 'POST'];
