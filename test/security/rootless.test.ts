/** What holds tasks of an agent without root, where only what it does itself can. */
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { nodeReady } from '../e2e/jobs.ts';
import { canGiveGroups, giveGroups } from '../given-groups.ts';
import { canMapIds, subordinates, withSubordinateIds } from '../subordinate-ids.ts';
import { ordinaryUser as attacker, buildAttacks } from './attack-program.ts';
import { attackFrom, judge, record } from './attack-task.ts';

const root = process.getuid?.() === 0;
const ordinaryUser = 61_236;

interface TaskOf {
  readonly script: string;
  readonly driver?: string;
  /** Where the volume is. */
  readonly volume?: string;
}

const volumes = { v: { Name: 'v', Type: 'host', Source: 'v' } };

function jobOf(id: string, tasks: Record<string, TaskOf>) {
  return {
    ID: id,
    Name: id,
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'g',
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        EphemeralDisk: { SizeMB: 10 },
        ...(Object.values(tasks).some(({ volume }) => volume !== undefined) ? { Volumes: volumes } : {}),
        Tasks: Object.entries(tasks).map(([name, { script, driver = 'exec', volume }]) => ({
          Name: name,
          Driver: driver,
          Config: { command: '/bin/sh', args: ['-c', script] },
          KillTimeout: 200e6,
          Resources: { CPU: 20, MemoryMB: 32 },
          LogConfig: { MaxFiles: 1, MaxFileSizeMB: 1 },
          ...(volume === undefined ? {} : { VolumeMounts: [{ Volume: 'v', Destination: volume }] }),
        })),
      },
    ],
  } as unknown as Parameters<AgentProcess['client']['jobs']['register']>[0];
}

function on(agentOf: () => AgentProcess) {
  let count = 0;
  async function start(tasks: Record<string, TaskOf>, statuses = ['running']): Promise<string> {
    const id = `job-${count++}`;
    await agentOf().client.jobs.register(jobOf(id, tasks));
    return eventually(async () => {
      const { value } = await agentOf().client.jobs.allocations(id);
      if (!statuses.includes(value[0]?.ClientStatus ?? '')) throw new Error(JSON.stringify(value[0]?.TaskStates));
      return value[0]!.ID;
    });
  }
  async function output(alloc: string, task: string): Promise<string> {
    let text = '';
    for await (const frame of agentOf().client.files.logs(alloc, { task, type: 'stdout' }))
      text += Buffer.from(frame.data).toString();
    return text;
  }
  const said = async (driver: string, script: string): Promise<string> =>
    output(await start({ t: { driver, script } }, ['complete', 'failed']), 't');
  return { start, output, said };
}

describe.skipIf(!root)('under an agent of an ordinary user, a task of exec', () => {
  let agent: AgentProcess;
  const { said } = on(() => agent);
  beforeAll(async () => {
    agent = await startAgent({ user: ordinaryUser });
    await nodeReady(agent);
  });
  afterAll(() => agent?.dispose());

  it('cannot fill the memory of the host by way of files (control: at rung none it can)', async () => {
    const fill = (directory: string): string =>
      `head -c 90000000 /dev/zero >${directory}/drover-filled 2>/dev/null && echo ${directory} filled; rm -f ${directory}/drover-filled;`;
    const directories = ['/dev/shm', '/run', '/private', '/dev'];
    expect(await said('exec', `${directories.map(fill).join(' ')} echo done`)).toBe('done\n');
    expect(await said('exec', 'head -c 20000000 /dev/zero >/dev/shm/some && wc -c </dev/shm/some')).toBe('20000000\n');
    expect(await said('raw_exec', fill('/dev/shm'))).toBe('/dev/shm filled\n');
  });
});

