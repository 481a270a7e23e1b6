import { expect, test } from 'vitest';
import { lackedMemory } from './kernel-log.ts';

const id = 'c'.repeat(64);
const container = { id, pid: 4711 };
const group = (of: string) =>
  `6,901,5000000,-;oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/docker/${of},task_memcg=/docker/${of},task=sh,pid=4712,uid=0\n`;
const killed = (pid: number) =>
  `3,902,5000100,-;Memory cgroup out of memory: Killed process ${pid} (sh) total-vm:20kB, anon-rss:10kB, UID:0 pgtables:72kB oom_score_adj:0\n SUBSYSTEM=x\n`;

test('a container lacked memory if a process of its group was ended, or its main process', () => {
  expect(lackedMemory([group(id)], container, 0)).toBe(true);
  expect(lackedMemory([killed(4711)], container, 0)).toBe(true);
});

test('another container, another process, a number of before its start, and what a task wrote into the log are not it', () => {
  expect(lackedMemory([group('d'.repeat(64)), killed(4712), killed(47)], container, 0)).toBe(false);
  expect(lackedMemory([killed(4711)], container, 5_000_101)).toBe(false);
  expect(lackedMemory([killed(0)], { id, pid: 0 }, 0)).toBe(false);
  expect(lackedMemory([`12,903,6000000,-;task_memcg=/docker/${id}\n`, 'nonsense'], container, 0)).toBe(false);
});
