/** Every allocation this node knows: taken up from the store, begun and ended as the servers say, collected, forgotten. */

import { setMaxListeners } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DriverEvent, IsolationReport } from '../driver/contract.ts';
import { Fault, messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { Turns } from '../lib/turns.ts';
import type { Allocation } from '../model/allocation.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { Change } from '../state/store.ts';
import { releaseAllocationMounts, removeAllocationDirectory } from './alloc-dir.ts';
import { AllocationRunner } from './alloc-runner.ts';
import type { AllocationDisks } from './allocation-disks.ts';
import type { AllocationNetworks } from './allocation-networks.ts';
import type { AllocationChanges } from './allocation-sync.ts';
import type { ClientDrivers } from './client-driver.ts';
import { type ClientStore, type ClientTables, jobKey, type StoredAllocation, taskKey } from './client-tables.ts';
import type { ClientConfig } from './config.ts';
import { storageFacts } from './fingerprint/storage.ts';
import { chooseGarbage } from './garbage.ts';
import { lookAtAll, watchIsolation } from './isolation-watch.ts';
import type { KnownAllocation } from './metrics.ts';
import { driverMessage } from './task-events.ts';
import type { TaskRunner } from './task-runner.ts';
import type { UpdateSender } from './update-sender.ts';

export interface AllocationTableOptions {
  readonly config: ClientConfig;
  readonly store: ClientStore;
  readonly drivers: ClientDrivers;
  readonly sender: UpdateSender;
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  readonly deniedEnv: ReadonlySet<string>;
  readonly networks: AllocationNetworks | null;
  readonly disks: AllocationDisks | null;
  readonly passIds: (from: string, to: string) => void;
  node(): Node;
  now(): number;
  random(): number;
  newGeneration(): string;
  readonly log: Log;
}

/** For so long a rule that somebody removed may be missing. */
const mendEveryMs = 15_000;

const terminal = new Set(['complete', 'failed', 'lost']);

/** Directories go two at a time: hundreds at once would keep the few threads by which starts get at their files, and nobody waits for them. */
const removing = new Turns(2);

export class AllocationTable {
  readonly #options: AllocationTableOptions;
  readonly #store: ClientStore;
  readonly #runners = new Map<string, AllocationRunner>();
  readonly #life = new AbortController();
  readonly #forgetting = new Set<string>();
  readonly #releasing = new Map<string, Promise<void>>();
  #lastBeatMs = performance.now();
  #reached: () => void = () => undefined;
  /** Resolves when the servers first said what this node should run. */
  readonly #serversReached: Promise<void>;

  constructor(options: AllocationTableOptions) {
    // where the disk is full each allocation that ended waits on it
    setMaxListeners(0, this.#life.signal);
    this.#options = options;
    this.#store = options.store;
    this.#serversReached = new Promise((resolve) => {
      this.#reached = resolve;
    });
  }

  /** Takes up what an earlier life of the agent ran. */
  async restore(): Promise<void> {
    await this.#sweepNetworks();
    const snapshot = this.#store.snapshot();
    for (const row of snapshot.scan('allocations')) {
      if (row.EndedAtMs > 0 && row.Collected) continue;
      const job = snapshot.get('jobs', row.JobKey);
      if (job === undefined) {
        this.#options.log.error('the job of a stored allocation is gone; it waits for the servers', { alloc: row.ID });
        continue;
      }
      try {
        const runner = this.#make(row, job);
        if (row.EndedAtMs === 0) this.#begin(runner);
        // the servers may have missed its end
        else {
          this.#options.sender.send(runner.report());
          this.#releaseMounts(row.ID);
        }
      } catch (error) {
        this.#options.log.error('a stored allocation could not be taken up', {
          alloc: row.ID,
          error: messageOf(error),
        });
      }
    }
  }

  known(): ReadonlyMap<string, number> {
    const rows = this.#store.snapshot().scan('allocations');
    return new Map([...rows].map((row) => [row.ID, row.Allocation.AllocModifyIndex]));
  }

  async apply(changes: AllocationChanges): Promise<void> {
    const taken = changes.rows.map((alloc) => this.#take(alloc));
    // whatever becomes of the rows: where the disk has no room for them it is had by these
    for (const id of changes.gone) void this.#forget(id);
    await Promise.all(taken);
    this.#reached();
  }

  async #take(alloc: Allocation): Promise<void> {
    const known = this.#store.snapshot().get('allocations', alloc.ID);
    if (known !== undefined && known.Allocation.AllocModifyIndex > alloc.AllocModifyIndex) return;
    const { Job: job, ...rest } = alloc;
    if (job === null) {
      this.#options.log.error('an allocation came without its job', { alloc: alloc.ID });
      return;
    }
    const over = known === undefined && terminal.has(alloc.ClientStatus);
    const row: StoredAllocation = {
      ID: alloc.ID,
      Allocation: { ...rest, Job: null },
      JobKey: jobKey(job),
      DeploymentStatus: known?.Allocation.DeploymentID === alloc.DeploymentID ? known.DeploymentStatus : null,
      EndedAtMs: known?.EndedAtMs ?? (over ? this.#options.now() : 0),
      Collected: known?.Collected ?? over,
    };
    // written before the rows of its tasks, so it is on the disk when they are: nothing has to wait for it
    const writing = this.#store.write((head) => {
      const changes: Change<ClientTables>[] = [{ table: 'allocations', id: row.ID, row }];
      if (head.get('jobs', row.JobKey) === undefined) changes.push({ table: 'jobs', id: row.JobKey, row: job });
      return { changes, result: null };
    });
    const runner = this.#runners.get(alloc.ID);
    // another deployment has heard nothing yet, also where the words would be the same
    if (known?.Allocation.DeploymentID !== alloc.DeploymentID) this.#options.sender.forget(alloc.ID);
    if (runner !== undefined) runner.update(row.Allocation, job);
    else if (!over && row.EndedAtMs === 0) this.#begin(this.#make(row, job));
    await writing;
  }

  #make(row: StoredAllocation, job: Job): AllocationRunner {
    const options = this.#options;
    const alloc = row.Allocation;
    const runs = [...this.#store.snapshot().by('tasks', 'allocation', row.ID)].map(
      (task) => [task.Task, task.Run] as const,
    );
    const runner = new AllocationRunner(
      alloc,
      job,
      {
        ...options,
        previousEnded: async () => this.#runners.get(alloc.PreviousAllocation)?.ended,
        serversReached: this.#serversReached,
        saveTask: async (task, run) => {
          const row = { AllocID: alloc.ID, Task: task, Run: run };
          await this.#store.write(() => ({
            changes: [{ table: 'tasks', id: taskKey(alloc.ID, task), row }],
            result: null,
          }));
        },
        saveHealth: (DeploymentStatus) => this.#amend(alloc.ID, { DeploymentStatus }),
        changed: (changed) => this.#changed(changed),
      },
      { ended: row.EndedAtMs > 0, runs: new Map(runs), deploymentStatus: row.DeploymentStatus },
    );
    this.#runners.set(alloc.ID, runner);
    if (row.EndedAtMs === 0) void this.#storeEnd(runner);
    return runner;
  }

  #begin(runner: AllocationRunner): void {
    runner.start().catch((error: unknown) => {
      this.#options.log.error('an allocation could not begin', { alloc: runner.id, error: messageOf(error) });
    });
  }

  #changed(runner: AllocationRunner): void {
    if (this.#runners.get(runner.id) !== runner) return;
    this.#options.sender.send(runner.report());
    const isStored = (this.#store.snapshot().get('allocations', runner.id)?.EndedAtMs ?? 1) > 0;
    if (runner.allDead && !isStored) this.#releaseMounts(runner.id);
  }

  /** When nothing is left of it: the next life of the agent ends again what this one did not see through. */
  async #storeEnd(runner: AllocationRunner): Promise<void> {
    await runner.ended;
    const { signal } = this.#life;
    for (let pauseMs = 250; !signal.aborted; pauseMs = Math.min(60_000, pauseMs * 2)) {
      try {
        return await this.#amend(runner.id, { EndedAtMs: this.#options.now() });
      } catch (error) {
        // what is not known to have ended is never collected, and the disk may be full of it
        this.#options.log.error('the end of an allocation could not be stored', {
          alloc: runner.id,
          error: messageOf(error),
        });
      }
      await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** Nothing runs any more that could read its secrets; the rest of its directory stays until it is collected. */
  #releaseMounts(id: string): void {
    if (this.#releasing.has(id)) return;
    const releasing = releaseAllocationMounts(this.#options.config.allocDir, id)
      .catch((error: unknown) => {
        this.#options.log.warn('the mounts of an ended allocation are left', { alloc: id, error: messageOf(error) });
      })
      .finally(() => this.#releasing.delete(id));
    this.#releasing.set(id, releasing);
  }

  async #amend(id: string, fields: Partial<StoredAllocation>): Promise<void> {
    await this.#store.write((head) => {
      const row = head.get('allocations', id);
      return {
        changes: row === undefined ? [] : [{ table: 'allocations', id, row: { ...row, ...fields } }],
        result: null,
      };
    });
  }

  /** Unknown to the servers: its tasks end, its directory goes, it is forgotten. */
  async #forget(id: string): Promise<void> {
    if (this.#forgetting.has(id)) return;
    this.#forgetting.add(id);
    const runner = this.#runners.get(id);
    try {
      if (runner !== undefined && !runner.allDead) {
        runner.stop();
        await runner.ended;
      }
      if (this.#life.signal.aborted) return;
      await this.#removeDirectory(id);
      runner?.detach();
      this.#runners.delete(id);
      this.#options.sender.forget(id);
      await this.#store.write((head) => {
        const row = head.get('allocations', id);
        const changes: Change<ClientTables>[] = [{ table: 'allocations', id, row: null }];
        for (const task of head.by('tasks', 'allocation', id))
          changes.push({ table: 'tasks', id: taskKey(id, task.Task), row: null });
        const sharers = row === undefined ? [] : [...head.by('allocations', 'job', row.JobKey)];
        if (row !== undefined && sharers.length <= 1) changes.push({ table: 'jobs', id: row.JobKey, row: null });
        return { changes, result: null };
      });
    } catch (error) {
      this.#options.log.error('an allocation could not be forgotten', { alloc: id, error: messageOf(error) });
    } finally {
      this.#forgetting.delete(id);
    }
  }

  async #removeDirectory(id: string): Promise<void> {
    await this.#options.networks?.release(id);
    const { config, disks } = this.#options;
    await removing.run(() => removeAllocationDirectory(config.allocDir, id));
    await disks?.release(join(config.allocDir, id));
  }

  /** Frees what one ended allocation left; null: every ended one. */
  async collect(id: string | null): Promise<void> {
    const rows = [...this.#store.snapshot().scan('allocations')].filter((row) => id === null || row.ID === id);
    if (id !== null && rows.length === 0) throw unknownAllocation(id);
    for (const row of rows) {
      const runner = this.#runners.get(row.ID);
      if (runner !== undefined && !runner.allDead) {
        if (id === null) continue;
        throw new Fault('conflict', `allocation "${row.ID}" is still running`, { status: 500 });
      }
      if (row.Collected) continue;
      await this.#removeDirectory(row.ID);
      await this.#amend(row.ID, { Collected: true });
      runner?.detach();
      this.#runners.delete(row.ID);
    }
  }

  /** What goes on for as long as the client lives. */
  loops(signal: AbortSignal): readonly Promise<void>[] {
    const { config, log } = this.#options;
    const watch = { intervalMs: config.isolationRecheckMs, tasks: () => this.#tasks(), log };
    return [
      this.#collectLoop(signal),
      this.#unreachedLoop(signal),
      this.#mendNetworks(signal),
      watchIsolation(watch, signal),
    ];
  }

  /** Each running task is looked at, and told of what its lines were made with and is gone. */
  async hostChanged(lost: readonly { readonly name: string; readonly evidence: string }[]): Promise<void> {
    await lookAtAll({ tasks: () => this.#tasks(), log: this.#options.log });
    for (const task of this.#tasks()) for (const each of lost) task.mechanismLost(each.name, each.evidence);
  }

  #tasks(): readonly TaskRunner[] {
    return [...this.#runners.values()].flatMap((runner) => runner.tasks);
  }

  async #collectLoop(signal: AbortSignal): Promise<void> {
    const { config } = this.#options;
    while (!signal.aborted) {
      await sleep(config.gcIntervalMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        const kept = [...this.#store.snapshot().scan('allocations')].filter((row) => !row.Collected);
        const ended = kept.filter((row) => row.EndedAtMs > 0).map((row) => ({ id: row.ID, endedAtMs: row.EndedAtMs }));
        const disk = await storageFacts(config.allocDir);
        const usedPercent = disk.bytesTotal === 0 ? 0 : (1 - disk.bytesFree / disk.bytesTotal) * 100;
        const limits = { maxAllocs: config.gcMaxAllocs, diskUsageThreshold: config.gcDiskUsageThreshold };
        for (const id of chooseGarbage(ended, kept.length, usedPercent, limits)) await this.collect(id);
      } catch (error) {
        this.#options.log.warn('ended allocations could not be collected', { error: messageOf(error) });
      }
    }
  }

  /** A heartbeat was answered. */
  serversBeat(): void {
    this.#lastBeatMs = performance.now();
  }

  /** Ends what must not run on while the servers cannot be reached (`stop_on_client_after`), by a clock that nobody sets. */
  async #unreachedLoop(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(500, undefined, { signal, ref: false }).catch(() => undefined);
      const silentMs = performance.now() - this.#lastBeatMs;
      for (const runner of this.#runners.values()) {
        const limitMs = runner.stopsUnreachedAfterMs;
        if (limitMs === null || silentMs < limitMs || signal.aborted || runner.stopWanted) continue;
        this.#options.log.warn('the servers were not reached for too long; an allocation ends', { alloc: runner.id });
        runner.stop();
      }
    }
  }

  /** Networks of allocations that ended while no agent was there to see it. */
  async #sweepNetworks(): Promise<void> {
    const live = [...this.#store.snapshot().scan('allocations')].filter((row) => row.EndedAtMs === 0);
    try {
      for (const alloc of (await this.#options.networks?.sweep(new Set(live.map(({ ID }) => ID)))) ?? [])
        this.#options.log.warn('a network nobody uses was removed', { alloc });
    } catch (error) {
      this.#options.log.error('networks that nobody uses could not be removed', { error: messageOf(error) });
    }
  }

  /** What others took away of the host's rules and interfaces is put back. */
  async #mendNetworks(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(mendEveryMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (signal.aborted) return;
      try {
        for (const what of (await this.#options.networks?.mend()) ?? [])
          this.#options.log.warn('a network was mended', { what });
      } catch (error) {
        this.#options.log.error('networks could not be mended', { error: messageOf(error) });
      }
    }
  }

  /** What drivers say about tasks becomes events of the tasks. */
  async listenToDriver(name: string, signal: AbortSignal): Promise<void> {
    const engine = this.#options.drivers.get(name)?.engine;
    while (engine?.events !== undefined && this.#options.drivers.get(name)?.engine === engine && !signal.aborted) {
      try {
        for await (const event of engine.events(signal)) this.#driverSays(name, event);
      } catch (error) {
        if (!signal.aborted)
          this.#options.log.warn("a driver's messages were interrupted", { driver: name, error: messageOf(error) });
      }
      await sleep(5_000, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  /** A driver speaks of its own tasks only. */
  #driverSays(driver: string, { taskId, message, annotations }: DriverEvent): void {
    const [allocId = '', task = ''] = taskId.split('/');
    const alloc = this.#runners.get(allocId);
    const runner = alloc?.tasks.find((candidate) => candidate.name === task);
    if (runner?.taskId === taskId && alloc?.driverOf(task) === driver)
      runner.send({ type: 'note', event: driverMessage(message, annotations) });
  }

  /** Known, though perhaps ended and collected. */
  has(id: string): boolean {
    return this.#store.snapshot().get('allocations', id) !== undefined;
  }

  /** The live side of an allocation. Unknown, or collected: `Fault('not_found')`. */
  runner(id: string): AllocationRunner {
    const runner = this.#runners.get(id);
    if (runner === undefined) throw unknownAllocation(id);
    return runner;
  }

  /** Null: ended and collected. Unknown: `Fault('not_found')`. */
  runnerOrNull(id: string): AllocationRunner | null {
    if (!this.has(id)) throw unknownAllocation(id);
    return this.#runners.get(id) ?? null;
  }

  /** Of each task's newest generation that ran, also after its end. Unknown: `Fault('not_found')`. */
  isolation(id: string): Readonly<Record<string, IsolationReport | null>> {
    if (!this.has(id)) throw unknownAllocation(id);
    const rows = [...this.#store.snapshot().by('tasks', 'allocation', id)];
    return Object.fromEntries(rows.map(({ Task, Run }) => [Task, Run.isolation ?? null]));
  }

  allocations(): readonly KnownAllocation[] {
    return [...this.#runners.values()].map((runner) => ({
      ...runner.report(),
      AllocatedResources: runner.alloc.AllocatedResources,
      isolation: runner.tasks.flatMap(({ run }) => (run.phase === 'running' && run.isolation ? [run.isolation] : [])),
    }));
  }

  /** Of one driver, where it is given. */
  runningTasks(driver?: string): number {
    return [...this.#runners.values()].reduce((sum, runner) => {
      const running = runner.tasks.filter(({ run }) => run.phase === 'running');
      return sum + running.filter(({ name }) => driver === undefined || runner.driverOf(name) === driver).length;
    }, 0);
  }

  /** Every task ends; resolves when they have, or after the limit. */
  async endAll(limitMs: number): Promise<void> {
    const live = [...this.#runners.values()].filter((runner) => !runner.allDead);
    for (const runner of live) runner.stop();
    const done = new AbortController();
    const limit = sleep(limitMs, undefined, { signal: done.signal }).catch(() => undefined);
    await Promise.race([Promise.all(live.map((runner) => runner.ended)), limit]);
    await Promise.race([
      this.#options.sender.idle(),
      sleep(1_000, undefined, { signal: done.signal }).catch(() => undefined),
    ]);
    done.abort();
  }

  /** Tasks run on unattended; resolves when what is known about them is stored. */
  async detach(): Promise<void> {
    this.#life.abort();
    const runners = [...this.#runners.values()];
    for (const runner of runners) runner.detach();
    await Promise.all([
      ...runners.flatMap((runner) => runner.tasks).map((task) => task.saved()),
      // a mount that stays would keep the directory of allocations one too
      ...this.#releasing.values(),
    ]);
  }
}

/** Nomad's text. */
function unknownAllocation(id: string): Fault {
  return new Fault('not_found', `Unknown allocation "${id}"`);
}
