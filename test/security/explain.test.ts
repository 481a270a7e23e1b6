/**
 * What `explain` says of a job is what the job gets: several jobs on agents of several hosts that lack something. And what a namespace
 * demands is refused, said or written down, as its mode wants.
 */
import { chmodSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { NodePlacement } from '../../src/model/job-explanation.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { canGiveGroups, giveGroups } from '../given-groups.ts';
import { canMapIds, withSubordinateIds } from '../subordinate-ids.ts';
import { ordinaryUser } from './attack-program.ts';

interface Wanted {
  readonly driver?: string;
  readonly network?: 'none' | 'bridge';
  readonly isolation?: Record<string, unknown>;
  readonly meta?: Record<string, string>;
  readonly config?: Record<string, unknown>;
  readonly namespace?: string;
  readonly destination?: string;
  readonly volume?: 'read_only' | 'writable' | 'absent';
  readonly user?: string;
  readonly cores?: number;
}

const jobs: Readonly<Record<string, Wanted>> = {
  plain: {},
  alone: { network: 'none' },
  bridged: { network: 'bridge' },
  floored: { isolation: { Min: 'sandbox' } },
  strict: { network: 'none', isolation: { Min: 'container' } },
  impossible: { isolation: { Min: 'container' } },
  reading: { network: 'none', volume: 'read_only' },
  writing: { network: 'none', volume: 'writable' },
  writingAs: { volume: 'writable', user: 'nobody' },
  readingAs: { network: 'none', volume: 'read_only', user: 'nobody' },
  readingAsStrict: { network: 'none', volume: 'read_only', user: 'nobody', isolation: { Min: 'sandbox' } },
  writingRelative: { volume: 'writable', destination: 'v' },
  rawOtherUnique: { driver: 'raw_exec', user: 'nobody', isolation: { Require: ['unique_uid'] } },
  queues: { config: { ipc_mode: 'host' } },
  shared: { config: { pid_mode: 'host' } },
  required: { isolation: { Require: ['seccomp', 'memory_limit'] } },
  rawRoot: { driver: 'raw_exec', user: 'root', isolation: { Min: 'process' } },
  rawRootGroup: { driver: 'raw_exec', user: 'nobody:root', isolation: { Min: 'process' } },
  asRoot: { user: 'root' },
  asNumberedRoot: { user: '0:0' },
  asDenied: { user: 'daemon' },
  weighed: { network: 'bridge', config: { io_weight: 200 } },
  weighedStrict: { network: 'bridge', config: { io_weight: 200 }, isolation: { Min: 'container' } },
  weighedWrong: { config: { io_weight: 20_000 } },
  ownCore: { network: 'bridge', cores: 1 },
  capable: { config: { cap_add: ['chown'] } },
  tooCapable: { config: { cap_add: ['sys_admin'] } },
  relative: { config: { work_dir: 'here' } },
  absentDirectory: { config: { work_dir: '/no-such' } },
  absentInSystem: { network: 'none', config: { work_dir: '/usr/no-such' } },
  belowFile: { config: { work_dir: '/etc/passwd/x' } },
  directoryOfHost: { config: { work_dir: '/home' } },
  directoryOfSystem: { network: 'none', config: { work_dir: '/usr/lib' } },
  rawAbsentDirectory: { driver: 'raw_exec', config: { work_dir: '/no-such' } },
  rawNoDirectory: { driver: 'raw_exec', config: { work_dir: '/etc/passwd' } },
  rawClosedDirectory: { driver: 'raw_exec', user: 'nobody', config: { work_dir: '/root' } },
  rawDirectory: { driver: 'raw_exec', config: { work_dir: '/usr/lib' } },
  inVolume: { volume: 'read_only', config: { work_dir: '/v' } },
  rawRelative: { driver: 'raw_exec', config: { work_dir: 'here' } },
  rawScored: { driver: 'raw_exec', config: { oom_score_adj: 2000 } },
  rawDenied: { driver: 'raw_exec', user: 'daemon' },
  templated: { user: '${meta.denied}' },
  templatedWell: { user: '${meta.allowed}' },
  templatedRoot: { user: '${meta.root}' },
  rawOther: { driver: 'raw_exec', user: 'nobody' },
  rawTemplated: { driver: 'raw_exec', user: '${meta.denied}' },
  unknownUser: { user: 'no-such-user' },
  rawUnknownUser: { driver: 'raw_exec', user: 'no-such-user' },
  inDeniedGroup: { user: 'nobody:bin' },
  inAnyGroup: { user: 'nobody:nogroup' },
  rawInDeniedGroup: { driver: 'raw_exec', user: 'nobody:bin' },
  absentProgram: { config: { command: '/usr/bin/no-such-program' } },
  absentName: { config: { command: 'no-such-program' } },
  foundByName: { config: { command: 'sleep' } },
  rawAbsentProgram: { driver: 'raw_exec', config: { command: '/usr/bin/no-such-program' } },
  rawAbsentName: { driver: 'raw_exec', config: { command: 'no-such-program' } },
  unknownOption: { config: { no_such_option: true } },
  unknownVolume: { volume: 'absent' },
  odd: { config: { pid_mode: 'odd' } },
  plainNomad: { meta: { drover_isolation_min: 'process' } },
  raw: { driver: 'raw_exec' },
  rawFloored: { driver: 'raw_exec', isolation: { Min: 'process' } },
  rawStrict: { driver: 'raw_exec', isolation: { Min: 'sandbox' } },
};

/** id, driver, options, memory */
const ownRefusals: readonly (readonly [string, string, Record<string, unknown>, number])[] = [
  ['javaNothing', 'java', { args: ['x'] }, 64],
  ['javaCapable', 'java', { class: 'A', cap_add: ['sys_admin'] }, 64],
  ['wasmAbsent', 'wasm', { module: 'absent.wasm' }, 64],
  ['wasmTimeout', 'wasm', { module: '/data/a.wasm', timeout: 'soon' }, 64],
  ['qemuSmall', 'qemu', { image_path: 'local/disk.img', accelerator: 'tcg' }, 32],
  ['qemuOutside', 'qemu', { image_path: '/etc/passwd', accelerator: 'tcg' }, 256],
  ['qemuNamed', 'qemu', { image_path: 'local/disk.img', accelerator: 'tcg', drive_interface: 'usb' }, 256],
  ['microvmSmall', 'microvm', { rootfs: '/etc', command: 'true' }, 32],
  ['microvmOutside', 'microvm', { rootfs: '/etc', command: 'true' }, 128],
];

/** What is done before the agent starts, in mounts of its own. */
const hide = (...programs: readonly string[]): string =>
  programs.map((name) => `mount --bind /dev/null "$(readlink -f "$(command -v ${name})")"`).join('; ');
const readOnlyGroups =
  'for d in /sys/fs/cgroup/*/; do mountpoint -q "$d" && mount -o remount,bind,ro "$d"; done; mount -o remount,bind,ro /sys/fs/cgroup || :';

interface Host {
  readonly name: string;
  readonly cripple: string;
  readonly user?: number;
  readonly ids?: boolean;
  readonly groups?: boolean;
}

const hosts: readonly Host[] = [
  { name: 'a whole host', cripple: ':' },
  { name: 'a host without bubblewrap', cripple: hide('bwrap') },
  { name: 'a host without OCI runtimes', cripple: hide('runc') },
  { name: 'a host without any runtime', cripple: hide('bwrap', 'runc', 'unshare') },
  {
    name: 'a host without controllers of disks and processors',
    cripple: 'for c in blkio cpuset; do ! mountpoint -q /sys/fs/cgroup/$c || umount -l /sys/fs/cgroup/$c; done',
  },
  { name: 'a host with read-only control groups', cripple: readOnlyGroups },
  { name: 'an ordinary user', cripple: ':', user: ordinaryUser },
  { name: 'an ordinary user with ids for its tasks', cripple: ':', user: ordinaryUser, ids: true },
  { name: 'an ordinary user with ids and control groups', cripple: ':', user: ordinaryUser, ids: true, groups: true },
  { name: 'an ordinary user without bubblewrap and unshare', cripple: hide('bwrap', 'unshare'), user: ordinaryUser },
];

function jobOf(
  id: string,
  { driver = 'exec', network, isolation, meta, config, namespace, volume, user, cores, destination = '/v' }: Wanted,
) {
  const ReadOnly = volume === 'read_only';
  return {
    ID: id,
    Name: id,
    Namespace: namespace ?? 'default',
    Type: 'service',
    Datacenters: ['*'],
    ...(isolation === undefined ? {} : { Isolation: isolation }),
    ...(meta === undefined ? {} : { Meta: meta }),
    TaskGroups: [
      {
        Name: 'g',
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        ...(network === undefined ? {} : { Networks: [{ Mode: network }] }),
        ...(volume === undefined
          ? {}
          : {
              Volumes: {
                v: { Name: 'v', Type: 'host', Source: volume === 'absent' ? 'no-such-volume' : 'shared', ReadOnly },
              },
            }),
        Tasks: [
          {
            Name: 't',
            Driver: driver,
            ...(user === undefined ? {} : { User: user }),
            KillTimeout: 100_000_000,
            Config: { command: '/bin/sleep', args: ['600'], ...config },
            Resources: { ...(cores === undefined ? { CPU: 5 } : { Cores: cores }), MemoryMB: 32 },
            ...(volume === undefined ? {} : { VolumeMounts: [{ Volume: 'v', Destination: destination, ReadOnly }] }),
          },
        ],
      },
    ],
  };
}

const volume = mkdtempSync(join(tmpdir(), 'drover-explain-'));
chmodSync(volume, 0o777);
afterAll(() => rmSync(volume, { recursive: true, force: true }));

const startOn = (cripple: string, user?: number, ids = false): Promise<AgentProcess> =>
  startAgent({
    readyWithinMs: 120_000,
    ...(user === undefined ? {} : { user }),
    config: {
      plugin: {
        raw_exec: { config: { enabled: true, denied_host_uids: '1', denied_host_gids: '2' } },
        exec: { config: { denied_host_uids: '1', denied_host_gids: '2' } },
      },
      client: {
        meta: { denied: 'daemon', allowed: 'nobody', root: 'root' },
        host_volume: { shared: { path: volume } },
      },
    },
    wrap:
      ids && user !== undefined
        ? withSubordinateIds(user, cripple)
        : (command) => [
            ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
            `PATH=$PATH:/usr/sbin:/sbin; ${cripple}; exec "$@"`,
            'sh',
            ...command,
          ],
  });

/** Both drivers have told what they give. */
const known = (agent: AgentProcess): Promise<void> =>
  eventually(async () => {
    const { value: nodes } = await agent.client.nodes.list();
    const { Attributes } = (await agent.client.nodes.read(nodes[0]!.ID)).value;
    for (const driver of ['exec', 'raw_exec']) expect(Attributes).toHaveProperty([`driver.${driver}.isolation`]);
  }, 60_000);

async function explained(agent: AgentProcess, job: ReturnType<typeof jobOf>): Promise<NodePlacement> {
  const { value } = await agent.client.jobs.explainFile(job, { query: { namespace: job.Namespace } });
  const placement = value.Groups[0]!.Nodes[0]!;
  // whatever it says, it was asked
  if (placement.Reasons.length === 0) expect(placement.Tasks.map(({ NotAsked }) => NotAsked).join('')).toBe('');
  return placement;
}

/** The rung of its report once it runs; `'refused'` where it is placed and may not start; `'blocked'` where it is placed nowhere. */
async function rungGiven(agent: AgentProcess, job: ReturnType<typeof jobOf>): Promise<string> {
  const query = { namespace: job.Namespace };
  await agent.client.jobs.register(job, {}, { query });
  return eventually(async () => {
    const { value: evaluations } = await agent.client.jobs.evaluations(job.ID, { query });
    const { value: rows } = await agent.client.jobs.allocations(job.ID, { query });
    const [row] = rows;
    if (row === undefined && evaluations.some(({ Status }) => Status === 'blocked')) return 'blocked';
    if (row?.ClientStatus === 'failed') return 'refused';
    if (row?.ClientStatus !== 'running') throw new Error(`${job.ID} is ${row?.ClientStatus}`);
    const { value } = await agent.client.allocations.isolation(row.ID);
    const report = value['t'] ?? null;
    if (report === null) throw new Error('no report yet');
    return report.rung;
  }, 120_000);
}

const root = process.getuid?.() === 0;
const complete = root && ['/usr/bin/bwrap', '/usr/sbin/runc', '/usr/bin/unshare'].every((path) => existsSync(path));

describe.skipIf(!complete)('what explain says is what a task gets', () => {
  const seen = new Set<string>();

  it.for(hosts)('on $name', { timeout: 300_000 }, async ({ cripple, user, ids = false, groups = false }, { skip }) => {
    if ((ids && !canMapIds) || (groups && !canGiveGroups)) skip('not possible here');
    const given = groups ? giveGroups(user ?? 0) : null;
    const agent = await startOn(given?.before ?? cripple, user, ids);
    try {
      await eventually(async () => {
        const { value: nodes } = await agent.client.nodes.list();
        expect((await agent.client.nodes.read(nodes[0]!.ID)).value.Attributes).toHaveProperty([
          'driver.exec.isolation',
        ]);
      }, 60_000);
      const rows = await Promise.all(
        Object.entries(jobs).map(async ([id, wanted]) => {
          const job = jobOf(id, wanted);
          const { Reasons, Tasks } = await explained(agent, job);
          const { Refusals, Rung } = Tasks[0]!;
          const foretold = Reasons.length > 0 ? 'blocked' : Refusals.length > 0 ? 'refused' : Rung;
          return { id, foretold, got: await rungGiven(agent, job) };
        }),
      );
      for (const { got } of rows) seen.add(got);
      expect(rows.map(({ id, got }) => `${id}: ${got}`)).toEqual(rows.map(({ id, foretold }) => `${id}: ${foretold}`));
    } finally {
      await agent.dispose();
      if (given !== null) await eventually(given.remove);
    }
  });

  it('of drivers with refusals of their own', { timeout: 300_000 }, async ({ skip }) => {
    const agent = await startOn(':');
    try {
      await known(agent);
      const { value: nodes } = await agent.client.nodes.list();
      const healthy = async (driver: string): Promise<boolean> =>
        (await agent.client.nodes.read(nodes[0]!.ID)).value.Drivers?.[driver]?.Healthy === true;
      const rows: string[][] = [];
      for (const [id, driver, only, MemoryMB] of ownRefusals) {
        if (!(await healthy(driver))) continue;
        const job = jobOf(id, { driver });
        const [group] = job.TaskGroups;
        const task = { ...group!.Tasks[0]!, Config: only, Resources: { CPU: 20, MemoryMB } };
        const asked = { ...job, TaskGroups: [{ ...group!, Tasks: [task] }] } as unknown as typeof job;
        const { Reasons, Tasks } = await explained(agent, asked);
        const foretold = Reasons.length > 0 ? 'blocked' : Tasks[0]!.Refusals.join();
        await rungGiven(agent, asked);
        const { value } = await agent.client.jobs.allocations(id);
        const events = value[0]?.TaskStates?.['t']?.Events?.map(({ DisplayMessage }) => DisplayMessage);
        rows.push([id, foretold, events?.find((each) => each === foretold) ?? String(events)]);
      }
      if (rows.length === 0) skip('none of these drivers is here');
      expect(rows.map(([id, , got]) => `${id}: ${got}`)).toEqual(rows.map(([id, foretold]) => `${id}: ${foretold}`));
      expect(rows.map(([, foretold]) => foretold)).not.toContain('');
    } finally {
      await agent.dispose();
    }
  });

  it('says nothing of a program that a task before brings, and that task gets it', { timeout: 300_000 }, async () => {
    const agent = await startOn(':');
    try {
      await known(agent);
      const job = jobOf('brought', { config: { command: '/alloc/data/program' } });
      const bring = 'cp /bin/sleep /alloc/data/program';
      const [main] = job.TaskGroups[0]!.Tasks;
      const first = {
        ...main!,
        ...{ Name: 'first', Lifecycle: { Hook: 'prestart' }, Config: { command: '/bin/sh', args: ['-c', bring] } },
      };
      const brought = { ...job, TaskGroups: [{ ...job.TaskGroups[0]!, Tasks: [main!, first] }] };
      const files = () => readdirSync(join(agent.directory, 'data/alloc')).sort();
      const before = files();
      const { Reasons, Tasks } = await explained(agent, brought);
      expect(files()).toEqual(before);
      expect({ Reasons, told: Tasks.map(({ Refusals, NotAsked }) => [Refusals, NotAsked]) }).toEqual({
        Reasons: [],
        told: [
          [[], ''],
          [[], ''],
        ],
      });
      expect(await rungGiven(agent, brought)).toBe('sandbox');
      // the same that nobody brings cannot be told before (and is refused)
      expect((await explained(agent, { ...job, ID: 'alone' })).Tasks[0]).toMatchObject({ Refusals: [], NotAsked: '' });
      expect(await rungGiven(agent, { ...job, ID: 'alone' })).toBe('refused');
    } finally {
      await agent.dispose();
    }
  });

  it('(control) the hosts and jobs differ: every rung and a refusal was seen', () => {
    expect([...seen].sort()).toEqual(['blocked', 'container', 'none', 'process', 'refused', 'sandbox']);
  });
});

describe.skipIf(!complete)('what a namespace demands', () => {
  let agent: AgentProcess;
  beforeAll(async () => {
    agent = await startOn(':');
    await known(agent);
  }, 150_000);
  afterAll(() => agent.dispose());

  const demanding = async (Mode: string): Promise<ReturnType<typeof jobOf>> => {
    await agent.client.api.put('/v1/namespace', { Name: Mode, Isolation: { Mode, Min: 'container' } });
    return jobOf(`in-${Mode}`, { namespace: Mode });
  };
  const events = async (job: string, namespace: string) => {
    const { value } = await agent.client.jobs.allocations(job, { query: { namespace } });
    return value[0]?.TaskStates?.['t']?.Events?.map(({ DisplayMessage }) => DisplayMessage) ?? [];
  };

  it('is refused where it is enforced, and explain says so before', async () => {
    const job = await demanding('enforce');
    const { Reasons, Tasks } = await explained(agent, job);
    expect(Reasons.map(({ Text }) => Text).join()).toMatch(/network_namespace/);
    expect(Tasks[0]).toMatchObject({ Rung: 'sandbox', Floor: 'container' });
    expect(await rungGiven(agent, job)).toBe('blocked');
  }, 150_000);

  it('that came while a task ran leaves it running, and refuses its next start', async () => {
    const put = (more: object) => agent.client.api.put('/v1/namespace', { Name: 'later', ...more });
    const demanded = async () =>
      (await agent.client.api.get<{ Isolation?: { Min: string } }>('/v1/namespace/later')).value.Isolation?.Min;
    await put({});
    const job = jobOf('in-later', { namespace: 'later' });
    expect(await rungGiven(agent, job)).toBe('sandbox');
    await put({ Isolation: { Min: 'vm' } });
    await put({ Isolation: {} });
    expect(await demanded()).toBeUndefined();
    await put({ Isolation: { Min: 'container' } });
    // whoever knows of no demand takes none away
    await put({ Description: 'by a client of Nomad' });
    expect(await demanded()).toBe('container');
    const query = { namespace: 'later' };
    const [before] = (await agent.client.jobs.allocations(job.ID, { query })).value;
    expect(before).toMatchObject({ ClientStatus: 'running' });
    await eventually(async () => {
      const { ClientStatus, TaskStates } = (await agent.client.allocations.read(before!.ID, { query })).value;
      // until its node has heard of it, the task is started as before
      if (ClientStatus === 'running') await agent.client.allocations.restart(before!.ID, {}, { query });
      const said = TaskStates?.['t']?.Events?.map(({ DisplayMessage }) => DisplayMessage).join();
      expect(said).toMatch(/isolation floor "container" is not reached/);
    });
  }, 150_000);

  it('is said in an event where it warns, and the task runs', async () => {
    const job = await demanding('warn');
    expect((await explained(agent, job)).Reasons).toEqual([]);
    expect(await rungGiven(agent, job)).toBe('sandbox');
    await eventually(async () =>
      expect(await events(job.ID, 'warn')).toContainEqual(expect.stringMatching(/which the namespace asks for/)),
    );
  }, 150_000);

  it('is only written down where it audits', async () => {
    const job = await demanding('audit');
    expect(await rungGiven(agent, job)).toBe('sandbox');
    await eventually(() => expect(agent.log()).toMatch(/a task runs below what its namespace demands.*audit/));
    expect((await events(job.ID, 'audit')).join()).not.toMatch(/which the namespace asks for/);
  }, 150_000);
});
