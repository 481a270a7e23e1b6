import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { openScratchHost } from '../scratch-host.ts';
import { openScratch, type Scratch } from '../scratch-task.ts';
import { makePluginGroups, removePluginGroups } from './plugin-cgroups.ts';
import { Preparations } from './preparations.ts';

const isRoot = process.getuid?.() === 0;
const top = '/sys/fs/cgroup';
const unified = existsSync(`${top}/cgroup.controllers`);

/** What a task's own processes are in. */
const ownOf = (task: TaskConfig): string => {
  const scope = `${task.allocId}.${task.name}`;
  return unified ? `${top}/nomad.slice/share.slice/${scope}.scope` : `${top}/freezer/nomad/${scope}`;
};

describe.skipIf(!isRoot)(`control groups for tasks of plugins${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  let scratch: Scratch;

  beforeAll(async () => {
    scratch = await openScratch();
  });
  afterAll(() => scratch.remove());

  it('are there under the names that plugins know, can be entered, and end with what runs in them', async () => {
    const task = await scratch.task({});
    const told = await makePluginGroups(task);
    expect(await makePluginGroups(task)).toBe(told);
    const child = spawn('sleep', ['60'], { stdio: 'ignore' });
    const ended = new Promise((resolve) => child.once('exit', (_, signal) => resolve(signal)));
    for (const path of [ownOf(task), told]) writeFileSync(`${path}/cgroup.procs`, String(child.pid));
    expect(readFileSync(`${ownOf(task)}/cgroup.procs`, 'utf8').trim()).toBe(String(child.pid));
    await removePluginGroups(task.id);
    expect(await ended).toBe('SIGKILL');
    expect(existsSync(ownOf(task))).toBe(false);
  });

  it('belong to the last start of a task: the end of the one before leaves them', async () => {
    const first = await scratch.task({});
    const second = { ...first, id: first.id.replace(/[^/]+$/, 'ffffffff') };
    await makePluginGroups(first);
    await makePluginGroups(second);
    await removePluginGroups(first.id);
    expect(existsSync(ownOf(second))).toBe(true);
    await removePluginGroups(second.id);
    expect(existsSync(ownOf(second))).toBe(false);
  });

  it('are made for a plugin that does not make its own alone', async () => {
    const host = await openScratchHost({ isolation: false });
    try {
      const info = { name: 'x', version: '1.0.0', filesystem: 'none', networkModes: ['host'], mounts: false } as const;
      for (const ownCgroups of [true, false]) {
        const task = await host.scratch.task({});
        const preparations = new Preparations(host.deps, () => ({ ...info, ownCgroups }));
        const { cpusetCgroup } = (await preparations.again(task)).resources;
        expect([ownCgroups, cpusetCgroup === '', existsSync(ownOf(task))]).toEqual([
          ownCgroups,
          ownCgroups,
          !ownCgroups,
        ]);
        await preparations.end(task.id);
        expect(existsSync(ownOf(task))).toBe(false);
      }
    } finally {
      await host.close();
    }
  });

  it('are their own where the task has cores of its own', async () => {
    const task = await scratch.task({});
    const told = await makePluginGroups({ ...task, resources: { ...task.resources, cpusetCpus: '0' } });
    expect(told).toContain(unified ? '/reserve.slice/' : '/reserve/');
    expect(existsSync(told)).toBe(true);
    await removePluginGroups(task.id);
    expect(existsSync(told)).toBe(false);
  });
});
