import type { Use } from '../fit.ts';
import type { NodeRoom } from '../node-room.ts';

/**
 * How well an allocation fills a node, 0 … 1, after Google's BestFit v3 as Nomad uses it: `binpack` likes full nodes, `spread` empty ones.
 */
export function fitScore(room: NodeRoom, use: Use, algorithm: 'binpack' | 'spread'): number {
  const freeCpu = freePart(room.cpu + use.cpu, room.capacity.cpu);
  const freeMemory = freePart(room.memory + use.memory, room.capacity.memory);
  const emptiness = 10 ** freeCpu + 10 ** freeMemory;
  const score = algorithm === 'spread' ? emptiness - 2 : 20 - emptiness;
  return Math.min(18, Math.max(0, score)) / 18;
}

const freePart = (used: number, capacity: number): number => (capacity <= 0 ? 0 : 1 - used / capacity);
