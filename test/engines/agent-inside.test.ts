/**
 * An agent in a container of podman, as it is by default: the doctor inside says what options and commands raise it, and with these it is
 * raised, rung by rung. Control: where nothing is withheld from it.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostExamination } from '../../src/agent/examine-host.ts';
import { complete } from '../security/crippled-look.ts';

const repository = join(import.meta.dirname, '../..');
const podman = spawnSync('podman', ['--version']).status === 0;

describe.skipIf(!complete || !podman)('an agent in a container', { timeout: 300_000 }, () => {
  let scratch: string;

  beforeAll(() => {
    scratch = mkdtempSync(join(tmpdir(), 'drover-inside-'));
  });
  afterAll(() => rmSync(scratch, { recursive: true, force: true }));

  /** Its root is a layer over this machine's. */
  function examine(options: readonly string[], commands: readonly string[] = []): HostExamination {
    const engine = ['--root', join(scratch, 'root'), '--runroot', join(scratch, 'run'), '--storage-driver', 'vfs'];
    // what podman gives of limits by default is more than this machine's root may have
    const limits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];
    const run = ['run', '--rm', '--network', 'none', '--tmpfs', '/data', ...limits, ...options, '--rootfs', '/:O'];
    const doctor = `exec ${process.execPath} ${repository}/bin/drover.js doctor -json -data-dir /data`;
    const script = [...commands.map((each) => `{ ${each}\n} >&2 || exit 1`), doctor].join('\n');
    const done = spawnSync('podman', ['--runtime', 'runc', ...engine, ...run, 'sh', '-c', script], {
      encoding: 'utf8',
      env: { ...process.env, PATH: `${process.env['PATH']}:/usr/sbin:/sbin` },
      timeout: 240_000,
    });
    if (!done.stdout.startsWith('{')) throw new Error(`nothing was found out: ${done.stdout}${done.stderr}`);
    return JSON.parse(done.stdout) as HostExamination;
  }

  const rungsOf = ({ OwnNetwork, HostNetwork }: HostExamination) => [OwnNetwork.Rung, HostNetwork.Rung];
  const kindsOf = ({ Climbs }: HostExamination) =>
    Climbs.map(({ Rung, Remedies }) => [Rung, ...Remedies.map(({ Kind }) => Kind)]);

  it('(control) has everything where nothing is withheld', () => {
    expect(rungsOf(examine(['--privileged']))).toEqual(['container', 'sandbox']);
  });

  it('is raised as the doctor says', () => {
    const found = examine([]);
    expect(rungsOf(found)).toEqual(['none', 'none']);
    expect(kindsOf(found)).toEqual([
      ['process', 'more_capabilities'],
      ['sandbox', 'more_capabilities', 'leave_covered_proc'],
      ['container', 'more_capabilities', 'leave_covered_proc', 'make_groups_writable'],
    ]);
    const [rights = '', uncovered = ''] = found.Climbs[1]!.Remedies.map(({ Command }) => Command);
    const [, names = ''] = /root's capabilities: ([A-Z_ ]+) \(of a container: --cap-add/.exec(rights) ?? [];
    const [, option = ''] = /podman: (--security-opt [^\s,]+)/.exec(uncovered) ?? [];
    const options = ['--cap-add', names.split(' ').join(','), ...option.split(' ')];

    const [process, mount] = [examine(options.slice(0, 2)), /^mount -t proc none \/proc$/];
    expect(rungsOf(process)).toEqual(['process', 'process']);
    expect(process.Climbs[0]!.Remedies.map(({ Command }) => Command)).toEqual([expect.stringMatching(mount)]);

    const sandbox = examine(options);
    expect(rungsOf(sandbox)).toEqual(['sandbox', 'sandbox']);
    const commands = sandbox.Climbs[0]!.Remedies.map(({ Command }) => Command);
    expect(rungsOf(examine(options, commands))).toEqual(['container', 'sandbox']);
  });
});
