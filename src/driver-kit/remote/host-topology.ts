/**
 * The processors of this host, as plugins are told of them: drivers on the newer Go packages compute shares of cores with it, and end
 * their process where they were told nothing.
 */
import { readdir, readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import type { MessageInitShape } from '@bufbuild/protobuf';
import type { ClientTopologySchema } from '../../driver/gen/nomad/base_pb.ts';

type Topology = MessageInitShape<typeof ClientTopologySchema>;

/** Source: /sys/devices/system/{cpu,node}; where there is none: one node, one socket. */
export async function hostTopology(sys = '/sys/devices/system'): Promise<Topology> {
  const cores = await Promise.all(
    cpus().map(async ({ speed }, id) => {
      const cpu = `${sys}/cpu/cpu${id}`;
      const [names, socket, base, max] = await Promise.all([
        readdir(cpu).catch(() => []),
        number(`${cpu}/topology/physical_package_id`),
        number(`${cpu}/cpufreq/base_frequency`),
        number(`${cpu}/cpufreq/cpuinfo_max_freq`),
      ]);
      const node = Number(names.find((name) => /^node\d+$/.test(name))?.slice(4) ?? 0);
      const [baseSpeed, maxSpeed] = [megahertz(base), megahertz(max)];
      return { coreId: id, socketId: socket, nodeId: node, baseSpeed, maxSpeed, guessSpeed: BigInt(speed) };
    }),
  );
  const nodeIds = [...new Set(cores.map(({ nodeId }) => nodeId))].sort((a, b) => a - b);
  const rows = await Promise.all(nodeIds.map((id) => numbers(`${sys}/node/node${id}/distance`)));
  const square = rows.every((row) => row.length === nodeIds.length);
  return { nodeIds, cores, ...(square ? { distances: { dimension: nodeIds.length, values: rows.flat() } } : {}) };
}

const megahertz = (kilohertz: number): bigint => BigInt(Math.floor(kilohertz / 1000));

async function numbers(path: string): Promise<readonly number[]> {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text
    .split(/\s+/)
    .filter((word) => /^\d+$/.test(word))
    .map(Number);
}

/** 0 where it is not said (or -1, as some virtual machines do). */
async function number(path: string): Promise<number> {
  return (await numbers(path))[0] ?? 0;
}
