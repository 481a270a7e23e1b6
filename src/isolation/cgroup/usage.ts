/** What a task has used so far: from its cgroup, or from /proc where it has none. Absent counters are null, never zero. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { TaskCgroup } from './task-cgroup.ts';

export interface Usage {
  /** Nanoseconds of processor time since the start. */
  readonly cpuNs: number | null;
  readonly userNs: number | null;
  readonly systemNs: number | null;
  readonly throttledPeriods: number | null;
  readonly throttledNs: number | null;
  /** Bytes. */
  readonly rss: number | null;
  readonly cache: number | null;
  readonly swap: number | null;
  readonly usage: number | null;
  readonly maxUsage: number | null;
  readonly kernelUsage: number | null;
  readonly kernelMaxUsage: number | null;
}

const ticksPerSecond = 100;
const tickNs = 1e9 / ticksPerSecond;
const pageBytes = 4096;

type Table = ReadonlyMap<string, number>;

function table(text: string): Table {
  return new Map(
    text.split('\n').flatMap((line) => {
      const [name = '', value = ''] = line.split(' ');
      return name !== '' && /^\d+$/.test(value) ? [[name, Number(value)] as const] : [];
    }),
  );
}

class Files {
  readonly #group: TaskCgroup;

  constructor(group: TaskCgroup) {
    this.#group = group;
  }

  version(controller: string): 1 | 2 | null {
    return this.#group.directories.find((each) => each.controllers.includes(controller))?.version ?? null;
  }

  async text(controller: string, file: string): Promise<string> {
    const directory = this.#group.directories.find((each) => each.controllers.includes(controller));
    return directory === undefined ? '' : readFile(join(directory.path, file), 'utf8').catch(() => '');
  }

  async number(controller: string, file: string): Promise<number | null> {
    const text = (await this.text(controller, file)).trim();
    return /^\d+$/.test(text) ? Number(text) : null;
  }
}

export async function cgroupUsage(group: TaskCgroup): Promise<Usage> {
  const files = new Files(group);
  const [cpu, memory] = await Promise.all([cpuUsage(files), memoryUsage(files)]);
  return { ...cpu, ...memory };
}

/** True where the group measures both; otherwise /proc has to. */
export function measures(group: TaskCgroup): boolean {
  const has = (name: string): boolean => group.directories.some((each) => each.controllers.includes(name));
  return (
    has('memory') &&
    (has('cpuacct') || group.directories.some((each) => each.version === 2 && each.controllers.includes('cpu')))
  );
}

type CpuUsage = Pick<Usage, 'cpuNs' | 'userNs' | 'systemNs' | 'throttledPeriods' | 'throttledNs'>;
type MemoryUsage = Omit<Usage, keyof CpuUsage>;

async function cpuUsage(files: Files): Promise<CpuUsage> {
  const stat = table(await files.text('cpu', 'cpu.stat'));
  const scaled = (name: string, factor: number): number | null => {
    const value = stat.get(name);
    return value === undefined ? null : value * factor;
  };
  if (files.version('cpu') === 2) {
    return {
      cpuNs: scaled('usage_usec', 1000),
      userNs: scaled('user_usec', 1000),
      systemNs: scaled('system_usec', 1000),
      throttledPeriods: scaled('nr_throttled', 1),
      throttledNs: scaled('throttled_usec', 1000),
    };
  }
  const ticks = table(await files.text('cpuacct', 'cpuacct.stat'));
  const ns = (name: string): number | null => {
    const value = ticks.get(name);
    return value === undefined ? null : value * tickNs;
  };
  return {
    cpuNs: await files.number('cpuacct', 'cpuacct.usage'),
    userNs: ns('user'),
    systemNs: ns('system'),
    throttledPeriods: scaled('nr_throttled', 1),
    throttledNs: scaled('throttled_time', 1),
  };
}

async function memoryUsage(files: Files): Promise<MemoryUsage> {
  const stat = table(await files.text('memory', 'memory.stat'));
  const pick = (name: string): number | null => stat.get(name) ?? null;
  if (files.version('memory') === 2) {
    return {
      rss: pick('anon'),
      cache: pick('file'),
      swap: await files.number('memory', 'memory.swap.current'),
      usage: await files.number('memory', 'memory.current'),
      maxUsage: await files.number('memory', 'memory.peak'),
      kernelUsage: pick('kernel'),
      kernelMaxUsage: null,
    };
  }
  return {
    rss: pick('total_rss') ?? pick('rss'),
    cache: pick('total_cache') ?? pick('cache'),
    swap: pick('total_swap') ?? pick('swap'),
    usage: await files.number('memory', 'memory.usage_in_bytes'),
    maxUsage: await files.number('memory', 'memory.max_usage_in_bytes'),
    kernelUsage: await files.number('memory', 'memory.kmem.usage_in_bytes'),
    kernelMaxUsage: await files.number('memory', 'memory.kmem.max_usage_in_bytes'),
  };
}

/** The processes of a task that has no cgroup: its main process and everything of the same session or below it. */
export async function processUsage(mainPid: number): Promise<Usage> {
  const processes = await readProcesses();
  const ours = new Set([mainPid]);
  for (let before = 0; before !== ours.size; ) {
    before = ours.size;
    for (const each of processes) if (ours.has(each.parent) || each.session === mainPid) ours.add(each.pid);
  }
  const chosen = processes.filter((each) => ours.has(each.pid));
  const sum = (of: (each: ProcessRow) => number): number => chosen.reduce((total, each) => total + of(each), 0);
  const userNs = sum((each) => each.userTicks) * tickNs;
  const systemNs = sum((each) => each.systemTicks) * tickNs;
  return {
    cpuNs: userNs + systemNs,
    userNs,
    systemNs,
    throttledPeriods: null,
    throttledNs: null,
    rss: sum((each) => each.rssPages) * pageBytes,
    cache: null,
    swap: null,
    usage: null,
    maxUsage: null,
    kernelUsage: null,
    kernelMaxUsage: null,
  };
}

interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly session: number;
  readonly userTicks: number;
  readonly systemTicks: number;
  readonly rssPages: number;
}

async function readProcesses(): Promise<readonly ProcessRow[]> {
  const names = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(
    names.map(async (name) => parseStat(await readFile(`/proc/${name}/stat`, 'utf8').catch(() => ''))),
  );
  return rows.filter((row) => row !== null);
}

/** `/proc/<pid>/stat`; the command's name may hold blanks and brackets, so fields are counted after the last `)`. */
function parseStat(text: string): ProcessRow | null {
  const end = text.lastIndexOf(')');
  if (end < 0) return null;
  const fields = text.slice(end + 2).split(' ');
  const at = (index: number): number => Number(fields[index - 3] ?? 0);
  return {
    pid: Number.parseInt(text, 10),
    parent: at(4),
    session: at(6),
    userTicks: at(14) + at(16),
    systemTicks: at(15) + at(17),
    rssPages: at(24),
  };
}
