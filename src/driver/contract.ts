/**
 * The driver contract. A driver is either a *command driver* (it says what to run; supervision, logs, recovery, stop, stats, signals,
 * exec and isolation are the kit's) or an *engine driver* (it does these things itself, through an engine or a plugin).
 *
 * Rules for every hook: it takes an AbortSignal and ends soon after it fires (aborting a call never harms the task);
 * faults are `Fault`s; a `Fault` with `recoverable: true` out of `start` lets the restart policy try again, any other fails the task.
 * A capability is a method: what is not there is not supported, and wire flags are derived from what is.
 */

import type { IsolationRung } from '../model/isolation-ladder.ts';
import type { IsolationReport } from '../model/isolation-report.ts';

export type { IsolationRung } from '../model/isolation-ladder.ts';
export type { IsolationReport } from '../model/isolation-report.ts';

export type FilesystemIsolation = 'none' | 'chroot' | 'image' | 'unveil';

export type NetworkIsolationMode = 'host' | 'group' | 'task' | 'none';

export type Health = 'undetected' | 'unhealthy' | 'healthy';

/** One report of what a driver can do on this node. Sent at once, then whenever it changes or every 30 s. */
export interface Fingerprint {
  readonly health: Health;
  /** For people: `"Healthy"`, `"disabled"`, or the reason. */
  readonly description: string;
  /** Node attributes, e.g. `{ 'driver.exec': '1', 'driver.exec.isolation': 'sandbox' }`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface TaskResources {
  /** MHz asked for; a weight, not a cap. */
  readonly cpuShares: number;
  /** `"0-1,4"`; empty where the task has no cores of its own. */
  readonly cpusetCpus: string;
  /** Of a plugin's task: the control group, made for it, that what runs it may count on; absent or `""`: none. */
  readonly cpusetCgroup?: string;
  readonly memoryMb: number;
  /** 0: no maximum beyond memoryMb; −1: unlimited. */
  readonly memoryMaxMb: number;
  /** The share of the node's compute, 0 … 1. */
  readonly percentTicks: number;
  readonly ports: readonly {
    readonly label: string;
    readonly value: number;
    readonly to: number;
    readonly hostIp: string;
  }[];
}

export interface TaskMount {
  readonly taskPath: string;
  readonly hostPath: string;
  readonly readOnly: boolean;
  readonly propagation: '' | 'private' | 'host-to-task' | 'bidirectional';
}

export interface TaskDevice {
  readonly taskPath: string;
  readonly hostPath: string;
  /** A subset of `rwm`. */
  readonly permissions: string;
}

export interface NetworkIsolation {
  readonly mode: NetworkIsolationMode;
  /** A network namespace to join, e.g. `/var/run/netns/<alloc>`. */
  readonly path: string;
  readonly labels: Readonly<Record<string, string>>;
  /** What a task's /etc/hosts says of the group. */
  readonly hosts?: { readonly hostname: string; readonly address: string };
}

/** `created` false: it was there already. */
export interface CreatedNetwork {
  readonly network: NetworkIsolation;
  readonly created: boolean;
}

/** Everything a driver is told about the task it starts. */
export interface TaskConfig {
  /** `<allocation id>/<task name>/<generation>`: unique for each start; a generation is 8 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly allocId: string;
  readonly groupName: string;
  readonly jobId: string;
  readonly jobName: string;
  readonly namespace: string;
  readonly nodeId: string;
  readonly nodeName: string;
  /** The decoded `config {}` body, checked against the driver's schema, defaults filled in, `${…}` resolved. */
  readonly config: unknown;
  readonly env: Readonly<Record<string, string>>;
  /** `""`: the driver's default user. */
  readonly user: string;
  readonly resources: TaskResources;
  readonly mounts: readonly TaskMount[];
  readonly devices: readonly TaskDevice[];
  readonly network: NetworkIsolation | null;
  readonly dns: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  } | null;
  readonly directories: TaskDirectories;
  readonly log: TaskLog;
  /** The lowest rung this task may run at; a driver that cannot reach it refuses the start and names the missing line. */
  readonly isolationFloor: IsolationRung;
  /** Lines that must be verified whatever the rung, e.g. `['seccomp']`; absent: none. */
  readonly isolationRequire?: readonly string[];
  /** Set where nothing is to be started: the task's directories are not there, and what a start finds in them cannot be told. */
  readonly rehearsal?: TaskRehearsal;
}

