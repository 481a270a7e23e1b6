/** What the agent asks its log collector for, and what is kept on disk of it. */
import type { LogPosition } from '../../../supervise/fallback/log-file.ts';
import type { EndpointTls } from '../endpoint.ts';
import type { Place } from './log-place.ts';

/** A container whose output becomes a task's log files. No secret: it is a file. */
export interface FollowRequest {
  /** File name of its own: the task's id with dots. */
  readonly key: string;
  readonly engine: string;
  readonly endpoint: string;
  readonly tls: EndpointTls | null;
  readonly prefix: string;
  readonly containerId: string;
  /** With a terminal there is one stream, without frames. */
  readonly tty: boolean;
  readonly directory: string;
  /** `web.stdout`, `web.stderr` */
  readonly stdout: string;
  readonly stderr: string;
  readonly maxFiles: number;
  readonly maxBytes: number;
  /** Of a foreign host, which then keeps the files. */
  readonly fifos: { readonly stdout: string; readonly stderr: string } | null;
}

/** How far a container's output is stored. Written after the bytes themselves: what lies beyond is taken back and read again. */
export interface Cursor {
  readonly place: Place;
  readonly stdout: LogPosition | null;
  readonly stderr: LogPosition | null;
  /** Bytes no disk took. */
  readonly dropped: number;
  /** How often the engine no longer had what came next: its own rotation was faster. */
  readonly gaps: number;
  /** The container has ended and everything it said is stored. */
  readonly ended: boolean;
}

export type CollectorCall =
  | { readonly id: number; readonly do: 'follow'; readonly request: FollowRequest }
  | { readonly id: number; readonly do: 'drained' | 'forget'; readonly key: string };

export interface CollectorAnswer {
  readonly id: number;
  /** Null: done. */
  readonly error: string | null;
}

export const socketName = 's';
