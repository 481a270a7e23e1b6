/** What the supervision of one task promises (docs/shim-protocol.md). Times are unix nanoseconds, sizes bytes. */

export interface Rlimit {
  /** Linux number, e.g. 7 for RLIMIT_NOFILE. */
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

/** What the process becomes before its first instruction. What is absent stays as the shim's. */
export interface Identity {
  readonly uid?: number;
  readonly gid?: number;
  /** Supplementary groups; with `uid` set and none given: none. */
  readonly groups?: readonly number[];
  readonly rlimits?: readonly Rlimit[];
  /** Default 0. */
  readonly oomScoreAdj?: number;
  /** Default 0o022. */
  readonly umask?: number;
  readonly noNewPrivs?: boolean;
  /** Bit set of what stays in all five sets; 0n: none. */
  readonly capabilities?: bigint;
  /** An array of `struct sock_filter`, at most 32 KiB. */
  readonly seccomp?: Uint8Array;
  /**
   * The only files it may touch, with what lies below: `read` (and execute), `use` (read and write what is there), `all`. By Landlock, which wants
   * `noNewPrivs`; a start fails where it does not hold. Default: any file.
   */
  readonly paths?: readonly AllowedPath[];
  /** By affinity, which the process may change; those that cannot be used are left out in silence. Default: as the shim. */
  readonly processors?: readonly number[];
}

export interface AllowedPath {
  readonly path: string;
  readonly access: 'read' | 'use' | 'all';
}

/**
 * What is killed as one. `session` is best effort: a daemonised process cannot be found once the shim itself was killed.
 * A pid namespace of ours needs the `direct` launcher; `mountProc` gives it its own /proc.
 */
export type KillUnit =
  | { readonly kind: 'session' }
  | { readonly kind: 'cgroup'; readonly directories: readonly string[] }
  | { readonly kind: 'pid-namespace'; readonly mountProc: boolean };

export interface Rotation {
  readonly directory: string;
  /** File names without the index: `web.stdout`, `web.stderr`. */
  readonly stdout: string;
  readonly stderr: string;
  /** Per stream, at least 1. */
  readonly maxFiles: number;
  readonly maxBytes: number;
  /** Default 0o644. */
  readonly fileMode?: number;
}

export type OutputSpec =
  | ({ readonly mode: 'rotate' } & Rotation)
  /** To two FIFOs of a foreign host. */
  | { readonly mode: 'forward'; readonly stdout: string; readonly stderr: string }
  /** No command: FIFOs that the shim makes and holds, for a task someone else runs. */
  | ({ readonly mode: 'collect'; readonly stdoutFifo: string; readonly stderrFifo: string } & Rotation)
  | { readonly mode: 'discard' };

export type Launcher =
  | { readonly kind: 'direct' }
  /** The command line contains `--as-pid-1`, `--info-fd 4`, no `--die-with-parent`, and runs the verifier with descriptor 3. */
  | { readonly kind: 'bwrap' }
  /** `command` of the record is the runtime's `create`; without `start` its `run --detach`, whose process is the verifier. */
  | {
      readonly kind: 'oci';
      readonly start?: readonly string[];
      readonly delete: readonly string[];
      /** Absent: the container's process is the verifier. With `start` it is needed. */
      readonly pidFile?: string;
    }
  | { readonly kind: 'none' };

export interface StartRecord {
  /** `<allocation id>/<task name>/<generation>` */
  readonly id: string;
  /** The record directory: absolute; made with mode 0700 where it is missing. One per start. */
  readonly directory: string;
  readonly launcher: Launcher;
  /** Looked up in PATH of `env` where the first word has no slash. Empty only for launcher `none`. */
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Default `/`. */
  readonly workDir?: string;
  readonly identity: Identity;
  /** Directories to enter: one per v1 hierarchy, one for v2. */
  readonly cgroups: readonly string[];
  /** A network namespace file to enter. */
  readonly network?: string;
  /** For bwrap: a user namespace file to enter first, in which the ids of `identity` are meant. */
  readonly users?: string;
  /**
   * The launcher sees no mounts below `below` (itself a mount) but the task's own: what it does for each mount of the host makes a start
   * slow where many tasks have mounts. Needs root.
   */
  readonly mountsOfOthers?: { readonly below: string; readonly own: readonly string[] };
  /** For bwrap and the runtime's `create`: seen from them, the covers hold nothing but the paths. Absolute, without links. */
  readonly passage?: { readonly covers: readonly string[]; readonly paths: readonly string[] };
  readonly killUnit: KillUnit;
  /** Where the kernel counts its out-of-memory kills. */
  readonly memoryCgroup?: string;
  readonly output: OutputSpec;
  /** Signal number and time used where a stop names none. Default SIGTERM, 5,000 ms. */
  readonly stop?: { readonly signal: number; readonly timeoutMs: number };
  /** Hold the command until `go`; without a go in time it never starts. */
  readonly gate?: { readonly timeoutMs: number };
  /** Instructions for the verifier, which then is the command (or what bwrap or the runtime runs). */
  readonly verify?: Uint8Array;
}

export type EndedBy = 'task' | 'signal' | 'stop' | 'kill' | 'oom' | 'never-started' | 'start-failed';

export interface Ledger {
  readonly stored: bigint;
  readonly dropped: bigint;
}

/** A stream while its shim lives. */
export interface StreamStatus extends Ledger {
  /** Taken from the task and not stored yet. */
  readonly waiting: bigint;
  /** The disk (or the reader of a FIFO) has stood still for a second: what the task writes now is dropped and counted. */
  readonly hung: boolean;
}

/** How a started generation ended, as the shim wrote it down. */
export interface ExitRecord {
  readonly unknown: null;
  /** Which shim supervised it. */
  readonly kind: 'native' | 'typescript';
  readonly bootId: string;
  readonly pid: number;
  /** False: the command never ran (`by` is never-started or start-failed); `code` then means nothing to the task. */
  readonly started: boolean;
  /** The exit code, or 128 + signal. */
  readonly code: number;
  /** The signal that ended it, 0 for an exit: exit 137 is 137/0, SIGKILL is 137/9. */
  readonly signal: number;
  readonly coreDumped: boolean;
  readonly oomKilled: boolean;
  readonly oomKills: number;
  readonly by: EndedBy;
  /** 0n where not started. */
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly killUnit: KillUnit['kind'];
  /** Processes of the unit that could not be killed within 5 s. */
  readonly leftover: number;
  readonly stdout: Ledger;
  readonly stderr: Ledger;
  readonly error: { readonly stage: string; readonly errno: number; readonly message: string } | null;
}

/** The end of a task whose shim left no record. Never carries a code. */
export interface UnknownEnd {
  readonly unknown: 'shim-lost' | 'reboot' | 'record-unreadable';
  readonly detail: string;
}

export type TaskEnd = ExitRecord | UnknownEnd;

export interface ShimStatus {
  readonly state: 'starting' | 'held' | 'running' | 'ending' | 'ended';
  /** The main process; 0 where there is none. */
  readonly pid: number;
  /** Clock ticks since boot, with `pid` the identity of the process. */
  readonly startTime: bigint;
  readonly startedAt: bigint;
  readonly bootId: string;
  readonly killUnit: KillUnit['kind'];
  /** Processes in the kill unit where that is a cgroup, else 0. */
  readonly processes: number;
  readonly stdout: StreamStatus;
  readonly stderr: StreamStatus;
  readonly exit: ExitRecord | null;
}

export interface ExecSpec {
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir?: string;
  /** Default: the task's own. Names another user on the same terms (capabilities, filter, cgroup stay the task's). */
  readonly user?: { readonly uid: number; readonly gid: number; readonly groups?: readonly number[] };
  readonly tty?: boolean;
  readonly size?: { readonly height: number; readonly width: number };
  /** Run on the host side as the shim's own user, e.g. a runtime's own `exec`. Default false: inside the task. */
  readonly host?: boolean;
}

export interface ExecEnd {
  readonly exitCode: number;
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Set where the connection was lost before the end was known. */
  readonly unknown?: string;
}

/** A command beside the task. `output` ends before `exit` resolves. Shaped like the driver contract's session. */
export interface ShimExec {
  readonly pid: number;
  /** Resolves when the chunk was taken. */
  writeStdin(data: Uint8Array): Promise<void>;
  closeStdin(): Promise<void>;
  resize(size: { readonly height: number; readonly width: number }): Promise<void>;
  signal(signal: number): void;
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  readonly exit: Promise<ExecEnd>;
}

/** One task's shim, as one client sees it. Calls after the shim is gone are `Fault('unavailable')`; wrong states `Fault('conflict')`. */
export interface Shim {
  readonly directory: string;
  readonly kind: 'native' | 'typescript';
  readonly pid: number;
  status(): Promise<ShimStatus>;
  /** Resolves when the command is held back (or runs, where there is no gate); `Fault('invalid')` with the reason where the start failed. */
  held(): Promise<ShimStatus>;
  /** The verifier's lines so far. */
  report(): Promise<string>;
  /** Resolves when the command runs; faults as `held` does where it could not be executed, `conflict` where nothing is held. */
  go(): Promise<ShimStatus>;
  signal(signal: number): Promise<void>;
  /** Resolves when the stop is under way; `wait` tells the end. */
  stop(options?: { readonly signal?: number; readonly timeoutMs?: number }): Promise<void>;
  exec(spec: ExecSpec, signal?: AbortSignal): Promise<ShimExec>;
  /** May be asked many times, also after the end. A lost shim is `UnknownEnd`; what its kill unit still held is killed first. */
  wait(signal?: AbortSignal): Promise<TaskEnd>;
  /** The end was acknowledged: the shim removes its socket and ends. No error where it is gone already. */
  shutdown(): Promise<void>;
  /** Leaves the shim alone. */
  close(): void;
}

export type Recovered =
  | { readonly state: 'present'; readonly shim: Shim }
  /** Its shim, if one was still waiting to be acknowledged, is let go. */
  | { readonly state: 'ended'; readonly end: TaskEnd }
  /** The intent was written, but no shim ever began: nothing ran. */
  | { readonly state: 'never-started' }
  /** There is no readable intent: not a record directory. */
  | { readonly state: 'absent' };

export interface Supervisor {
  readonly kind: 'native' | 'typescript';
  /** Writes the intent (on the disk before the command is let go), starts a shim, connects. `Fault('exists')` where the directory was used before. */
  start(record: StartRecord): Promise<Shim>;
  /** As `start`, of a shim that runs no command: it is left alone once it holds its FIFOs. */
  collect(record: StartRecord): Promise<void>;
  recover(directory: string): Promise<Recovered>;
  /** Ends the spawn helper; shims stay. */
  close(): Promise<void>;
}