export interface TaskRehearsal {
  /** Something brings files into the task's directories before it starts: an artifact, a template, a task that runs before. */
  readonly filesCome: boolean;
}

/** Host paths of an allocation's directories. */
export interface TaskDirectories {
  /** `<alloc_dir>/<alloc id>` */
  readonly allocation: string;
  /** `…/alloc`, shared by the group's tasks. */
  readonly shared: string;
  /** `…/<task>` */
  readonly task: string;
  readonly local: string;
  readonly secrets: string;
  readonly private: string;
  readonly tmp: string;
  /** `…/alloc/logs` */
  readonly logs: string;
}

export interface TaskLog {
  readonly disabled: boolean;
  readonly maxFiles: number;
  readonly maxFileSizeMb: number;
  /** FIFOs of a foreign host, where one runs us; null: the shim rotates files itself. */
  readonly fifos: { readonly stdout: string; readonly stderr: string } | null;
}

/** How a task ended. A task's end is data, not an error. `exitCode` is meaningless where `unknown` is set. */
export interface TaskExit {
  readonly exitCode: number;
  /** 0: not ended by a signal. Ended by one: exitCode is 128 + signal. */
  readonly signal: number;
  readonly oomKilled: boolean;
  /** Set where the truth cannot be known: `"shim-lost"`, `"reboot"`, … */
  readonly unknown?: string;
  /** What the driver says about the end, where it has words for it; the event reads `Exit Message: "…"`. */
  readonly message?: string;
  /** Unix nanoseconds. */
  readonly finishedAt?: bigint;
}

export interface NetworkOverride {
  readonly ip: string;
  readonly portMap: Readonly<Record<string, number>>;
  readonly autoAdvertise: boolean;
}

/** What a driver remembers about a task, as versioned JSON: all that `recover` gets. At most 64 KiB. */
export interface TaskHandleState {
  readonly version: number;
  readonly [key: string]: unknown;
}

export interface TaskStatus {
  readonly state: 'running' | 'exited' | 'unknown';
  /** Unix nanoseconds. */
  readonly startedAt: bigint;
  readonly completedAt: bigint | null;
  readonly exit: TaskExit | null;
  readonly attributes: Readonly<Record<string, string>>;
}

/** One sample. CPU in percent of one core and ticks (MHz), memory in bytes; `measured` names which fields mean anything. */
export interface TaskStats {
  readonly timestamp: bigint;
  readonly cpu: {
    readonly systemMode: number;
    readonly userMode: number;
    readonly totalTicks: number;
    readonly throttledPeriods: number;
    readonly throttledTime: number;
    readonly percent: number;
    readonly measured: readonly string[];
  };
  readonly memory: {
    readonly rss: number;
    readonly cache: number;
    readonly swap: number;
    readonly usage: number;
    readonly maxUsage: number;
    readonly kernelUsage: number;
    readonly kernelMaxUsage: number;
    readonly measured: readonly string[];
  };
}

