import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decodeConfig } from '../driver/config-decode.ts';
import { nomadDefaultCapabilities } from '../isolation/capabilities.ts';
import { IsolatedCommand } from './isolated-command.ts';
import { type IsolatedTaskOptions, isolatedPluginOptions, isolatedTaskOptions } from './isolated-options.ts';
import { openScratchHost, type ScratchHost } from './scratch-host.ts';

let host: ScratchHost;
beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
});
afterAll(() => host.close());

function command(options: Record<string, unknown> = {}): IsolatedCommand {
  const decoded = decodeConfig(isolatedPluginOptions, options);
  if (!decoded.ok) throw new Error(decoded.problems.join());
  return new IsolatedCommand('x', decoded.value, host.deps);
}

async function around(plugin: Record<string, unknown>, task: Record<string, unknown>, user = '') {
  const decoded = decodeConfig(isolatedTaskOptions, task);
  if (!decoded.ok) throw new Error(decoded.problems.join());
  const options: IsolatedTaskOptions = decoded.value;
  return command(plugin).around(await host.scratch.task(options, { user }), options);
}

describe('what an operator and a job say of isolation', () => {
  test('nothing: private processes and memory, no capability, a limit of processes', async () => {
    const { isolation, pidsLimit } = await around({}, {});
    expect(isolation).toEqual({
      prefer: 'container',
      pidMode: 'private',
      ipcMode: 'private',
      capabilities: [],
      runtimes: [],
    });
    expect(pidsLimit).toBe(4096);
  });

  test("a job's modes win over the operator's, and a mode that is none is refused", async () => {
    const host = { default_pid_mode: 'host', default_ipc_mode: 'host' };
    expect((await around(host, { ipc_mode: 'private' })).isolation).toMatchObject({
      pidMode: 'host',
      ipcMode: 'private',
    });
    await expect(around({}, { pid_mode: 'shared' })).rejects.toThrow(
      'pid_mode must be "private" or "host", not "shared"',
    );
    expect(() => command({ default_ipc_mode: 'mine' })).toThrow('default_ipc_mode must be');
  });

  test('capabilities are added within what is allowed, dropped again, or those of Nomad', async () => {
    const caps = async (plugin: Record<string, unknown>, task: Record<string, unknown>) =>
      (await around(plugin, task)).isolation.capabilities;
    expect(await caps({}, { cap_add: ['cap_chown', 'KILL'] })).toEqual(['CHOWN', 'KILL']);
    await expect(caps({ allow_caps: ['kill'] }, { cap_add: ['chown'] })).rejects.toThrow('capabilities: chown');
    expect(await caps({ capabilities: 'nomad' }, { cap_drop: ['mknod'] })).toEqual(
      nomadDefaultCapabilities.filter((name) => name !== 'MKNOD').sort(),
    );
    expect(await caps({ capabilities: 'nomad' }, { cap_drop: ['all'] })).toEqual([]);
  });

  test('users and groups that the operator denies are refused', async () => {
    await expect(around({ denied_host_uids: '0-10' }, {}, 'root')).rejects.toThrow('uid 0 is disallowed');
    await expect(around({ denied_host_gids: '65534' }, {}, 'nobody')).rejects.toThrow('gid 65534 is disallowed');
    expect((await around({ denied_host_uids: '0' }, {}, 'nobody')).env).toMatchObject({ USER: 'nobody' });
  });

  test("the rung, the runtimes and the limit of processes are the operator's to choose", async () => {
    const { isolation, pidsLimit } = await around(
      { isolation: [{ prefer: 'process', runtimes: ['runc'] }], pids_limit: 9 },
      {},
    );
    expect(isolation).toMatchObject({ prefer: 'process', runtimes: ['runc'] });
    expect(pidsLimit).toBe(9);
    expect(() => command({ isolation: [{ prefer: 'best' }] })).toThrow('isolation.prefer is one of none, process');
  });

  test('a rung below which no task runs is not above the one that is tried', async () => {
    expect((await around({ isolation: [{ min: 'sandbox' }] }, {})).isolationMin).toBe('sandbox');
    expect(() => command({ isolation: [{ prefer: 'process', min: 'sandbox' }] })).toThrow(
      'isolation.min "sandbox" is above isolation.prefer "process"',
    );
    // a host without any isolation
    expect(await command({ isolation: [{ min: 'process' }] }).healthy()).toMatchObject({
      health: 'unhealthy',
      description: 'tasks get rung "none" here, below isolation { min = "process" }',
    });
    expect(await command().healthy()).toMatchObject({ health: 'healthy' });
  });

  test('limits of processor time and disks are set where the job asks for them', async () => {
    expect(await around({}, { cpu_hard_limit: true, io_weight: 50 })).toMatchObject({
      cpuHardLimit: true,
      ioWeight: 50,
    });
    expect(await around({}, {})).not.toMatchObject({ cpuHardLimit: expect.anything() });
    await expect(around({}, { io_weight: 20_000 })).rejects.toThrow('io_weight is 1 to 10000, not 20000');
  });

  test('tasks may leave images of their memory only where the operator says so', async () => {
    expect((await around({}, {})).isolation).not.toHaveProperty('coreDumps');
    expect((await around({ core_dumps: true }, {})).isolation).toMatchObject({ coreDumps: true });
  });

  test('a working directory is absolute', async () => {
    expect((await around({}, { work_dir: '/srv' })).workDir).toBe('/srv');
    await expect(around({}, { work_dir: 'srv' })).rejects.toThrow('work_dir must be an absolute path');
  });
});
