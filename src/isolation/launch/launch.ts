/**
 * How a task is to be started: what a builder of this folder makes of a plan. The driver kit turns it into the shim's start record;
 * nothing here starts anything.
 */
import { join } from 'node:path';
import type { TaskDevice, TaskDirectories, TaskMount } from '../../driver/contract.ts';
import type { Passage } from '../passage.ts';
import type { ResourceLimit } from '../rlimits.ts';
import type { IdRange } from '../users.ts';

/** What the host mounts below it later is the task's too. A task of ours can make no mount that the host would see, so that both ways are this one. */
export function followsHost({ propagation }: Pick<TaskMount, 'propagation'>): boolean {
  return propagation === 'host-to-task' || propagation === 'bidirectional';
}

export interface LaunchRequest {
  readonly taskId: string;
  readonly taskName: string;
  /** Program and arguments as the task sees them. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** As the task sees it; absolute. */
  readonly workDir: string;
  /** Null: stays the agent's own. */
  readonly user: LaunchUser | null;
  readonly directories: TaskDirectories;
  readonly mounts: readonly TaskMount[];
  readonly devices: readonly TaskDevice[];
  /** A network namespace file to join, and what was seen of its egress policy from inside (empty: nothing); `"none"`: a new one with nothing but loopback; null: the host's. */
  readonly network: JoinedNetwork | 'none' | null;
  readonly dns: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  } | null;
  /** `['NET_BIND_SERVICE']` */
  readonly capabilities: readonly string[];
  readonly pidMode: 'private' | 'host';
  readonly ipcMode: 'private' | 'host';
  readonly oomScoreAdj: number;
  /** The agent's own directory for this start. */
  readonly stateDirectory: string;
  /** The name of the task's cgroup below the parent, which is also its name for a runtime. */
  readonly cgroupName: string;
}

export interface JoinedNetwork {
  readonly path: string;
  readonly egress: string;
  /** The task's name in it (empty: the host's) and its address. */
  readonly hosts?: { readonly hostname: string; readonly address: string };
}

/** Those of a task's directories that are not in its own already, where the view of files begins: as a rule none. */
export function outsideRoot(directories: TaskDirectories, names: readonly TaskPlace[]): readonly TaskPlace[] {
  return names.filter((name) => directories[name] !== join(directories.task, name));
}

type TaskPlace = 'local' | 'secrets' | 'tmp';

/** `""`: the host's. */
export function hostnameOf({ network }: Pick<LaunchRequest, 'network'>): string {
  return network === null || network === 'none' ? '' : (network.hosts?.hostname ?? '');
}

export interface LaunchUser {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
}

export interface LaunchIdentity {
  readonly uid?: number;
  readonly gid?: number;
  readonly groups?: readonly number[];
  readonly rlimits?: readonly ResourceLimit[];
  readonly oomScoreAdj?: number;
  readonly noNewPrivs?: boolean;
  readonly capabilities?: bigint;
  readonly seccomp?: Uint8Array;
  /** The only files that it may touch (see `paths.ts`); absent: any. */
  readonly paths?: readonly AllowedPath[];
  /** By affinity, where no control group holds it to them. */
  readonly processors?: readonly number[];
}

/** With what lies below: to read and execute, to write what is there too, everything. */
export interface AllowedPath {
  readonly path: string;
  readonly access: 'read' | 'use' | 'all';
}

/** What the verifier is to do last, inside; it then becomes the command. */
export interface InsideSteps {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  readonly noNewPrivs: boolean;
  /** Null: left as they are. */
  readonly capabilities: bigint | null;
  readonly seccomp: Uint8Array | null;
  readonly rlimits: readonly ResourceLimit[];
}

export type LaunchKind =
  | { readonly kind: 'direct' }
  | { readonly kind: 'bwrap' }
  | {
      readonly kind: 'oci';
      readonly delete: readonly string[];
    };

export interface Launch {
  readonly launcher: LaunchKind;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir: string;
  /** The host side of the main process, and what an exec session inside gets. */
  readonly identity: LaunchIdentity;
  readonly inside: InsideSteps | null;
  /** False: the launcher itself puts the task into its cgroup. */
  readonly joinsCgroup: boolean;
  readonly network: string | null;
  /** The ids of `identity` are those of a user namespace of the agent's; `range`: of the host. Absent: they are the host's. */
  readonly subordinate?: { readonly namespace: string; readonly range: IdRange };
  /** Absent: nothing stands between the task's user and its files. */
  readonly passage?: Passage;
  /** A pid namespace made by the shim is the kill unit (there is no cgroup). */
  readonly pidNamespace: boolean;
  /** `"bwrap 0.8.0"`, `"none"` */
  readonly runtime: string;
}
