/** Processors: cores, clock, compute (MHz × cores), NUMA nodes. */
import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';

export interface ProcessorFacts {
  readonly model: string;
  readonly cores: number;
  readonly mhz: number;
  /** MHz over all cores, or what the operator says there is. */
  readonly totalCompute: number;
  /** NUMA node → its cores. */
  readonly numaNodes: readonly { readonly id: number; readonly cores: readonly number[] }[];
}

export async function processorFacts(totalComputeOverride: number): Promise<ProcessorFacts> {
  const list = cpus();
  const cores = Math.max(1, list.length);
  const mhz = (await baseMhz()) || Math.max(0, ...list.map((cpu) => cpu.speed)) || 1000;
  return {
    model: (list[0]?.model ?? 'unknown').trim(),
    cores,
    mhz,
    totalCompute: totalComputeOverride > 0 ? totalComputeOverride : mhz * cores,
    numaNodes: await numaNodes(cores),
  };
}

async function baseMhz(): Promise<number> {
  for (const name of ['base_frequency', 'cpuinfo_max_freq']) {
    const text = await readFile(`/sys/devices/system/cpu/cpu0/cpufreq/${name}`, 'utf8').catch(() => '');
    if (text !== '') return Math.floor(Number(text) / 1000);
  }
  return 0;
}

async function numaNodes(cores: number): Promise<ProcessorFacts['numaNodes']> {
  const root = '/sys/devices/system/node';
  const names = (await readdir(root).catch(() => [])).filter((name) => /^node\d+$/.test(name));
  const nodes = await Promise.all(
    names.map(async (name) => {
      const text = await readFile(`${root}/${name}/cpulist`, 'utf8').catch(() => '');
      return { id: Number(name.slice(4)), cores: parseCpuList(text) };
    }),
  );
  if (nodes.length === 0) return [{ id: 0, cores: Array.from({ length: cores }, (_, core) => core) }];
  return nodes.sort((a, b) => a.id - b.id);
}

/** `"0-2,5"` → `[0, 1, 2, 5]`. */
export function parseCpuList(text: string): number[] {
  const cores: number[] = [];
  for (const part of text.trim().split(',')) {
    const range = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (range === null) continue;
    const from = Number(range[1]);
    for (let core = from; core <= Number(range[2] ?? from); core++) cores.push(core);
  }
  return cores;
}
