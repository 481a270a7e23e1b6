/** What an author's hooks answer about ends and use, checked and made whole. */
import type { DriverEvent, ExecSession, NetworkOverride, TaskExit, TaskStats } from '../driver/contract.ts';
import { wrongReturn } from './call-hook.ts';
import type { EngineExit, EngineStats } from './define-engine-driver.ts';

const whole = (value: unknown, most: number): value is number =>
  Number.isInteger(value) && (value as number) >= 0 && (value as number) <= most;

/** Hosts keep it and show it to people. */
const longestMessage = 4_000;

const isText = (value: unknown): value is string => typeof value === 'string';

/** `Fault('invalid')`: neither a code nor a signal. */
export function exitOf(driver: string, given: unknown, hook = 'wait'): TaskExit {
  const { exitCode, signal = 0, oomKilled = false, message } = (given ?? {}) as EngineExit;
  const code = exitCode ?? (signal > 0 ? 128 + signal : undefined);
  // 32 bits is what hosts read
  if (!whole(signal, 64) || !Number.isInteger(code) || code !== (code! | 0) || typeof oomKilled !== 'boolean')
    throw wrongReturn(driver, hook, 'an end such as { exitCode: 0 } or { signal: 9 }', given);
  return {
    exitCode: code,
    signal,
    oomKilled,
    ...(isText(message) ? { message: message.slice(0, longestMessage) } : {}),
  };
}

const cpuNames = { cpuPercent: 'Percent', cpuUserPercent: 'User Mode', cpuSystemPercent: 'System Mode' } as const;
const memoryNames = {
  memoryBytes: 'Usage',
  memoryRssBytes: 'RSS',
  memoryCacheBytes: 'Cache',
  memoryMaxBytes: 'Max Usage',
} as const;

/** `Fault('invalid')`: something that is no number, or a name that means nothing. */
export function statsOfEngine(driver: string, given: unknown, at: bigint): TaskStats {
  if (typeof given !== 'object' || given === null)
    throw wrongReturn(driver, 'stats', 'what was measured, such as { memoryBytes: 1024 }', given);
  const known = new Set<string>([...Object.keys(cpuNames), ...Object.keys(memoryNames)]);
  for (const [name, value] of Object.entries(given)) {
    if (!known.has(name)) throw wrongReturn(driver, 'stats', `only ${[...known].join(', ')}`, { [name]: value });
    if (value !== undefined && !(typeof value === 'number' && value >= 0 && value <= Number.MAX_SAFE_INTEGER))
      throw wrongReturn(driver, 'stats', `numbers that are not negative, below 2^53; ${name} is none`, value);
  }
  const stats = given as EngineStats;
  const measured = (names: Readonly<Record<string, string>>): string[] =>
    Object.entries(names).flatMap(([name, label]) => (stats[name as keyof EngineStats] === undefined ? [] : [label]));
  return {
    timestamp: at,
    cpu: {
      percent: stats.cpuPercent ?? 0,
      userMode: stats.cpuUserPercent ?? 0,
      systemMode: stats.cpuSystemPercent ?? 0,
      totalTicks: 0,
      throttledPeriods: 0,
      throttledTime: 0,
      measured: measured(cpuNames),
    },
    memory: {
      usage: stats.memoryBytes ?? 0,
      rss: stats.memoryRssBytes ?? 0,
      cache: stats.memoryCacheBytes ?? 0,
      maxUsage: stats.memoryMaxBytes ?? 0,
      swap: 0,
      kernelUsage: 0,
      kernelMaxUsage: 0,
      measured: measured(memoryNames),
    },
  };
}

/** `Fault('invalid')`: no address, or ports that are none. */
export function networkOf(driver: string, given: unknown): NetworkOverride | undefined {
  if (given === undefined) return undefined;
  const { ip, portMap = {}, autoAdvertise = false } = (given ?? {}) as Partial<NetworkOverride>;
  const isMap = typeof portMap === 'object' && portMap !== null;
  if (
    isText(ip) &&
    isMap &&
    Object.values(portMap).every((port) => whole(port, 65_535)) &&
    typeof autoAdvertise === 'boolean'
  )
    return { ip, portMap, autoAdvertise };
  throw wrongReturn(driver, 'start', '"network" as { ip, portMap: { label: port }, autoAdvertise }', given);
}

/** `Fault('invalid')`: something of a session is missing. Its exit is checked when it comes. */
export function sessionOf(driver: string, given: unknown): ExecSession {
  const session = given as ExecSession | null | undefined;
  const calls = [session?.writeStdin, session?.closeStdin, session?.resize, session?.output?.[Symbol.asyncIterator]];
  if (
    session === null ||
    session === undefined ||
    typeof session.exit?.then !== 'function' ||
    !calls.every((each) => typeof each === 'function')
  )
    throw wrongReturn(driver, 'exec', 'a session (writeStdin, closeStdin, resize, output, exit)', given);
  const exit = session.exit.then((end) => exitOf(driver, end, 'exec'));
  // who asks for the output alone never looks at it
  exit.catch(() => {});
  return {
    writeStdin: (data) => session.writeStdin(data),
    closeStdin: () => session.closeStdin(),
    resize: (size) => session.resize(size),
    output: session.output,
    exit,
  };
}

/** `Fault('invalid')`: no task, or nothing said of it. */
export function eventOf(driver: string, given: unknown): DriverEvent {
  const { taskId, message, annotations = {} } = (given ?? {}) as Partial<DriverEvent>;
  const isMap = typeof annotations === 'object' && annotations !== null;
  if (isText(taskId) && isText(message) && isMap && Object.values(annotations).every(isText))
    return { taskId, message: message.slice(0, longestMessage), annotations };
  throw wrongReturn(driver, 'events', 'events such as { taskId, message, annotations }', given);
}
