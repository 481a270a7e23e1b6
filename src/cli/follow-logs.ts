/**
 * A task's log as it grows, through restarts of the agent: what was received is remembered by file and offset, so that nothing
 * is printed twice and nothing is left out, unless it was rotated away meanwhile.
 */
import { type DroverClient, isResponseError, type StreamFrame } from '../api-client/index.ts';
import { isFault } from '../lib/fault.ts';

export interface FollowedLog {
  readonly allocId: string;
  readonly task: string;
  readonly stream: 'stdout' | 'stderr';
  readonly origin: 'start' | 'end';
  /** Bytes from the origin. */
  readonly offset: number;
  /** Milliseconds without an answer after which the last fault is thrown; default a minute. */
  readonly patienceMs?: number;
  /** Said once for each time the connection is lost. */
  readonly lost?: (reason: string) => void;
}

const retryMs = 200;
const defaultPatienceMs = 60_000;

/**
 * Ends when the task is dead and all of its log was given, or at the signal. A refusal before anything was given is thrown at once; no
 * answer is not: whoever found the allocation reached the agent a moment ago.
 */
export async function* followLogs(
  client: DroverClient,
  log: FollowedLog,
  signal: AbortSignal,
): AsyncIterable<Uint8Array> {
  let last: StreamFrame | undefined;
  let reachedAtMs = Date.now();
  let isServed = false;
  let isLost = false;
  while (!signal.aborted) {
    try {
      const from = last === undefined ? log : await placeAfter(client, log, last, signal);
      // told before the stream is opened: what a task writes at its very end is in the stream that follows
      const over = isServed && (await isOver(client, log, signal));
      for await (const frame of open(client, log, { ...from, follow: !over }, signal)) {
        reachedAtMs = Date.now();
        isServed = true;
        isLost = false;
        last = frame.data.length > 0 ? frame : last;
        yield frame.data;
      }
      if (over) return;
      reachedAtMs = Date.now();
      isServed = true;
    } catch (error) {
      if (signal.aborted) return;
      const patience = log.patienceMs ?? defaultPatienceMs;
      const isRefused = !isServed && isResponseError(error);
      if (!isFault(error) || isRefused || Date.now() - reachedAtMs > patience) throw error;
      if (!isLost) log.lost?.(error.message);
      isLost = true;
    }
    await pause(retryMs, signal);
  }
}

interface From {
  readonly origin: 'start' | 'end';
  readonly offset: number;
}

function open(
  client: DroverClient,
  { allocId, task, stream }: FollowedLog,
  { origin, offset, follow }: From & { readonly follow: boolean },
  signal: AbortSignal,
): AsyncIterable<StreamFrame> {
  return client.files.logs(allocId, { task, type: stream, follow, origin, offset }, { signal });
}

/** The log routes count over all files that are kept; a frame says where in one file it ended. */
async function placeAfter(
  client: DroverClient,
  { allocId, task, stream }: FollowedLog,
  last: StreamFrame,
  signal: AbortSignal,
): Promise<From> {
  const { value: files } = await client.files.list(allocId, 'alloc/logs', { signal });
  const name = `${task}.${stream}.`;
  const numberOf = (file: string): number => {
    const base = file.slice(file.lastIndexOf('/') + 1);
    return base.startsWith(name) && /^\d+$/.test(base.slice(name.length)) ? Number(base.slice(name.length)) : -1;
  };
  const current = numberOf(last.file);
  const kept = files
    .map((file) => ({ number: numberOf(file.Name), size: file.Size }))
    .filter((file) => file.number >= 0);
  const before = kept.filter((file) => file.number < current).reduce((sum, file) => sum + file.size, 0);
  return { origin: 'start', offset: kept.some((file) => file.number === current) ? before + last.offset : before };
}

async function isOver(client: DroverClient, { allocId, task }: FollowedLog, signal: AbortSignal): Promise<boolean> {
  const { value } = await client.allocations.read(allocId, { signal });
  const ended = ['complete', 'failed', 'lost'].includes(value.ClientStatus);
  return ended || value.TaskStates?.[task]?.State === 'dead';
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  await new Promise<void>((resolve) => {
    const timer = setTimeout(done, ms);
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done);
  });
}