describe.skipIf(!root || !canMapIds)(
  'under an agent of an ordinary user who has subordinate ids, a task of exec',
  () => {
    let agent: AgentProcess;
    const { start, output } = on(() => agent);
    const wait =
      'umask 077; mkdir /local/closed; echo mine >/local/closed/file; echo mine >/secrets/file; echo begun; sleep 1000';
    const directoryOf = (alloc: string): string => join(agent.directory, 'data/alloc', alloc);
    const uidOf = (alloc: string, task: string): number => statSync(join(directoryOf(alloc), task, 'local/closed')).uid;

    beforeAll(async () => {
      agent = await startAgent({
        user: ordinaryUser,
        wrap: withSubordinateIds(ordinaryUser),
        config: { client: { host_volume: { v: { path: '/var/tmp' } } } },
      });
      // as home directories are: its tasks' ids get to theirs all the same
      chmodSync(join(agent.directory, 'data'), 0o700);
      await nodeReady(agent);
    });
    afterAll(() => agent?.dispose());

    async function pair() {
      const alloc = await start({ one: { script: wait }, other: { script: wait } });
      for (const task of ['one', 'other'])
        await eventually(async () => expect(await output(alloc, task)).toBe('begun\n'));
      return { alloc, one: uidOf(alloc, 'one'), other: uidOf(alloc, 'other') };
    }
    const as = (uid: number, ...command: readonly string[]) =>
      spawnSync('setpriv', [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', ...command], { encoding: 'utf8' });

    it('has an id of its own, on the host too: the report says so, and other tasks are strangers', async () => {
      const { alloc, one, other } = await pair();
      const { value } = await agent.client.allocations.isolation(alloc);
      for (const [task, uid] of [
        ['one', one],
        ['other', other],
      ] as const) {
        expect(uid).toBeGreaterThan(subordinates.first);
        expect(uid).toBeLessThan(subordinates.first + subordinates.count);
        const line = (name: string) => value[task]?.mechanisms.find((each) => each.name === name);
        expect(line('unique_uid')).toMatchObject({
          state: 'verified',
          evidence: expect.stringContaining(`uid ${uid}`),
        });
        expect(line('user_namespace')).toMatchObject({ state: 'verified' });
      }
      expect(one).not.toBe(other);
      const secret = join(directoryOf(alloc), 'other/secrets');
      const pid = readdirSync('/proc').find((name) => /^\d+$/.test(name) && ownerOf(name) === other)!;
      // control: by the id whose it is
      expect(as(one, 'kill', '-0', pid).status).toBe(1);
      expect(as(other, 'kill', '-0', pid).status).toBe(0);
      expect(statSync(secret)).toMatchObject({ uid: other, mode: 0o40700 });
      await agent.client.jobs.deregister((await agent.client.allocations.read(alloc)).value.JobID, { purge: true });
    });

    it('is the same in sessions that enter later and when it starts again; what it closes the API says is closed', async () => {
      const { alloc, one } = await pair();
      const exec = await runCli(agent, [
        'alloc',
        'exec',
        '-task',
        'one',
        alloc,
        '/bin/sh',
        '-c',
        'cat /local/closed/file; echo more >/local/closed/more; id -u; id -G',
      ]);
      expect(exec.stdout).toBe('mine\n65534\n65534\n');
      expect(statSync(join(directoryOf(alloc), 'one/local/closed/more')).uid).toBe(one);
      const cat = await runCli(agent, ['alloc', 'fs', alloc, 'one/local/closed/file']);
      expect(cat.stdout + cat.stderr).toContain('permission denied');
      await agent.crash();
      agent = await agent.restart();
      await nodeReady(agent);
      expect(uidOf(alloc, 'one')).toBe(one);
      await runCli(agent, ['alloc', 'restart', '-task', 'one', alloc]);
      await eventually(async () => expect(await output(alloc, 'one')).toBe('begun\nbegun\n'));
      expect(uidOf(alloc, 'one')).toBe(one);
      const id = (await agent.client.allocations.read(alloc)).value.JobID;
      await agent.client.jobs.deregister(id, { purge: true });
      await eventually(async () => {
        await agent.client.agent.collectGarbage();
        expect(existsSync(directoryOf(alloc))).toBe(false);
      });
    });

    it('keeps the user of the agent where a volume is its to write, and the report says so', async () => {
      const alloc = await start({ t: { script: 'sleep 1000', volume: '/vol' } });
      const { value } = await agent.client.allocations.isolation(alloc);
      const line = value['t']?.mechanisms.find((each) => each.name === 'unique_uid');
      expect(line).toMatchObject({ state: 'verified', evidence: expect.stringContaining("shared uid: the agent's") });
    });
  },
);

describe.skipIf(!root || !canMapIds || !canGiveGroups)(
  'under an agent of an ordinary user who has subordinate ids and control groups',
  () => {
    it('a task on a network of its own is at rung container, and gets nothing that it does not allow', async () => {
      const attacks = buildAttacks();
      const { before, remove } = giveGroups(attacker);
      try {
        const place = {
          who: 'an ordinary user',
          driver: 'exec',
          rung: 'container',
          subordinates: true,
          before,
        } as const;
        const { attempts, rung, uid } = await attackFrom(attacks, place);
        expect(uid).toMatch(/^uid 17000/);
        expect(rung).toBe('container');
        judge(place, attempts);
        record(attacks, place, rung, attempts);
      } finally {
        attacks.remove();
        await eventually(remove);
      }
    });
  },
);

function ownerOf(pid: string): number {
  try {
    return Number(/^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return -1;
  }
}
