/**
 * Where nothing makes a sandbox: a task of `exec` gets to no file but its own and the system's, by Landlock. Control: what it tries takes effect from a
 * task of `raw_exec` at the same rung on the same host.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { nodeReady } from '../e2e/jobs.ts';

const hide = ['bwrap', 'runc', 'crun', 'unshare']
  .map((name) => `p=$(command -v ${name}) && mount --bind /dev/null "$(readlink -f "$p")" || :`)
  .join('; ');
const root = process.getuid?.() === 0;

/** `through NAME` for each that took effect. */
const triesOf = (plant: string): string => `
try() { name=$1; shift; "$@" >/dev/null 2>&1 && echo "through $name"; }
try read cat ${plant}/readable
try list ls /
try write sh -c 'echo x >>${plant}/open/file'
try create sh -c 'echo x >${plant}/open/created-$$'
try link ln -s / ${plant}/open/link-$$
try execute ${plant}/program
try tmp sh -c 'echo x >/tmp/drover-confined-$$ && rm /tmp/drover-confined-$$'
try truncate sh -c ': >${plant}/open/file'
try abstract perl -MIO::Socket::UNIX -e 'exit !IO::Socket::UNIX->new(Peer => "\\0${plant}")'
`;
const everything = ['read', 'list', 'write', 'create', 'link', 'execute', 'tmp', 'truncate', 'abstract'];

/** What its own are, and the system's, it has all the same. */
const ownWork = `set -e
cd "$NOMAD_TASK_DIR"; mkdir -p a b; echo one >a/file; mv a/file b/file; ln b/file a/again; cat a/again
echo two >"$NOMAD_ALLOC_DIR/data/file"; cat "$NOMAD_ALLOC_DIR/data/file"
t=$(mktemp); echo three >"$t"; cat "$t"; rm "$t"
echo none >/dev/null; head -c 1 /dev/zero | wc -c; s=/dev/shm/drover-$$; echo four >$s; cat $s; rm $s
printf '#!/bin/sh\\necho five\\n' >program; chmod +x program; ./program
readlink /proc/self/exe >/dev/null; date >/dev/null; echo done
`;

function jobOf(id: string, driver: string, script: string) {
  return {
    ID: id,
    Name: id,
    Type: 'service',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'g',
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        ReschedulePolicy: { Attempts: 0, Unlimited: false },
        Tasks: [
          {
            Name: 't',
            Driver: driver,
            KillTimeout: 100e6,
            ...(driver === 'raw_exec' ? { Isolation: { Min: 'process' } } : {}),
            Config: { command: '/bin/sh', args: ['-c', `${script}\necho end; exec sleep 1000`] },
            Resources: { CPU: 20, MemoryMB: 64 },
          },
        ],
      },
    ],
  };
}

describe.skipIf(!root)('on a host where nothing makes a sandbox', () => {
  let plant: string;
  let socket: ChildProcess;
  beforeAll(async () => {
    plant = mkdtempSync(join(tmpdir(), 'drover-confined-'));
    chmodSync(plant, 0o755);
    mkdirSync(join(plant, 'open'));
    chmodSync(join(plant, 'open'), 0o777);
    writeFileSync(join(plant, 'readable'), 'host');
    writeFileSync(join(plant, 'open/file'), 'host');
    chmodSync(join(plant, 'open/file'), 0o666);
    writeFileSync(join(plant, 'program'), '#!/bin/sh\n', { mode: 0o755 });
    const listen = `$s = IO::Socket::UNIX->new(Local => "\\0${plant}", Listen => 9) or die; $| = 1; print "heard\\n"; sleep 600`;
    socket = spawn('perl', ['-MIO::Socket::UNIX', '-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(socket.stdout!, 'data');
  });
  afterAll(() => {
    socket.kill('SIGKILL');
    rmSync(plant, { recursive: true, force: true });
  });

  it('a task of exec has its own files and the system’s, and so has who enters it', { timeout: 300_000 }, async () => {
    const agent = await startAgent({
      readyWithinMs: 120_000,
      config: { plugin: { raw_exec: { config: { enabled: true } } } },
      wrap: (command) => [
        ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c'],
        `PATH=$PATH:/usr/sbin:/sbin; ${hide}; exec "$@"`,
        'sh',
        ...command,
      ],
    });
    try {
      await nodeReady(agent);
      const control = await run(agent, jobOf('control', 'raw_exec', triesOf(plant)));
      expect(control.said.filter((line) => line !== 'end')).toEqual(everything.map((name) => `through ${name}`));
      const tried = await run(agent, jobOf('tried', 'exec', triesOf(plant)));
      expect(tried.said).toEqual(['end']);
      expect(tried.report).toMatchObject({ rung: 'process' });
      const line = tried.report?.mechanisms.find(({ name }) => name === 'landlock');
      expect(line).toMatchObject({
        state: 'verified',
        evidence: expect.stringMatching(/^no file but those below \d+ paths/),
      });
      expect(control.report?.mechanisms.map(({ name }) => name)).not.toContain('landlock');
      // who enters later is held to the same
      const exec = await runCli(agent, ['alloc', 'exec', tried.alloc, '/bin/sh', '-c', triesOf(plant)]);
      expect(exec.stdout).toBe('');
      const own = await run(agent, jobOf('own', 'exec', ownWork));
      expect(own.said).toEqual(['one', 'two', 'three', '1', 'four', 'five', 'done', 'end']);
    } finally {
      await agent.dispose();
    }
  });
});

async function run(agent: AgentProcess, job: ReturnType<typeof jobOf>) {
  await agent.client.jobs.register(job);
  const alloc = await eventually(async () => {
    const { value } = await agent.client.jobs.allocations(job.ID);
    const [row] = value;
    if (row?.ClientStatus !== 'running') throw new Error(`${job.ID}: ${JSON.stringify(row?.TaskStates)}`);
    return row.ID;
  }, 60_000);
  const said = await eventually(async () => {
    let text = '';
    for await (const frame of agent.client.files.logs(alloc, { task: 't', type: 'stdout' }))
      text += Buffer.from(frame.data).toString();
    const lines = text.split('\n').filter((line) => line !== '');
    if (lines.at(-1) !== 'end') throw new Error(`${job.ID} said ${text}`);
    return lines;
  }, 90_000);
  const { value } = await agent.client.allocations.isolation(alloc);
  return { alloc, said, report: value['t'] };
}