/** A message of the driver about a task (e.g. image pull progress); it becomes a task event of type `Driver`. */
export interface DriverEvent {
  readonly taskId: string;
  readonly message: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ExecRequest {
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly size?: TerminalSize;
}

export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

/** A command running inside a task. Output ends before `exit` resolves; aborting the signal given to `exec` kills the command. */
export interface ExecSession {
  /** Resolves when the chunk was taken (back pressure). */
  writeStdin(data: Uint8Array): Promise<void>;
  closeStdin(): Promise<void>;
  resize(size: TerminalSize): Promise<void>;
  /** Chunks of both streams in order of arrival; with a tty everything is stdout. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  readonly exit: Promise<TaskExit>;
}

export interface StartedTask {
  readonly state: TaskHandleState;
  readonly network?: NetworkOverride;
  readonly isolation?: IsolationReport;
}

/** What every driver declares, whichever kind it is. */
export interface DriverInfo {
  readonly name: string;
  /** Semantic version, without `v`. */
  readonly version: string;
  readonly filesystem: FilesystemIsolation;
  readonly networkModes: readonly NetworkIsolationMode[];
  /** False: volumes and mounts are refused for tasks of this driver. */
  readonly mounts: boolean;
  /** True: the driver keeps its tasks' output itself; nobody collects it. */
  readonly ownLogs?: boolean;
  /** True: a task without a user gets one of its own from the client's pool, `nomad-<uid>`. */
  readonly dynamicUsers?: boolean;
  /** True: the driver makes its tasks' control groups itself. Plugins that do not say so are given such as Nomad makes. */
  readonly ownCgroups?: boolean;
}

/**
 * An engine driver: task ids are `TaskConfig.id`. A driver instance is made by its plugin's `configure` (driver-kit) and closed once.
 */
export interface EngineDriver {
  readonly info: DriverInfo;
  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint>;
  /**
   * A start of this task comes as soon as its client may run it, or its `destroy`: time to make ready what runs nothing of it. Said once, and
   * with the very configuration that `start` gets; the allocation's directories are there, the task's own may not be yet. What cannot be made
   * is that start's fault.
   */
  expect?(task: TaskConfig): void;
  /**
   * Why a start of this task, whose `rehearsal` is set, would be refused now, in the words of `start`; empty: by nothing that can be told
   * before. Nothing is made, fetched or started. Rejects where it cannot be told. Absent: the driver does not tell.
   */
  rehearse?(task: TaskConfig, signal: AbortSignal): Promise<readonly string[]>;
  /** Resolves once the task's process runs. A known id is `Fault('exists')`. */
  start(task: TaskConfig, signal: AbortSignal): Promise<StartedTask>;
  /** A known id: no-op. `Fault('not_found')`: the task cannot be found again (it is gone, or never was). */
  recover(task: TaskConfig, state: TaskHandleState, signal: AbortSignal): Promise<StartedTask>;
  /**
   * A start whose state never reached the client, which was killed in between: the task where it had been told to run, else null: its
   * command never began, and what there is of it is `destroy`'s. Absent: the client destroys and starts anew.
   */
  recoverStart?(task: TaskConfig, signal: AbortSignal): Promise<StartedTask | null>;
  /** Resolves when the task has ended, at once where it has already; may be asked many times, by many. */
  wait(taskId: string, signal: AbortSignal): Promise<TaskExit>;
  /** Sends `killSignal` (`""`: the driver's default), then kills after the timeout. Resolves when the task has ended. */
  stop(
    taskId: string,
    options: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Promise<void>;
  /** Forgets an ended task and frees what it held. Running and not `force`: `Fault('conflict')`. Unknown: `Fault('not_found')`. */
  destroy(taskId: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void>;
  inspect(taskId: string, signal: AbortSignal): Promise<TaskStatus>;
  /** One sample, now. */
  stats?(taskId: string, signal: AbortSignal): Promise<TaskStats>;
  /** `signalName`: `"SIGHUP"`. Unknown name: `Fault('invalid')`. */
  signal?(taskId: string, signalName: string, signal: AbortSignal): Promise<void>;
  exec?(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  /** Messages about tasks, for as long as they are listened to. */
  events?(signal: AbortSignal): AsyncIterable<DriverEvent>;
  /**
   * Makes the network of a group whose mode is not the host's, in place of the client (an engine that owns the namespace). Idempotent:
   * `created` false where it is there. `hostname`: `""`, or what the group asks for.
   */
  createNetwork?(allocId: string, hostname: string, signal: AbortSignal): Promise<CreatedNetwork>;
  /** Of a network that is gone: no-op. */
  destroyNetwork?(allocId: string, network: NetworkIsolation, signal: AbortSignal): Promise<void>;
  /** What a running task was verified to have, looked at again: what no longer holds is `unavailable`. Asked every few seconds. */
  isolation?(taskId: string, signal: AbortSignal): Promise<IsolationReport>;
  close(): Promise<void>;
}

/** What a command driver wants to have run; paths are as the task sees them. */
export interface CommandSpec {
  readonly command: string;
  readonly args: readonly string[];
  /** `""`: the task directory (`/` where the file system is isolated). */
  readonly workDir: string;
  /** Added to the task's own variables; wins over them. */
  readonly env?: Readonly<Record<string, string>>;
  /** Names of the task's variables that it does not get. */
  readonly withoutEnv?: readonly string[];
  /** The user a task gets that names none; `""`: the agent's own. */
  readonly defaultUser: string;
  readonly isolation: IsolationWish;
  readonly oomScoreAdj?: number;
  /** What the driver itself needs the task to see, beside its volumes. */
  readonly mounts?: readonly TaskMount[];
  readonly devices?: readonly TaskDevice[];
  /** What runs the task takes so much beside what the job asked for. */
  readonly memoryOverheadMb?: number;
  /** True: the task's share of the node's compute is all it may use, even where the rest is idle. */
  readonly cpuHardLimit?: boolean;
  /** Its weight among those who use the disks, 1 to 10000; 100 is ordinary. Refused where no disk heeds one. */
  readonly ioWeight?: number;
  /** The driver's own floor on this node; the higher of it and the task's counts. */
  readonly isolationMin?: IsolationRung;
  /** At most so many processes and threads; absent: no limit of the driver's own. */
  readonly pidsLimit?: number;
  /** Existing cgroups of the operator's, joined in place of ours in the same hierarchy; the kit neither limits, kills by nor removes them. */
  readonly cgroupOverride?: readonly {
    readonly version: 1 | 2;
    /** Below the hierarchy's mount point, or absolute. */
    readonly path: string;
    /** v1: the controllers of that hierarchy. */
    readonly controllers: readonly string[];
  }[];
}

/** What a driver asks of the ladder; the isolation floor gives the strictest rung ≤ `prefer` that the node can prove, never below the floor. */
export interface IsolationWish {
  readonly prefer: IsolationRung;
  readonly pidMode: 'private' | 'host';
  readonly ipcMode: 'private' | 'host';
  /** Capabilities added to the empty set, already checked against what the operator allows, e.g. `['NET_BIND_SERVICE']`. */
  readonly capabilities: readonly string[];
  /** Runtimes the operator allows, best first; empty: all. */
  readonly runtimes: readonly string[];
  /** The driver asks the task by a socket of the task's: without root that must be the agent's own. Default: false. */
  readonly sharedIds?: boolean;
  /** Where a sandbox was preferred and none can be had: it may touch its own directories and the system's alone. Default: false. */
  readonly confined?: boolean;
  /** In a sandbox it may leave images of its memory. Default: false. */
  readonly coreDumps?: boolean;
}

/** A command driver: the kit's engine makes an EngineDriver of it. */
export interface CommandDriver {
  readonly info: DriverInfo;
  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint>;
  /** Pure but for looking at the task directory; a wrong option is `Fault('invalid')` naming it. */
  plan(task: TaskConfig, signal: AbortSignal): Promise<CommandSpec>;
  /** Makes what the planned start needs on the disk. Absent: nothing. */
  ready?(task: TaskConfig, spec: CommandSpec, signal: AbortSignal): Promise<void>;
  /** What is known of an end beside its code, for people; null: nothing. May be asked again. */
  reason?(task: TaskConfig, exit: TaskExit): Promise<string | null>;
}
