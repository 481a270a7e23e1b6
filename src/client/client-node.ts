/** What the HTTP API asks of the client half of an agent. Implemented by `client.ts`; on a server without one, requests are forwarded. */
import type { ExecRequest, ExecSession, IsolationReport } from '../driver/contract.ts';
import type { FileInfo } from '../model/file-info.ts';
import type { HostStats } from '../model/host-stats.ts';
import type { Node } from '../model/node.ts';
import type { RehearsalAnswer, RehearsalAsk } from '../model/rehearsal.ts';
import type { AllocResourceUsage } from '../model/resource-usage.ts';
import type { DriverPrograms, ListedDriver } from './driver-programs.ts';
import type { KnownAllocation } from './metrics.ts';
import type { NodeMetaView } from './node-meta.ts';

/** A piece of a followed file, or a notice about it. */
export interface FileFrame {
  readonly file: string;
  /** Offset in the file after `data`. */
  readonly offset: number;
  readonly data: Uint8Array;
  readonly event: '' | 'file deleted' | 'file truncated';
}

export interface LogRequest {
  readonly task: string;
  readonly type: 'stdout' | 'stderr';
  readonly follow: boolean;
  readonly origin: 'start' | 'end';
  /** Bytes from the origin. */
  readonly offset: number;
}

export interface ClientNode {
  /** The node as last fingerprinted. */
  node(): Node;
  meta(): NodeMetaView;
  /** At run time, kept over restarts; null takes a key away. The servers hear of it soon. */
  setMeta(changes: { readonly [key: string]: string | null }): Promise<NodeMetaView>;
  readonly drivers: Pick<DriverPrograms, 'reload'> & { list(): readonly ListedDriver[] };
  hostStats(signal: AbortSignal): Promise<HostStats>;
  hasAllocation(allocId: string): boolean;
  /** Why it would refuse the starts of a job's tasks; nothing is started. */
  rehearse(ask: RehearsalAsk, signal: AbortSignal): Promise<RehearsalAnswer>;
  /** What it runs, and what ended there and is not collected yet. */
  allocations(): readonly KnownAllocation[];
  /** `task` empty: all. Unknown allocation: `Fault('not_found')` with Nomad's text, here and below. */
  allocationStats(allocId: string, task: string, signal: AbortSignal): Promise<AllocResourceUsage>;
  /** What each task's newest generation got, also after its end; null: it never ran, or its driver tells nothing. */
  isolation(allocId: string, signal: AbortSignal): Promise<{ readonly [task: string]: IsolationReport | null }>;
  restart(
    allocId: string,
    options: { readonly task: string; readonly allTasks: boolean },
    signal: AbortSignal,
  ): Promise<void>;
  signal(
    allocId: string,
    options: { readonly task: string; readonly signal: string },
    signal: AbortSignal,
  ): Promise<void>;
  exec(allocId: string, task: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession>;
  /** Paths are relative to the allocation directory and never leave it, whatever links the task made. */
  list(allocId: string, path: string, signal: AbortSignal): Promise<readonly FileInfo[]>;
  stat(allocId: string, path: string, signal: AbortSignal): Promise<FileInfo>;
  /** `limit` −1: the rest. */
  read(
    allocId: string,
    path: string,
    range: { readonly offset: number; readonly limit: number },
    signal: AbortSignal,
  ): AsyncIterable<Uint8Array>;
  follow(
    allocId: string,
    path: string,
    from: { readonly origin: 'start' | 'end'; readonly offset: number; readonly follow: boolean },
    signal: AbortSignal,
  ): AsyncIterable<FileFrame>;
  /** Across rotated files, in order. */
  logs(allocId: string, request: LogRequest, signal: AbortSignal): AsyncIterable<FileFrame>;
  /** Removes what ended allocations left; one, or all. */
  collectGarbage(allocId: string | null, signal: AbortSignal): Promise<void>;
  /** How many tasks run now: said when the agent stops. */
  runningTasks(): number;
}
