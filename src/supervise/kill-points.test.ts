import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { StartRecord, Supervisor } from './contract.ts';
import { locateNative } from './locate.ts';
import { scratchRecord } from './scratch-record.ts';
import { encodeStart } from './start-fields.ts';
import { createSupervisor } from './supervisor.ts';
import { encodeVerify } from './verify-fields.ts';
import { encodeFrame, u32 } from './wire.ts';

/**
 * `kill -9` at every system call of a start: of the shim, of the helper that forks shims, of the agent. `DROVER_LONG=1` tries
 * every point, otherwise a sample.
 */

const shim = locateNative('drover-shim') ?? '';
const verifier = locateNative('drover-verify') ?? '';
const long = process.env['DROVER_LONG'] === '1';
const env = { PATH: '/usr/bin:/bin' };
const has = (program: string) => spawnSync('which', [program]).status === 0;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const system = ['/usr', '/bin', '/lib', '/lib64', '/etc'].filter((path) => existsSync(path));
const bootId = () => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** `read 3`: the third call of read; strace counts the calls of each kind for itself. */
type Point = readonly [call: string, when: number];

function pointsOf(trace: string): Point[] {
  const counts = new Map<string, number>();
  return [...trace.matchAll(/^([a-z_0-9]+)\(/gm)].map(([, call = '']) => {
    counts.set(call, (counts.get(call) ?? 0) + 1);
    return [call, counts.get(call) as number] as const;
  });
}

/** Command lines with this very word, as root of any user. */
const marked = (word: string) =>
  spawnSync('sh', ['-c', `grep -lz '^${word}$' /proc/[0-9]*/cmdline`], { encoding: 'utf8' }).stdout.trim();

async function gone(word: string): Promise<string> {
  for (let i = 0; i < 100 && marked(word) !== ''; i++) await pause(10);
  return marked(word);
}

describe.skipIf(shim === '' || !has('strace'))('kill -9 at any system call', () => {
  const base = mkdtempSync(join(tmpdir(), 'drover-points-'));
  let supervisor: Supervisor;
  let counter = 0;

  beforeAll(() => {
    supervisor = createSupervisor({ kind: 'native' });
  });
  afterAll(async () => {
    await supervisor.close();
    rmSync(base, { recursive: true, force: true });
  });

  const gated = { gate: { timeoutMs: 300 } };
  const bwrap = [
    ...['bwrap', '--as-pid-1', '--info-fd', '4', '--unshare-user', '--unshare-pid'],
    ...system.flatMap((path) => ['--ro-bind', path, path]),
    ...['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'],
    ...['--ro-bind', verifier, '/tmp/72.75', '/tmp/72.75', '3'],
  ];
  const verify = encodeVerify({ nonce: 'n', command: ['sleep', '72.75'], env, identity: {} });
  const ways: [string, string, boolean, readonly string[], Partial<StartRecord>][] = [
    ['a direct start', '72.5', true, ['sleep', '72.5'], gated],
    [
      'a start in a pid namespace',
      '72.25',
      true,
      ['sleep', '72.25'],
      { ...gated, killUnit: { kind: 'pid-namespace', mountProc: true } },
    ],
    ['a start by bwrap', '/tmp/72.75', has('bwrap'), bwrap, { ...gated, launcher: { kind: 'bwrap' }, verify }],
  ];

  describe.each(ways.filter(([, , there]) => there))('of the shim, in %s,', (name, word, _there, command, more) => {
    const traced = (of: StartRecord, trace: string, ...options: string[]) => {
      mkdirSync(of.directory, { mode: 0o700 });
      const intent = { version: 1, id: of.id, bootId: bootId(), killUnit: of.killUnit };
      writeFileSync(join(of.directory, 'start.json'), JSON.stringify(intent));
      // The shim alone is traced: its child's calls are not counted.
      return spawnSync('strace', ['-o', trace, ...options, shim, 'run'], {
        input: encodeFrame(1, u32(1), encodeStart(of)),
        timeout: 1000,
        killSignal: 'SIGKILL',
      });
    };

    test('leaves no process behind and no invented code', async () => {
      const held = () => scratchRecord(base, ++counter, command, more);
      const trace = join(base, 'trace');
      const whole = held();
      traced(whole, trace);
      await supervisor.recover(whole.directory);
      const points = pointsOf(readFileSync(trace, 'utf8'));
      // The launcher is at work while the shim waits: there every point counts.
      const forked = points.findIndex(([call]) => call === 'clone' || call === 'fork');
      const outcomes = new Set<string>();
      for (const [at, [call, when]] of points.entries()) {
        if (!long && at % 9 !== 0 && !(name === 'a start by bwrap' && at > forked && at % 3 === 0)) continue;
        const of = held();
        traced(of, '/dev/null', '-e', `inject=${call}:signal=KILL:when=${when}`);
        const found = await supervisor.recover(of.directory);
        const unknown = found.state === 'ended' ? (found.end.unknown ?? found.end.by) : '';
        outcomes.add(`${found.state} ${unknown}`);
        expect([call, when, await gone(word)]).toEqual([call, when, '']);
        expect(['never-started ', 'ended shim-lost', 'ended never-started']).toContain(`${found.state} ${unknown}`);
      }
      expect([...outcomes]).toContain('never-started ');
      expect([...outcomes]).toContain('ended shim-lost');
    }, 300_000);
  });
});
