/**
 * Who enters a running task (`alloc exec`, scripts of checks, change scripts) is where the task is, whatever the task does not to be seen there,
 * and brings it nothing of the host's.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, drover, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { nodeReady, shellJob } from '../e2e/jobs.ts';
import { compileAttacks, ordinaryUser } from './attack-program.ts';

const root = process.getuid?.() === 0;
/** What supervises tasks. */
const shim = join(import.meta.dirname, '../../build/native/drover-shim');

const jobOf = (id: string, attack: string, network: boolean) =>
  shellJob(id, '', {
    driver: 'exec',
    group: {
      Volumes: { plant: { Name: 'plant', Type: 'host', Source: 'plant', ReadOnly: true } },
      ...(network ? { Networks: [{ Mode: 'none' }] } : {}),
    },
    task: {
      KillTimeout: 100e6,
      Isolation: { Min: 'sandbox' },
      Config: { command: '/plant/attack', args: [attack] },
      VolumeMounts: [{ Volume: 'plant', Destination: '/plant', ReadOnly: true }],
      Resources: { CPU: 20, MemoryMB: 64 },
    },
  });

describe.skipIf(!root).each([
  { who: 'root', uid: 0 },
  { who: 'an ordinary user', uid: ordinaryUser },
])('who enters a task of an agent of $who', ({ uid }) => {
  let agent: AgentProcess;
  const resolver = createServer((asked) => asked.destroy());
  const plant = mkdtempSync(join(tmpdir(), 'drover-session-'));
  // as an agent has it that its user installed
  const ownShim = uid === 0 ? shim : join(plant, 'drover-shim');
  beforeAll(async () => {
    chmodSync(plant, 0o755);
    compileAttacks(join(plant, 'attack'));
    writeFileSync(join(plant, 'readable'), 'of the host');
    mkdirSync(join(plant, 'resolve'));
    writeFileSync(join(plant, 'resolve/resolv.conf'), 'nameserver 192.0.2.1\n');
    const listening = resolver.listen(join(plant, 'resolve/io.systemd.Resolve'));
    await once(listening, 'listening');
    chmodSync(join(plant, 'resolve/io.systemd.Resolve'), 0o666);
    const config = { client: { host_volume: { plant: { path: plant, read_only: true } } } };
    if (uid === 0) agent = await startAgent({ config });
    else {
      copyFileSync(shim, ownShim);
      chownSync(ownShim, uid, uid);
      const ownMounts = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c'];
      // of a host whose names systemd-resolved looks up
      const resolve =
        'mount -t tmpfs none /run && mkdir -p /run/systemd/resolve && mount --bind "$0" /run/systemd/resolve';
      const script = `mount --bind ${ownShim} ${shim} && ${resolve} && exec "$@"`;
      agent = await startAgent({
        config,
        user: uid,
        wrap: (command) => [...ownMounts, script, join(plant, 'resolve'), ...command],
      });
    }
    await nodeReady(agent);
  }, 300_000);
  afterAll(async () => {
    await agent?.dispose();
    resolver.close();
    rmSync(plant, { recursive: true, force: true });
  });

  async function attacked(attack: string, network: boolean): Promise<string> {
    const id = `${attack}-${network}`;
    await agent.client.jobs.register(jobOf(id, attack, network));
    const alloc = await eventually(async () => {
      const { value } = await agent.client.jobs.allocations(id);
      if (value[0]?.ClientStatus !== 'running') throw new Error(JSON.stringify(value[0]?.TaskStates));
      return value[0].ID;
    }, 90_000);
    await said(alloc, 1);
    return alloc;
  }
  const said = (alloc: string, lines: number): Promise<readonly string[]> =>
    eventually(async () => {
      const { stdout } = await runCli(agent, ['alloc', 'logs', alloc]);
      const found = stdout.split('\n').slice(0, -1);
      if (found.length < lines) throw new Error(`it said ${stdout}`);
      return found;
    }, 60_000);

  it.each([
    { network: 'the host’s', own: false },
    { network: 'its own', own: true },
  ])('whose first thread has ended is with the task or nowhere ($network network)', async ({ own }) => {
    const alloc = await attacked('leave', own);
    const enter = (task: string) =>
      runCli(agent, ['alloc', 'exec', task, '/bin/cat', join(plant, 'readable'), '/plant/readable']);
    expect((await enter(alloc)).stdout).toBe('');
    // control: of another task, who enters sees what is the task's
    expect((await enter(await attacked('stay', own))).stdout).toBe('of the host');
  });

  it('brings no program that the task could write to', async () => {
    const alloc = await attacked('take-over', true);
    const look = () => [createHash('sha256').update(readFileSync(ownShim)).digest('hex'), statSync(ownShim).mode];
    const before = look();
    const enter = async (...command: readonly string[]): Promise<void> => {
      const lines = (await said(alloc, 1)).length;
      const entered: ChildProcess = spawn(process.execPath, [drover, 'alloc', 'exec', alloc, ...command], {
        env: { PATH: process.env['PATH'], NOMAD_ADDR: agent.address },
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      await said(alloc, lines + 1);
      entered.stdin?.end();
      if (entered.exitCode === null) await once(entered, 'exit');
    };
    // control: a program of its own
    await enter('/local/own', 'stay');
    await enter('/proc/self/exe', 'spawn');
    const answers = await said(alloc, 3);
    expect(answers).toEqual(['ready', 'through', expect.stringMatching(/^E/)]);
    expect(look()).toEqual(before);
  });

  it.skipIf(uid === 0)('of a network of its own asks no resolver of the host', async () => {
    const socket = '/run/systemd/resolve/io.systemd.Resolve';
    const ask = `print -e "${socket}" ? "there " : ""; print "asked" if IO::Socket::UNIX->new(Peer => "${socket}")`;
    const enter = async (own: boolean, ...command: readonly string[]) =>
      (await runCli(agent, ['alloc', 'exec', await attacked('stay', own), ...command])).stdout;
    expect(await enter(true, '/usr/bin/perl', '-MIO::Socket::UNIX', '-e', ask)).toBe('');
    // its file is there
    expect(await enter(true, '/bin/cat', '/run/systemd/resolve/resolv.conf')).toBe('nameserver 192.0.2.1\n');
    // control: who has the host's network asks as it does
    expect(await enter(false, '/usr/bin/perl', '-MIO::Socket::UNIX', '-e', ask)).toBe('there asked');
  });
});
