/** What of the engine's answers is read; every field is checked when it is used, for an answer may be anything. */
import { Fault } from '../../lib/fault.ts';

export interface ContainerState {
  readonly id: string;
  readonly name: string;
  readonly running: boolean;
  readonly pid: number;
  readonly exitCode: number;
  readonly oomKilled: boolean;
  /** What the engine says went wrong; usually empty. */
  readonly error: string;
  /** Unix nanoseconds; 0n: not yet. */
  readonly startedAt: bigint;
  readonly finishedAt: bigint;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly stopSignal: string;
  readonly tty: boolean;
  readonly networks: Readonly<Record<string, { readonly ip: string; readonly ipv6: string }>>;
  readonly networkMode: string;
}

type Loose = { readonly [name: string]: Loose } & { readonly [Symbol.toPrimitive]?: never };

/** A member of a member of what may not be there. */
function at(value: unknown, ...path: readonly string[]): unknown {
  let here: unknown = value;
  for (const name of path) here = (here as Loose | null | undefined)?.[name];
  return here;
}

export function textAt(value: unknown, ...path: readonly string[]): string {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : '';
}

export function numberAt(value: unknown, ...path: readonly string[]): number | null {
  const found = at(value, ...path);
  return typeof found === 'number' ? found : null;
}

export function objectAt(value: unknown, ...path: readonly string[]): Readonly<Record<string, unknown>> {
  const found = at(value, ...path);
  return typeof found === 'object' && found !== null ? (found as Readonly<Record<string, unknown>>) : {};
}

/** `"2026-01-02T03:04:05.123456789Z"` → nanoseconds; the engine's year 1, and nonsense: 0n. */
export function nanoseconds(text: string): bigint {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return 0n;
  const ms = Date.parse(`${match[1]}${match[3]}`);
  if (Number.isNaN(ms) || ms <= 0) return 0n;
  return BigInt(ms) * 1_000_000n + BigInt((match[2] ?? '').padEnd(9, '0'));
}

/** `wanted`: its id, where that is known. `Fault('unavailable')`: the answer is none about such a container. */
export function containerState(answer: unknown, wanted = ''): ContainerState {
  const id = textAt(answer, 'Id');
  const running = at(answer, 'State', 'Running');
  if (id === '' || (wanted !== '' && id !== wanted) || typeof running !== 'boolean')
    throw new Fault('unavailable', 'the engine answers nonsense about a container', { recoverable: true });
  const networks = Object.entries(objectAt(answer, 'NetworkSettings', 'Networks')).map(
    ([name, each]) => [name, { ip: textAt(each, 'IPAddress'), ipv6: textAt(each, 'GlobalIPv6Address') }] as const,
  );
  const labels = Object.entries(objectAt(answer, 'Config', 'Labels')).map(([name, value]) => [name, String(value)]);
  return {
    id,
    name: textAt(answer, 'Name').replace(/^\//, ''),
    // a container that waits for its own restart has not ended, but none of ours restarts
    running: running || at(answer, 'State', 'Paused') === true,
    pid: numberAt(answer, 'State', 'Pid') ?? 0,
    exitCode: numberAt(answer, 'State', 'ExitCode') ?? 0,
    oomKilled: at(answer, 'State', 'OOMKilled') === true,
    error: textAt(answer, 'State', 'Error'),
    startedAt: nanoseconds(textAt(answer, 'State', 'StartedAt')),
    finishedAt: nanoseconds(textAt(answer, 'State', 'FinishedAt')),
    imageId: textAt(answer, 'Image'),
    labels: Object.fromEntries(labels) as Readonly<Record<string, string>>,
    stopSignal: textAt(answer, 'Config', 'StopSignal'),
    tty: at(answer, 'Config', 'Tty') === true,
    networks: Object.fromEntries(networks),
    networkMode: textAt(answer, 'HostConfig', 'NetworkMode'),
  };
}
