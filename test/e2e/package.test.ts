import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../../src/cli/version.ts';
import { eventually, startAgent } from '../agent-process.ts';

const root = join(import.meta.dirname, '../..');
const crossCompilers =
  ['/usr/bin/aarch64-linux-gnu-gcc', '/usr/bin/x86_64-linux-gnu-gcc'].every(existsSync) || process.getuid?.() === 0;
const emulator = '/usr/bin/qemu-aarch64-static';

function run(command: string, args: readonly string[], cwd: string): string {
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8' });
  expect(status, `${command} ${args.join(' ')}\n${stderr}`).toBe(0);
  return stdout;
}

/** Bytes 18–19 of an ELF file: the machine it is for. */
const machineOf = (path: string): number => readFileSync(path).readUInt16LE(18);

// without root nothing can install the cross compilers, and the package is not ours to pack
describe.skipIf(!crossCompilers)('the npm package', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-package-'));
  const unpacked = join(folder, 'package');

  beforeAll(() => {
    run(process.execPath, ['scripts/prebuild.mjs'], root);
    const file = run('npm', ['pack', '--ignore-scripts', '--silent', `--pack-destination=${folder}`], root).trim();
    run('tar', ['-xzf', join(folder, file)], folder);
    symlinkSync(join(root, 'node_modules'), join(unpacked, 'node_modules'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('carries static programs for x64 and arm64', () => {
    for (const program of ['drover-shim', 'drover-verify']) {
      expect(machineOf(join(unpacked, 'prebuilt/linux-x64', program))).toBe(0x3e);
      expect(machineOf(join(unpacked, 'prebuilt/linux-arm64', program))).toBe(0xb7);
    }
    const own = join(unpacked, 'prebuilt', `linux-${process.arch}`, 'drover-shim');
    expect(run(own, ['version'], folder)).toMatch(/\d/);
  });

  it.skipIf(!existsSync(emulator))('has an arm64 supervisor that runs', () => {
    expect(run(emulator, [join(unpacked, 'prebuilt/linux-arm64/drover-shim'), 'version'], folder)).toMatch(/\d/);
  });

  it('runs from where it was unpacked, without a build', () => {
    expect(run(process.execPath, ['bin/drover.js', 'version'], unpacked)).toBe(`Drover v${version()}\n`);
    expect(
      run(process.execPath, ['bin/drover.js', 'job', 'run', '-output', 'examples/hello.nomad.hcl'], unpacked),
    ).toContain('"ID": "hello"');
  });

  it('supervises with the TypeScript program where there is no native one, and says so', async () => {
    for (const folder of ['prebuilt', 'build']) rmSync(join(unpacked, folder), { recursive: true, force: true });
    const agent = await startAgent({ args: ['-dev'], program: join(unpacked, 'bin/drover.js') });
    try {
      expect(agent.log()).toMatch(/Supervisor: typescript/);
      await agent.client.jobs.register({
        ID: 'fallback',
        Name: 'fallback',
        Type: 'batch',
        Datacenters: ['*'],
        TaskGroups: [
          {
            Name: 'g',
            Tasks: [{ Name: 't', Driver: 'raw_exec', Config: { command: '/bin/sh', args: ['-c', 'exit 0'] } }],
          },
        ],
      });
      await eventually(async () => {
        const { value } = await agent.client.jobs.allocations('fallback');
        expect(value[0]?.ClientStatus).toBe('complete');
      });
    } finally {
      await agent.dispose();
    }
  });
});
