import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { StartRecord, Supervisor } from './contract.ts';
import { locateNative } from './locate.ts';
import { createSupervisor } from './supervisor.ts';

/** What becomes of a task and its output when the disk of its logs, or the process that writes to it, does not answer. */

const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' };
const has = (program: string) => spawnSync('which', [program], { env }).status === 0;
const canFreeze = process.getuid?.() === 0 && ['fsfreeze', 'mkfs.ext4', 'losetup', 'unshare'].every(has);
const rounds = process.env['DROVER_LONG'] === '1' ? 1000 : 60;

/** Lines that no two places of the stream share, so that a hole is seen. */
const numbered = (from: number, to: number) => `seq -f %015.0f ${from} ${to - 1}`;
const text = (from: number, to: number) =>
  Array.from({ length: to - from }, (_, i) => `${String(from + i).padStart(15, '0')}\n`).join('');

describe.skipIf(locateNative('drover-shim') === null)('logs of the native shim', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-logs-'));
  let supervisor: Supervisor;
  let compiled: ReturnType<typeof compiledCopy>;

  beforeAll(() => {
    supervisor = createSupervisor({ kind: 'native' });
    compiled = compiledCopy();
  }, 60_000);
  afterAll(async () => {
    await supervisor.close();
    compiled.remove();
    rmSync(base, { recursive: true, force: true });
  });

  const contents = (directory: string, stream: string) =>
    readdirSync(directory)
      .filter((name) => name.startsWith(`${stream}.`))
      .sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)))
      .map((name) => readFileSync(join(directory, name), 'latin1'));

  test('lose nothing, double nothing and count every byte, however often the process that writes them is killed', async () => {
    const lines = 200_000;
    const script = `i=0; while [ $i -lt ${rounds} ]; do ${numbered(0, lines / 10)}; i=$((i+1)); done`;
    const directory = mkdtempSync(join(base, 'kill-'));
    const files = { stdout: 'k.stdout', stderr: 'k.stderr', maxFiles: 1_000_000, maxBytes: 777_777 };
    const shim = await supervisor.start({
      ...{ id: 'a/k/1', directory: join(directory, 'r'), launcher: { kind: 'direct' }, command: ['sh', '-c', script] },
      ...{
        env,
        identity: {},
        cgroups: [],
        killUnit: { kind: 'session' },
        output: { mode: 'rotate', directory, ...files },
      },
    } as StartRecord);
    const scribe = () =>
      readFileSync(`/proc/${shim.pid}/task/${shim.pid}/children`, 'utf8')
        .trim()
        .split(' ')
        .find((pid) => readFileSync(`/proc/${pid}/comm`, 'utf8') === 'drover-scribe\n');
    let kills = 0;
    let over = false;
    const ended = shim.wait().finally(() => (over = true));
    while (!over) {
      try {
        const pid = scribe();
        if (pid !== undefined) process.kill(Number(pid), 'SIGKILL');
        kills += pid === undefined ? 0 : 1;
      } catch {
        // It ended between the look and the signal.
      }
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 8));
    }
    const end = await ended;
    if (end.unknown !== null) throw new Error(end.unknown);
    await shim.shutdown();
    const whole = text(0, lines / 10).repeat(rounds);
    expect(contents(directory, 'k.stdout').join('') === whole).toBe(true);
    expect([end.code, end.stdout]).toEqual([0, { stored: BigInt(whole.length), dropped: 0n }]);
    expect(kills).toBeGreaterThan(5);
  }, 600_000);

  test.skipIf(!canFreeze)(
    'on a disk that hangs block neither the task nor an answer; what is lost is counted, and no file has a hole',
    () => {
      const script = join(base, 'frozen.mjs');
      const module = pathToFileURL(join(compiled.directory, 'supervise/supervisor.js')).href;
      writeFileSync(script, frozenDisk(module));
      // A mount namespace of its own, so that whatever happens the mount goes with it.
      const run = spawnSync('unshare', ['-m', '--propagation', 'private', process.execPath, script, base], {
        encoding: 'utf8',
        timeout: 100_000,
        maxBuffer: 64 << 20,
        env,
      });
      expect(run.stderr).toBe('');
      const told = JSON.parse(run.stdout) as Record<string, unknown> & { files: string[][] };
      const { files, ...said } = told;
      expect(said).toEqual({
        // Whole before, lost and counted meanwhile, whole after.
        before: true,
        blocked: false,
        slowestAnswer: true,
        hung: true,
        recovered: true,
        end: 'task 7',
        counted: true,
        // The task ended while its disk hung; the record says what is on disk, then and after.
        endedFrozen: ['task 3', true, true],
        startedFrozen: 'task 4',
        killedFrozen: 'shim-lost',
        left: '',
      });
      const stream = text(0, 800_000);
      let at = 0;
      for (const content of files.flat()) {
        const found = stream.indexOf(content, at);
        expect(found).toBeGreaterThanOrEqual(at);
        at = found + content.length;
      }
      expect(files.flat().length).toBeGreaterThan(1);
      expect(at).toBe(stream.length);
    },
    120_000,
  );

  test('are written by a process that ends with its shim, whoever ends that', async () => {
    const directory = mkdtempSync(join(base, 'end-'));
    const files = { stdout: 'e.stdout', stderr: 'e.stderr', maxFiles: 1, maxBytes: 1000 };
    const shim = await supervisor.start({
      ...{
        id: 'a/e/1',
        directory: join(directory, 'r'),
        launcher: { kind: 'direct' },
        command: ['sh', '-c', 'echo last; sleep 60'],
      },
      ...{
        env,
        identity: {},
        cgroups: [],
        killUnit: { kind: 'session' },
        output: { mode: 'rotate', directory, ...files },
      },
    } as StartRecord);
    while ((await shim.status()).stdout.stored === 0n) await new Promise((resolve) => setTimeout(resolve, 5));
    const writers = () =>
      spawnSync('sh', ['-c', `ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F ${directory}`], { encoding: 'utf8' }).stdout;
    expect(writers()).not.toBe('');
    process.kill(shim.pid, 'SIGKILL');
    expect(await shim.wait()).toMatchObject({ unknown: 'shim-lost' });
    for (let i = 0; i < 100 && writers() !== ''; i++) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(writers()).toBe('');
    expect(contents(directory, 'e.stdout')).toEqual(['last\n']);
  });
});

