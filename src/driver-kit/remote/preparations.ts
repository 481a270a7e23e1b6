/**
 * What the host makes for tasks of a plugin before it hands them over: where they write to, control groups, users.
 *
 * Whose it is: that of the starts of its task that are under way, then of the task that the plugin took, until that is destroyed. A start
 * that its host gave up (the agent ends) may still come through in the plugin: what was made for it belongs to whoever destroys the task,
 * or sweeps what nobody knows.
 */
import { join } from 'node:path';
import type { DriverInfo, TaskConfig } from '../../driver/contract.ts';
import { giveDirectory, TaskUids } from '../../isolation/uids.ts';
import { messageOf } from '../../lib/fault.ts';
import type { HostDeps } from '../driver-plugin.ts';
import { Turns } from '../turns.ts';
import { collectOutput, endCollection } from './output-collector.ts';
import { makePluginGroups, removePluginGroups } from './plugin-cgroups.ts';

/** Nomad's range for users that exist only as a task. */
const dynamicUids = { first: 80_000, last: 89_999 };

export class Preparations {
  readonly #deps: HostDeps;
  readonly #info: () => DriverInfo;
  /** What is being made cannot be asked yet, what ends not be used. */
  readonly #turns = new Turns();
  /** Task id → what is made for a start that comes. */
  readonly #expected = new Map<string, Promise<TaskConfig>>();
  /** Task id → starts of it that are under way. */
  readonly #starts = new Map<string, number>();

  constructor(deps: HostDeps, info: () => DriverInfo) {
    this.#deps = deps;
    this.#info = info;
  }

  /** Ahead of its start, which takes what is made here; or its end does. */
  expect(task: TaskConfig): void {
    const made = this.#made(task);
    // that start is told
    made.catch(() => {});
    this.#expected.set(task.id, made);
  }

  /** That start does not begin. */
  async unexpect(taskId: string): Promise<void> {
    if (this.#expected.has(taskId)) await this.end(taskId);
  }

  /** For a start, which then has `began` or `failed`. Resolves with the task as its plugin gets it. */
  begin(task: TaskConfig): Promise<TaskConfig> {
    this.#starts.set(task.id, (this.#starts.get(task.id) ?? 0) + 1);
    const made = this.#expected.get(task.id) ?? this.#made(task);
    this.#expected.delete(task.id);
    return made.then((given) => this.#withUser(given));
  }

  /** Idempotent: what is there is kept. */
  async again(task: TaskConfig): Promise<TaskConfig> {
    return this.#withUser(await this.#made(task));
  }

  #made(task: TaskConfig): Promise<TaskConfig> {
    return this.#turns.take(task.id, () => this.#make(task));
  }

  /** The plugin has the task, or may have. */
  began(taskId: string): void {
    const left = (this.#starts.get(taskId) ?? 1) - 1;
    if (left > 0) this.#starts.set(taskId, left);
    else this.#starts.delete(taskId);
  }

  /** The plugin does not have it, unless by another start: `taken`. Nobody frees a task that did not start. */
  async failed(taskId: string, taken: () => boolean): Promise<void> {
    this.began(taskId);
    await this.#turns.take(taskId, async () => {
      if (!this.#starts.has(taskId) && !taken()) await this.#free(taskId);
    });
  }

  /** Nobody writes any more. */
  end(taskId: string): Promise<void> {
    this.#expected.delete(taskId);
    return this.#turns.take(taskId, () => this.#free(taskId));
  }

  async #make(task: TaskConfig): Promise<TaskConfig> {
    const info = this.#info();
    // the collector's process starts while the kernel makes groups
    const collecting = collectOutput(this.#deps, task, info);
    const groups = info.ownCgroups === true ? '' : this.#groups(task);
    const [collected, cpusetCgroup] = await Promise.all([collecting, groups]);
    return { ...collected, resources: { ...task.resources, cpusetCgroup } };
  }

  async #groups(task: TaskConfig): Promise<string> {
    try {
      return await makePluginGroups(task);
    } catch (error) {
      const reason = messageOf(error);
      this.#deps.log.warn('control groups for tasks of plugins cannot be made', { task: task.id, reason });
      return '';
    }
  }

  /** Of directories that are there by now. */
  async #withUser(task: TaskConfig): Promise<TaskConfig> {
    // only root can run a task as somebody else
    if (this.#info().dynamicUsers !== true || task.user !== '' || process.getuid?.() !== 0) return task;
    const uids = new TaskUids(join(this.#deps.stateDirectory, '../plugin-users'), dynamicUids);
    const uid = await uids.claim(`${task.allocId}/${task.name}`, task.directories.task);
    for (const path of [task.directories.secrets, task.directories.private]) giveDirectory(path, uid);
    return { ...task, user: `nomad-${uid}` };
  }

  async #free(taskId: string): Promise<void> {
    await removePluginGroups(taskId);
    await endCollection(this.#deps, taskId);
  }
}
