/** What the HTTP API gets of this node (client-node.ts), each a few lines over the allocation table. */
import { join } from 'node:path';
import { Fault } from '../lib/fault.ts';
import type { Node } from '../model/node.ts';
import type { TaskResourceUsage } from '../model/resource-usage.ts';
import type { AllocationRunner } from './alloc-runner.ts';
import type { AllocationTable } from './allocation-table.ts';
import type { ClientNode } from './client-node.ts';
import type { ClientConfig } from './config.ts';
import type { DriverPrograms } from './driver-programs.ts';
import { listFiles, readFilePart, statFile } from './files.ts';
import { followFile } from './follow.ts';
import type { HostStatsSampler } from './host-stats.ts';
import { readLogs } from './logs.ts';
import type { Rehearsals } from './rehearsal.ts';
import { allocationUsage, taskUsage } from './resource-usage.ts';
import type { TaskRunner } from './task-runner.ts';

export interface NodeApiParts {
  readonly config: ClientConfig;
  readonly table: AllocationTable;
  readonly stats: HostStatsSampler;
  readonly drivers: DriverPrograms;
  readonly meta: Pick<ClientNode, 'meta' | 'setMeta'>;
  readonly rehearsals: Rehearsals;
  node(): Node;
}

export function nodeApi({ config, table, stats, node, drivers, meta, rehearsals }: NodeApiParts): ClientNode {
  /** The allocation's directory, which need not be there any more. */
  const rootOf = (allocId: string): string => {
    table.runnerOrNull(allocId);
    return join(config.allocDir, allocId);
  };
  return {
    node,
    ...meta,
    drivers: {
      ...drivers,
      list: () => {
        const infos = node().Drivers;
        return drivers.list().map((row) => {
          const { Detected = false, Healthy = false, HealthDescription = '' } = infos?.[row.Driver] ?? {};
          const Tasks = row.File === '' ? table.runningTasks(row.Driver) : row.Tasks;
          return { ...row, Tasks, Detected, Healthy, HealthDescription };
        });
      },
    },
    hostStats: () => stats.sample(),
    rehearse: (ask, signal) => rehearsals.of(ask, signal),
    hasAllocation: (allocId) => table.has(allocId),
    allocations: () => table.allocations(),
    allocationStats: (allocId, task, signal) => usageOf(table, allocId, task, signal),
    isolation: async (allocId) => table.isolation(allocId),
    async restart(allocId, options) {
      const runner = table.runnerOrNull(allocId);
      if (runner === null) throw new Fault('conflict', 'restart of an alloc that should not run', { status: 500 });
      runner.restart(options);
    },
    async signal(allocId, options, signal) {
      const runner = table.runnerOrNull(allocId);
      if (runner === null) throw new Fault('conflict', 'Task not running', { status: 500 });
      await runner.signal(options, signal);
    },
    async exec(allocId, task, request, signal) {
      if (config.disableRemoteExec) throw new Fault('denied', 'exec is disabled on this node (disable_remote_exec)');
      const runner = table.runnerOrNull(allocId);
      const notRunning = `task "${task}" is not running.`;
      if (runner === null) throw new Fault('conflict', notRunning, { status: 500 });
      const { engine, taskId } = runner.running(task, 'task not found', notRunning);
      if (engine.exec === undefined)
        throw new Fault('unsupported', `driver "${engine.info.name}" runs no commands inside tasks`);
      return engine.exec(taskId, request, signal);
    },
    list: (allocId, path) => attempt(() => listFiles(rootOf(allocId), path)),
    stat: (allocId, path) => attempt(() => statFile(rootOf(allocId), path)),
    read: (allocId, path, range, signal) => readFilePart(rootOf(allocId), path, range, signal),
    follow: (allocId, path, from, signal) => followFile(rootOf(allocId), path, from, signal),
    logs(allocId, request, signal) {
      const root = rootOf(allocId);
      const runner = table.runnerOrNull(allocId);
      if (runner !== null) requireStarted(runner.task(request.task, `unknown task name "${request.task}"`, 400));
      return readLogs(root, request, () => isDead(table.runnerOrNull(allocId), request.task), signal);
    },
    collectGarbage: (allocId) => table.collect(allocId),
    runningTasks: () => table.runningTasks(),
  };
}

function requireStarted(task: TaskRunner): void {
  if (task.run.state.StartedAt !== null) return;
  throw new Fault('not_found', `task "${task.name}" not started yet. No logs available`);
}

function isDead(runner: AllocationRunner | null, task: string): boolean {
  return runner === null || runner.task(task, '').run.phase === 'dead';
}

/** A fault thrown at once becomes a rejection. */
async function attempt<T>(work: () => Promise<T>): Promise<T> {
  return work();
}

async function usageOf(table: AllocationTable, allocId: string, task: string, signal: AbortSignal) {
  const runner = table.runnerOrNull(allocId);
  const tasks: Record<string, TaskResourceUsage> = {};
  const wanted = (runner?.tasks ?? []).filter((candidate) => task === '' || candidate.name === task);
  await Promise.all(
    wanted.map(async ({ name, run }) => {
      if (runner === null || run.phase !== 'running') return;
      const { engine, taskId } = runner.running(name, '', '');
      const sample = await engine.stats?.(taskId, signal).catch(() => undefined);
      if (sample !== undefined) tasks[name] = taskUsage(sample);
    }),
  );
  return allocationUsage(tasks);
}
