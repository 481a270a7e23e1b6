/** Calls of a plugin: each with its deadline, and with what the plugin does against the protocol put on record. */
import type { DescMessage, DescMethodServerStreaming, DescMethodUnary, MessageShape } from '@bufbuild/protobuf';
import { type Client, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { longestText, shortened } from '../../driver/said-text.ts';
import { Fault } from '../../lib/fault.ts';
import { serverStream, unary } from '../rpc.ts';
import { errorFromWire } from '../wire-faults.ts';
import type { PluginFaults } from './plugin-faults.ts';

export interface CallLimits {
  /** For what a plugin answers out of its memory: who it is, how a task is, a signal, the first report of a stream. Default 30 s. */
  readonly questionMs: number;
  /** For a start, which may download an image. Default 1 h. */
  readonly startMs: number;
}

export const defaultLimits: CallLimits = { questionMs: 30_000, startMs: 3_600_000 };

/** What has to do with an engine, but not with downloads: recovering, ending, freeing. */
export function engineMs({ questionMs }: CallLimits): number {
  return 4 * questionMs;
}

export class PluginCalls {
  /** Its own connection. */
  readonly client: Client;
  readonly limits: CallLimits;
  readonly #faults: PluginFaults;
  /** Fires when the plugin's process has ended, whoever holds its socket; every call ends with it. */
  readonly gone: AbortSignal;

  readonly #connect: () => Client;

  constructor(connect: () => Client, limits: CallLimits, faults: PluginFaults, gone: AbortSignal) {
    this.#connect = connect;
    this.client = connect();
    this.limits = limits;
    this.#faults = faults;
    this.gone = gone;
  }

  /** The same plugin over one more connection, which whoever asks for it closes. */
  apart(): PluginCalls {
    return new PluginCalls(this.#connect, this.limits, this.#faults, this.gone);
  }

  /** `limitMs` null: the call may take for ever. A status is a `Fault` again. */
  async ask<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageShape<I>,
    signal: AbortSignal,
    limitMs: number | null = this.limits.questionMs,
  ): Promise<MessageShape<O>> {
    const deadline = limitMs === null ? undefined : new Date(Date.now() + limitMs);
    const either = AbortSignal.any([signal, this.gone]);
    try {
      return await unary(this.client, method, request, either, new Metadata(), deadline);
    } catch (error) {
      throw this.failed(error, method.name, either);
    }
  }

  /** A stream that ends quietly when its reader goes. No first message within the limit: `Fault('unavailable')`. */
  async *stream<I extends DescMessage, O extends DescMessage>(
    method: DescMethodServerStreaming<I, O>,
    request: MessageShape<I>,
    signal: AbortSignal,
    firstMs: number | null,
  ): AsyncGenerator<MessageShape<O>> {
    const late = new AbortController();
    const timer = firstMs === null ? undefined : setTimeout(() => late.abort(), firstMs);
    try {
      const all = AbortSignal.any([signal, late.signal, this.gone]);
      for await (const message of serverStream(this.client, method, request, all)) {
        clearTimeout(timer);
        yield message;
      }
    } catch (error) {
      if (!signal.aborted && !late.signal.aborted) throw this.failed(error, method.name, signal);
    } finally {
      clearTimeout(timer);
    }
    if (late.signal.aborted && !signal.aborted) {
      this.fault(`${method.name}: no message within ${firstMs} ms`, false);
      throw new Fault('unavailable', `the plugin gave no answer to ${method.name} within ${firstMs} ms`, {
        recoverable: true,
      });
    }
  }

  /** `grave`: what came cannot be used. */
  fault(text: string, grave: boolean): void {
    this.#faults.add(text, grave);
  }

  /** Puts it on record and makes the error to throw: `throw calls.wrong('StartTask: the answer has no task handle')`. */
  wrong(text: string): Fault {
    this.fault(text, true);
    return new Fault('unavailable', `the plugin broke the protocol: ${text}`);
  }

  /** What it says of something that went wrong, as long as people read; a longer text is put on record. */
  said(method: string, text: string): string {
    if (text.length > longestText) this.fault(`${method}: a text of ${text.length} characters; it is cut`, false);
    return shortened(text);
  }

  /** The error to throw of a call that failed; what the plugin did wrong in it is put on record. */
  failed(error: unknown, method: string, signal: AbortSignal): unknown {
    const code = error instanceof Error && 'code' in error ? (error as ServiceError).code : undefined;
    const details = error instanceof Error && 'details' in error ? (error as ServiceError).details : '';
    if (signal.aborted || code === undefined) return error;
    if (code === status.DEADLINE_EXCEEDED) this.fault(`${method}: no answer in time`, false);
    else if (broken.has(code)) this.fault(`${method}: ${details.slice(0, 300)}`, true);
    else this.said(method, details);
    return errorFromWire(error);
  }
}

/** What drivers do not say, but what becomes of answers that cannot be read, are too large, or are no answers. */
const broken: ReadonlySet<number> = new Set([status.INTERNAL, status.RESOURCE_EXHAUSTED, status.DATA_LOSS]);