function frozenDisk(module: string): string {
  return `import { createSupervisor } from ${JSON.stringify(module)};
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
const base = process.argv[2] + '/frozen', disk = base + '/disk', told = {};
mkdirSync(disk, { recursive: true });
const run = (...command) => execFileSync(command[0], command.slice(1), { stdio: 'ignore' });
execFileSync('truncate', ['-s', '128M', base + '/image']);
run('mkfs.ext4', '-q', base + '/image');
run('mount', '-o', 'loop', base + '/image', disk);
let frozen = false;
const freeze = () => { run('fsfreeze', '-f', disk); frozen = true; };
const thaw = () => { if (frozen) run('fsfreeze', '-u', disk); frozen = false; };
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const until = async (condition) => { for (let i = 0; i < 500 && !(await condition()); i++) await pause(20); };
const env = ${JSON.stringify(env)};
const supervisor = createSupervisor({ kind: 'native' });
const start = (name, script) => supervisor.start({ id: name, directory: base + '/' + name, launcher: { kind: 'direct' }, command: ['sh', '-c', script], env, identity: {},
  cgroups: [], killUnit: { kind: 'session' }, output: { mode: 'rotate', directory: disk, stdout: name + '.stdout', stderr: name + '.stderr', maxFiles: 99, maxBytes: 50_000_000 } });
const contents = (name) => readdirSync(disk).filter((each) => each.startsWith(name + '.stdout.')).sort().map((each) => readFileSync(disk + '/' + each, 'latin1'));
const told_ = (end) => end.unknown ?? end.by + ' ' + end.code;
const wait = (name) => 'until [ -e ' + base + '/' + name + ' ]; do sleep 0.02; done; ';
try {
  const shim = await start('a', ${JSON.stringify(numbered(0, 50_000))} + '; ' + wait('go1') + ${JSON.stringify(numbered(50_000, 750_000))} + '; echo > ' + base + '/passed; ' + wait('go2') + ${JSON.stringify(numbered(750_000, 800_000))} + '; exit 7');
  await until(async () => (await shim.status()).stdout.stored === 800_000n);
  told.before = (await shim.status()).stdout.stored === 800_000n;
  freeze();
  writeFileSync(base + '/go1', '');
  let slowest = 0, hung = false;
  await until(async () => {
    const from = Date.now();
    const status = await shim.status();
    slowest = Math.max(slowest, Date.now() - from);
    hung ||= status.stdout.hung && status.stdout.waiting > 0n && status.stdout.dropped > 0n;
    return existsSync(base + '/passed');
  });
  told.blocked = !existsSync(base + '/passed');
  told.slowestAnswer = slowest < 500;
  told.hung = hung;
  thaw();
  await until(async () => (await shim.status()).stdout.waiting === 0n);
  writeFileSync(base + '/go2', '');
  const end = await shim.wait();
  told.recovered = end.stdout.stored > 1_600_000n;
  told.end = told_(end);
  told.counted = end.stdout.stored + end.stdout.dropped === 12_800_000n && contents('a').join('').length === Number(end.stdout.stored);
  await shim.shutdown();
  told.files = [contents('a')];

  const second = await start('b', 'echo one; ' + wait('go3') + 'head -c 300000 /dev/zero; exit 3');
  await until(async () => (await second.status()).stdout.stored === 4n);
  freeze();
  writeFileSync(base + '/go3', '');
  const lost = await second.wait();
  const third = await start('c', 'echo never; exit 4');
  told.startedFrozen = told_(await third.wait());
  const fourth = await start('d', 'echo x; exec sleep 77.25');
  await fourth.held();
  process.kill(fourth.pid, 'SIGKILL');
  told.killedFrozen = told_(await fourth.wait());
  for (const each of [second, third]) await each.shutdown();
  thaw();
  const scribes = () => readdirSync('/proc').filter((pid) => { try { return readFileSync('/proc/' + pid + '/stat', 'utf8').includes('(drover-scribe) ') && readFileSync('/proc/' + pid + '/mountinfo', 'utf8').includes(disk); } catch { return false; } });
  await until(() => scribes().length === 0);
  const running = () => readdirSync('/proc').filter((pid) => { try { return readFileSync('/proc/' + pid + '/cmdline', 'latin1').startsWith('sleep\\0' + '77.25'); } catch { return false; } });
  await until(() => running().length === 0);
  told.left = [...scribes(), ...running()].join(' ');
  told.endedFrozen = [told_(lost), lost.stdout.stored + lost.stdout.dropped === 300_004n, contents('b').join('').length === Number(lost.stdout.stored)];
} finally {
  thaw();
  await supervisor.close();
}
run('umount', disk);
console.log(JSON.stringify(told));`;
}
