import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { StartRecord, Supervisor } from './contract.ts';
import { SupervisionInvariants } from './invariants.ts';
import { locateNative } from './locate.ts';
import { scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';
import { startTimeOf } from './this-host.ts';
import { clientFrame, encodeFrame, u8, u32 } from './wire.ts';

/** Faults put in on purpose, and what must hold afterwards. `DROVER_LONG=1` tries every point instead of a sample. */

const shim = locateNative('drover-shim') ?? '';
const verifier = locateNative('drover-verify') ?? '';
const system = ['/usr', '/bin', '/lib', '/lib64', '/etc'].filter((path) => existsSync(path));
const bwrap = [
  ...['bwrap', '--as-pid-1', '--info-fd', '4', '--unshare-user', '--unshare-pid'],
  ...system.flatMap((path) => ['--ro-bind', path, path]),
  ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
  ...['--ro-bind', verifier, '/tmp/verify', '/tmp/verify', '3'],
];
const long = process.env['DROVER_LONG'] === '1';
const env = { PATH: '/usr/bin:/bin' };
const asRoot = process.getuid?.() === 0;
const has = (program: string) => spawnSync('which', [program]).status === 0;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(shim === '')('after a fault', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-fault-'));
  let supervisor: Supervisor;
  let compiled: ReturnType<typeof compiledCopy>;
  let counter = 0;

  beforeAll(() => {
    chmodSync(base, 0o777);
    supervisor = createSupervisor({ kind: 'native' });
    compiled = compiledCopy();
  }, 60_000);
  afterAll(async () => {
    await supervisor.close();
    compiled.remove();
    rmSync(base, { recursive: true, force: true });
  });

  const record = (script: string, more?: Partial<StartRecord>) =>
    scratchRecord(base, ++counter, ['sh', '-c', script], more);

  const marked = (mark: string) =>
    spawnSync('sh', ['-c', `grep -lz '^${mark}$' /proc/[0-9]*/cmdline`], { encoding: 'utf8' }).stdout.trim();

  test('kill -9 of an agent at any moment of its starts leaves each task once, or not at all, and every record says which', async () => {
    const script = join(base, 'agent.mjs');
    const module = pathToFileURL(join(compiled.directory, 'supervise/supervisor.js')).href;
    writeFileSync(
      script,
      `import { createSupervisor } from ${JSON.stringify(module)};
       const [, , base, round] = process.argv; const supervisor = createSupervisor({ kind: 'native' });
       for (let i = 0; i < 40; i++) {
         const directory = base + '/k' + round + '-' + i;
         await supervisor.start({ id: 'k/' + round + '/' + i, directory, launcher: { kind: 'direct' }, command: ['sh', '-c', 'echo ran >> ' + directory + '.ran; exec sleep 71.25'],
           env: ${JSON.stringify(env)}, identity: {}, cgroups: [], killUnit: { kind: 'session' }, output: { mode: 'discard' } });
       }
       await new Promise(() => {});`,
    );
    const seen: Record<string, number> = {};
    const invariants = new SupervisionInvariants(supervisor, base);
    for (let round = 0; round < (long ? 40 : 6); round++) {
      const agent = spawn(process.execPath, [script, base, `${round}`], { stdio: 'ignore' });
      // the starts before this one have happened
      while (!existsSync(join(base, `k${round}-${round % 5}`))) await pause(2);
      await pause(3 + round * 7);
      agent.kill('SIGKILL');
      await pause(150);
      for (const name of readdirSync(base).filter((each) => new RegExp(`^k${round}-[0-9]+$`).test(each))) {
        const directory = join(base, name);
        const found = await supervisor.recover(directory);
        const times = existsSync(`${directory}.ran`)
          ? readFileSync(`${directory}.ran`, 'utf8').split('\n').length - 1
          : 0;
        seen[found.state] = (seen[found.state] ?? 0) + 1;
        expect([name, found.state, times]).toEqual([name, found.state, found.state === 'present' ? 1 : 0]);
        if (found.state !== 'present') continue;
        await found.shim.stop({ timeoutMs: 500 });
        expect((await found.shim.wait()).unknown).toBeNull();
        await found.shim.shutdown();
      }
      await invariants.check(record('', { directory: join(base, `k${round}-0`), output: { mode: 'discard' } }));
    }
    invariants.end();
    expect(marked('71.25')).toBe('');
    expect(seen['present']).toBeGreaterThan(0);
  }, 60_000);

  test.skipIf(!asRoot)('a full disk loses neither the exit code nor the count of what it did not take', async () => {
    const disk = mkdtempSync(join(base, 'disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'drover-test', disk]);
    try {
      const of = record('i=0; while [ $i -lt 300 ]; do printf %01000d $i; i=$((i+1)); done; exit 7');
      const started = await supervisor.start({
        ...of,
        directory: join(disk, 'r'),
        output: { ...of.output, directory: disk } as StartRecord['output'],
      });
      expect(await started.wait()).toMatchObject({ code: 7, started: true });
      const end = await started.wait();
      if (end.unknown !== null) throw new Error(end.unknown);
      expect(end.stdout.stored + end.stdout.dropped).toBe(300_000n);
      expect(end.stdout.dropped).toBeGreaterThan(200_000n);
      expect(JSON.parse(readFileSync(join(disk, 'r', 'exit.json'), 'utf8'))).toMatchObject({ code: 7 });
      await started.shutdown();
      while (startTimeOf(started.pid) !== 0n) await pause(5);
    } finally {
      execFileSync('umount', [disk]);
    }
  });

  test('a client that is stuck, lies, or is many, delays nobody', async () => {
    const started = await supervisor.start(record('sleep 73'));
    await started.held();
    const socket = join(started.directory, 'shim.sock');
    const hello = encodeFrame(clientFrame.hello, u8(1), u8(1));
    const flood = Buffer.concat(Array.from({ length: 2000 }, (_, i) => encodeFrame(clientFrame.status, u32(i + 1))));
    const dials = [
      hello,
      Buffer.concat([hello, flood]),
      Buffer.concat([hello, Buffer.alloc(70_000, 0xff)]),
      Buffer.alloc(5, 0xff),
      u8(0),
    ].map((data) => {
      const dial = connect(socket);
      dial.on('error', () => {});
      dial.pause();
      dial.write(data);
      return dial;
    });
    await pause(100);
    const from = Date.now();
    expect((await started.status()).state).toBe('running');
    expect(Date.now() - from).toBeLessThan(500);
    const crowd = Array.from({ length: 40 }, () => connect(socket).on('error', () => {}));
    await pause(100);
    expect((await started.status()).state).toBe('running');
    for (const dial of [...dials, ...crowd]) dial.destroy();
    await pause(50);
    await started.stop();
    expect((await started.wait()).unknown).toBeNull();
    await started.shutdown();
  });

  test('a spawn helper that was killed is started again, and its shims live on', async () => {
    const mine = createSupervisor({ kind: 'native' });
    const first = await mine.start(record('sleep 74'));
    const helper = Number(readFileSync(`/proc/${first.pid}/stat`, 'utf8').split(' ')[3]);
    expect(readFileSync(`/proc/${helper}/comm`, 'utf8')).toBe('drover-spawn\n');
    process.kill(helper, 'SIGKILL');
    while (startTimeOf(helper) !== 0n) await pause(5);
    await pause(20);
    const second = await mine.start(record('sleep 74'));
    for (const each of [first, second]) {
      expect((await each.held()).state).toBe('running');
      await each.stop();
      expect((await each.wait()).unknown).toBeNull();
      await each.shutdown();
    }
    await mine.close();
  });

  test.skipIf(!asRoot || !has('setpriv'))(
    'of having no privileges at all, everything but other users still works',
    () => {
      const place = mkdtempSync(join(base, 'user-'));
      chmodSync(place, 0o777);
      const script = join(place, 'agent.mjs');
      const module = pathToFileURL(join(compiled.directory, 'supervise/supervisor.js')).href;
      writeFileSync(
        script,
        `import { createSupervisor } from ${JSON.stringify(module)};
       import { encodeVerify } from ${JSON.stringify(module.replace('supervisor.js', 'verify-fields.js'))};
       const supervisor = createSupervisor({ kind: 'native' }); const told = [];
       for (const killUnit of [{ kind: 'session' }, { kind: 'pid-namespace', mountProc: true }]) {
         const directory = ${JSON.stringify(place)} + '/own/' + killUnit.kind;
         const shim = await supervisor.start({ id: 'u', directory, launcher: { kind: 'direct' }, command: ['sh', '-c', 'setsid sleep 75.5 & id -u; echo $$; sleep 60'],
           env: ${JSON.stringify(env)}, identity: { uid: 12345, gid: 12345, noNewPrivs: true }, cgroups: [], killUnit,
           output: { mode: 'rotate', directory: ${JSON.stringify(place)}, stdout: killUnit.kind, stderr: 'err', maxFiles: 1, maxBytes: 1000 } });
         await shim.held();
         while ((await shim.status()).stdout.stored === 0n) await new Promise((r) => setTimeout(r, 10));
         const exec = await shim.exec({ command: ['sh', '-c', 'id -u; readlink /proc/self/ns/pid; cat /proc/1/comm'], env: ${JSON.stringify(env)} });
         let text = ''; for await (const chunk of exec.output) text += Buffer.from(chunk.data);
         await shim.stop({ timeoutMs: 200 });
         const end = await shim.wait(); await shim.shutdown();
         told.push([end.by, end.code, end.leftover, text.split('\\n')[0], text.split('\\n')[2] === 'drover-shim']);
       }
       const ways = [{ killUnit: { kind: 'session' } }, { killUnit: { kind: 'pid-namespace', mountProc: true } }];
       if (${has('bwrap')}) ways.push({ killUnit: { kind: 'session' }, launcher: { kind: 'bwrap' }, command: ${JSON.stringify(bwrap)} });
       for (const [index, way] of ways.entries()) {
         const ends = [];
         for (const [at, [script, signal]] of [['exit 137', 0], ['sleep 60', 9], ['exec python3 -c "import ctypes; ctypes.string_at(0)"', 11]].entries()) {
           const verify = encodeVerify({ nonce: 'n', command: ['sh', '-c', script], env: ${JSON.stringify(env)}, identity: { noNewPrivs: true } });
           const shim = await supervisor.start({ id: 'u', directory: ${JSON.stringify(place)} + '/w' + index + at, launcher: { kind: 'direct' }, command: [${JSON.stringify(verifier)}, '3'],
             env: ${JSON.stringify(env)}, identity: {}, cgroups: [], output: { mode: 'discard' }, gate: { timeoutMs: 10000 }, verify, ...way });
           await shim.held(); await shim.go();
           if (signal === 9) await shim.signal(9);
           const end = await shim.wait(); await shim.shutdown();
           ends.push(end.code + '/' + end.signal);
         }
         told.push(ends.join(' '));
       }
       await supervisor.close(); console.log(JSON.stringify(told));`,
      );
      const run = spawnSync(
        'setpriv',
        ['--reuid', '12345', '--regid', '12345', '--clear-groups', process.execPath, script],
        { encoding: 'utf8', timeout: 20_000 },
      );
      expect(run.stderr).toBe('');
      // In a pid namespace `sh` is not process 1, so SIGTERM ends it there too; its process 1 is the shim's own.
      expect(JSON.parse(run.stdout)).toEqual([
        ['stop', 143, 0, '12345', false],
        ['stop', 143, 0, '12345', true],
        ...Array.from({ length: has('bwrap') ? 3 : 2 }, () => '137/0 137/9 139/11'),
      ]);
      expect(marked('75.5')).toBe('');
    },
  );
});
