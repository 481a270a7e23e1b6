/** Who may do what: declared on every route as data, decided here once per request (and per row, where a list asks for it). */
import type { ServerSnapshot } from '../state/server-tables.ts';
import type { ApiRequest } from './request.ts';

/** Nomad's capability names; those of a whole noun are written `noun:verb`. `open`: nobody is asked. `node-secret`: the node's own secret decides. */
export type Capability =
  | 'open'
  | 'node-secret'
  | 'management'
  | 'list-jobs'
  | 'parse-job'
  | 'read-job'
  | 'submit-job'
  | 'dispatch-job'
  | 'scale-job'
  | 'read-job-scaling'
  | 'list-scaling-policies'
  | 'read-logs'
  | 'read-fs'
  | 'alloc-exec'
  | 'alloc-lifecycle'
  | 'variables-read'
  | 'host-volume-read'
  | 'csi-list-volume'
  | 'node:read'
  | 'node:write'
  | 'node_pool:read'
  | 'node_pool:write'
  | 'node_pool:delete'
  | 'agent:read'
  | 'agent:write'
  | 'operator:read'
  | 'operator:write'
  | 'plugin:list';

export interface AccessQuestion {
  readonly capability: Capability;
  /** null: the capability is not one of a namespace. `"*"`: of any namespace at all. */
  readonly namespace: string | null;
}

/** What a token stands for; made by the policy and only handed back to it. */
export interface Caller {
  /** For logs; never the token. */
  readonly name: string;
}

export interface Policy {
  /** `token` empty: none was sent. Faults: `denied` for one that is unknown. */
  caller(token: string): Promise<Caller>;
  allows(caller: Caller, question: AccessQuestion): boolean;
}

/** Until there are access lists: everybody may do everything. */
export const permitAll: Policy = {
  caller: async () => ({ name: 'anonymous' }),
  allows: () => true,
};

/** Which namespace is asked for: none at all, that of the query, of the body, of an object looked up first, or of each row. */
export type Access =
  | { readonly capability: Capability; readonly scope: 'none' | 'query' | 'each-row' }
  | {
      readonly capability: Capability;
      readonly scope: 'body';
      /** The namespace the body names; undefined: it names none, the query's counts. */
      readonly namespaceOf: (request: ApiRequest) => string | undefined;
    }
  | {
      readonly capability: Capability;
      readonly scope: 'object';
      /** Run before the check. undefined: no such object; then the query's namespace is asked for, so that only who may look learns that. */
      readonly find: (snapshot: ServerSnapshot, request: ApiRequest) => { readonly Namespace: string } | undefined;
    };

/** The namespace to ask about before the route runs. */
export function askedNamespace(access: Access, snapshot: ServerSnapshot | null, request: ApiRequest): string | null {
  switch (access.scope) {
    case 'none':
      return null;
    case 'query':
    case 'each-row':
      return request.namespace;
    case 'body':
      return access.namespaceOf(request) ?? request.namespace;
    case 'object':
      return (snapshot === null ? undefined : access.find(snapshot, request)?.Namespace) ?? request.namespace;
  }
}
