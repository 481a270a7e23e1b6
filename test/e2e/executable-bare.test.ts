// The packaged executable on a root with nothing in it but the C and C++ libraries that Node is linked with: no shell, no Node, no /etc.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { builtInNames } from '../../src/agent/built-in-drivers.ts';
import { eventually, freePort } from '../agent-process.ts';
import { firstChildOf } from './systemd-machine.ts';

const root = join(import.meta.dirname, '../..');
const isRoot = process.getuid?.() === 0;
const bare = mkdtempSync(join(tmpdir(), 'drover-bare-'));
/** Of `execPath`: what the loader finds for it here. */
const libraries = (): readonly string[] =>
  [...spawnSync('ldd', [process.execPath], { encoding: 'utf8' }).stdout.matchAll(/(\/\S+) \(0x/g)].map(
    ([, path]) => path!,
  );

const configuration = (port: number): string => `
data_dir   = "/data"
plugin_dir = "/plugins"
log_level  = "WARN"
ports {
  http = ${port}
}
server {
  enabled = true
}
client {
  enabled = true
}
${builtInNames.map((name) => `plugin "${name}" {\n  args = ["driver", "serve", "${name}"]\n${name === 'raw_exec' ? '  config {\n    enabled = true\n  }\n' : ''}}`).join('\n')}
`;

const job = `job "bare" {
  type = "batch"
  group "g" {
    task "t" {
      driver = "raw_exec"
      config {
        command = "/drover"
        args    = ["version"]
      }
    }
  }
}
`;

describe.skipIf(!isRoot)(`the executable on a bare root${isRoot ? '' : ' (skipped: needs root)'}`, () => {
  let port = 0;
  // processes and mounts of its own: nothing of it is left when its first process ends
  const inside = (...command: string[]): string[] => [
    '--mount',
    '--pid',
    '--fork',
    '--kill-child',
    '--propagation=private',
    `--root=${bare}`,
    '--mount-proc',
    '--',
    ...command,
  ];
  let agent: ChildProcess | undefined;
  let said = '';
  // from inside: the agent answers nobody whom it cannot identify
  const run = (...args: string[]) =>
    spawnSync('nsenter', ['-t', String(firstChildOf(agent!.pid!)), '-a', '-r', '-w', '--', '/drover', ...args], {
      encoding: 'utf8',
      env: { NOMAD_ADDR: `http://127.0.0.1:${port}`, PATH: process.env['PATH'] ?? '' },
    });

  beforeAll(async () => {
    const built = spawnSync(process.execPath, ['scripts/package.mjs'], { cwd: root, encoding: 'utf8' });
    expect(built.status, built.stderr).toBe(0);
    for (const path of libraries()) {
      mkdirSync(join(bare, dirname(path)), { recursive: true });
      copyFileSync(path, join(bare, path));
    }
    for (const folder of ['proc', 'dev', 'tmp', 'plugins']) mkdirSync(join(bare, folder));
    for (const [name, minor] of [
      ['null', 3],
      ['urandom', 9],
    ] as const)
      spawnSync('mknod', ['-m', '666', join(bare, 'dev', name), 'c', '1', String(minor)]);
    spawnSync('cp', ['-p', join(root, 'build/package/drover'), join(bare, 'drover')]);
    for (const name of builtInNames) linkSync(join(bare, 'drover'), join(bare, 'plugins', name));
    port = await freePort();
    writeFileSync(join(bare, 'agent.hcl'), configuration(port));
    writeFileSync(join(bare, 'bare.nomad.hcl'), job);
    agent = spawn('unshare', inside('/drover', 'agent', '-config=/agent.hcl'), {
      env: {},
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    for (const stream of [agent.stdout!, agent.stderr!])
      stream.on('data', (chunk) => {
        said += String(chunk);
      });
    await eventually(
      () => {
        if (agent?.exitCode !== null) throw new Error(`the agent ended: ${said}`);
        expect(run('node', 'status').stdout, said).toMatch(/ready/);
      },
      120_000,
      500,
    );
  }, 240_000);

  afterAll(async () => {
    const running = agent;
    if (running !== undefined && running.exitCode === null) {
      const gone = new Promise((resolve) => running.once('exit', resolve));
      running.kill('SIGKILL');
      await gone;
    }
    rmSync(bare, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  });

  it('needs these libraries and no others', () => {
    expect(
      libraries()
        .map((path) => path.replace(/.*\//, '').replace(/[-.].*/, ''))
        .sort(),
    ).toEqual(['ld', 'libc', 'libdl', 'libgcc_s', 'libm', 'libpthread', 'libstdc++']);
    expect(existsSync(join(bare, 'bin'))).toBe(false);
  });

  it('serves every built-in driver out of itself', async () => {
    await eventually(
      () => {
        const { stdout, stderr } = run('driver', 'list');
        // most of them find nothing to work with on such a root, and say so
        const told = '(up|(unhealthy|not detected): (?!it told nothing).*)';
        for (const name of builtInNames)
          expect(stdout, stderr).toMatch(new RegExp(`^${name} +\\S+ +${name} +\\d+ .* ${told}$`, 'm'));
      },
      120_000,
      500,
    );
  });

  it('runs a task under the supervisor that it carries', async () => {
    const { status, stderr } = run('job', 'run', '-detach', '/bare.nomad.hcl');
    expect(status, stderr).toBe(0);
    const [first] = await eventually(
      () => {
        const rows = JSON.parse(run('operator', 'api', '/v1/job/bare/allocations').stdout) as {
          ID: string;
          ClientStatus: string;
        }[];
        expect(rows[0]?.ClientStatus, JSON.stringify(rows)).toBe('complete');
        return rows;
      },
      60_000,
      500,
    );
    expect(run('alloc', 'logs', first!.ID, 't').stdout).toMatch(/^Drover v/);
    expect(said).not.toMatch(/typescript/i);
  });
});
