// `npm run package`: the one executable, in an empty directory and an empty environment: no modules, no Node on a PATH, no checkout.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { version } from '../../src/cli/version.ts';
import { eventually, freePort } from '../agent-process.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'drover-executable-'));
const program = join(folder, 'drover');
let port = 0;
let printed = '';

const environment = (): Record<string, string> => ({
  DROVER_PROGRAM_DIR: join(folder, 'program'),
  NOMAD_ADDR: `http://127.0.0.1:${port}`,
});

function run(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(program, args, { cwd: folder, env: environment(), encoding: 'utf8' });
}

function job(name: string, script: string): string {
  const path = join(folder, `${name}.nomad.hcl`);
  const text = JSON.stringify(script);
  writeFileSync(
    path,
    `job "${name}" {
      type = "batch"
      group "g" {
        task "t" {
          driver = "exec"
          config {
            command = "/bin/sh"
            args    = ["-c", ${text}]
          }
          resources {
            cpu    = 20
            memory = 64
          }
        }
      }
    }`,
  );
  return path;
}

async function agent(...args: string[]): Promise<ChildProcess> {
  const child = spawn(program, ['agent', `-http-port=${port}`, ...args], {
    cwd: folder,
    env: environment(),
    stdio: 'ignore',
  });
  await eventually(
    () => {
      const { status, stdout } = run('node', 'status');
      if (child.exitCode !== null) throw new Error(`the agent ended with ${child.exitCode}`);
      if (status !== 0 || !/ready/.test(stdout)) throw new Error('the agent is not ready');
    },
    40_000,
    200,
  );
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await gone;
}

const allocation = (name: string): string =>
  (JSON.parse(run('operator', 'api', `/v1/job/${name}/allocations`).stdout) as { ID: string }[])[0]?.ID ?? '';

beforeAll(async () => {
  const built = spawnSync(process.execPath, ['scripts/package.mjs'], { cwd: root, encoding: 'utf8' });
  expect(built.status, built.stderr).toBe(0);
  printed = built.stderr;
  // tasks of other users go through it
  chmodSync(folder, 0o755);
  copyFileSync(join(root, 'build/package/drover'), program);
  port = await freePort();
});

afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

/** Of what the program is linked with: the newest version with this prefix, as the linker's own tools read it. */
function newest(path: string, prefix: string): number {
  const { stdout } = spawnSync('readelf', ['--version-info', '--wide', path], { encoding: 'utf8', maxBuffer: 64e6 });
  const pattern = new RegExp(`Name: ${prefix.replaceAll('.', '\\.')}(\\d+)\\b`, 'g');
  return Math.max(0, ...[...stdout.matchAll(pattern)].map(([, number]) => Number(number)));
}

const nativeModules = (below: string): readonly string[] =>
  readdirSync(below, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.node'))
    .map((name) => join(below, name));

describe('the packaged executable', () => {
  it('says its version with nothing around it, and unpacks itself once', () => {
    expect(run('version').stdout).toBe(`Drover v${version()}\n`);
    const entries = spawnSync('ls', ['-A', join(folder, 'program')], { encoding: 'utf8' })
      .stdout.trim()
      .split('\n');
    expect(entries).toHaveLength(1);
    const before = statSync(join(folder, 'program', entries[0]!)).mtimeMs;
    expect(run('version').stderr).toBe('');
    expect(statSync(join(folder, 'program', entries[0]!)).mtimeMs).toBe(before);
  });

  it.skipIf(process.arch !== 'x64')(
    'needs the C and C++ libraries that its page and its unit say, and no newer ones',
    () => {
      const modules = nativeModules(join(folder, 'program'));
      expect(modules.length).toBeGreaterThan(2);
      const needs = ['GLIBC_2.', 'GLIBCXX_3.4.'].map(
        (prefix) => `${prefix}${Math.max(...[program, ...modules].map((path) => newest(path, prefix)))}`,
      );
      const [glibc = '', glibcxx = ''] = needs;
      const said = `glibc ${glibc.replace('GLIBC_', '')} or newer and a libstdc++ that has ${glibcxx}`;
      const page = readFileSync(join(root, 'packaging/README.md'), 'utf8').replaceAll('\n', ' ');
      expect(page).toContain(said);
      expect(page).toContain(
        `glibc 2.${newest(program, 'GLIBC_2.')} and GLIBCXX_3.4.${newest(program, 'GLIBCXX_3.4.')}`,
      );
      expect(readFileSync(join(root, 'build/package/drover.service'), 'utf8')).toContain(
        `glibc ${glibc.replace('GLIBC_', '')} and ${glibcxx}`,
      );
      expect(printed).toContain(
        `glibc of ${glibc.replace('GLIBC_', '')} or newer, and a libstdc++ that has ${glibcxx}`,
      );
      // what a built driver carries is static
      for (const name of ['drover-shim', 'drover-verify'])
        expect(newest(join(root, 'build/native', name), 'GLIBC_2.')).toBe(0);
    },
  );

  it('says which version is missing where the libraries are older', () => {
    const old = join(folder, 'old');
    cpSync(join(folder, 'program'), old, { recursive: true });
    // a version that no library has: what the newest one is to an older system
    for (const path of nativeModules(old))
      writeFileSync(path, readFileSync(path, 'latin1').replaceAll('GLIBC_2.34\0', 'GLIBC_2.94\0'), 'latin1');
    const env = { ...environment(), DROVER_PROGRAM_DIR: old };
    const config = join(folder, 'old.hcl');
    writeFileSync(config, `data_dir = "${folder}/old-data"\nserver {\n  enabled = true\n}\n`);
    const { status, stderr } = spawnSync(program, ['agent', `-config=${config}`], {
      env,
      encoding: 'utf8',
      timeout: 60_000,
    });
    expect(stderr).toMatch(
      /^Error: a native module cannot be loaded: .*version `GLIBC_2\.94' not found.*\n.*packaging\/README\.md/,
    );
    expect(stderr).not.toMatch(/^ +at /m);
    expect(status).toBe(1);
    expect(spawnSync(program, ['version'], { env }).status).toBe(0);
    rmSync(old, { recursive: true });
  });

  it('unpacks itself nowhere where no directory can be made, and says so at once', () => {
    const env = { ...environment(), DROVER_PROGRAM_DIR: '/proc/x/y' };
    const { status, stderr } = spawnSync(program, ['version'], { env, encoding: 'utf8', timeout: 30_000 });
    expect([status, stderr]).toEqual([
      1,
      expect.stringMatching(/cannot be unpacked to \/proc\/x\/y\/.*set DROVER_PROGRAM_DIR/),
    ]);
  });

  it('does not run a program that others may have changed', () => {
    const open = join(folder, 'open');
    mkdirSync(open, { mode: 0o777 });
    spawnSync('chmod', ['777', open]);
    const { status, stderr } = spawnSync(program, ['version'], { env: { DROVER_PROGRAM_DIR: open }, encoding: 'utf8' });
    expect(status).toBe(1);
    expect(stderr).toMatch(/may be written by others/);
  });

  it('is an agent that runs a job in a sandbox, with supervisor and verifier out of itself', async () => {
    const child = await agent('-dev');
    try {
      const { status, stderr } = run(
        'job',
        'run',
        '-detach',
        job('greeting', 'set -- /proc/[0-9]*; echo hello from $NOMAD_JOB_NAME, one of $#; sleep 600'),
      );
      expect(status, stderr).toBe(0);
      await eventually(() => {
        expect(run('alloc', 'logs', allocation('greeting'), 't').stdout).toBe('hello from greeting, one of 1\n');
      });
      expect(run('alloc', 'exec', '-task=t', allocation('greeting'), '/bin/echo', 'inside').stdout).toBe('inside\n');
      expect(run('job', 'stop', '-detach', 'greeting').status).toBe(0);
      await eventually(() => {
        expect(run('job', 'status', 'greeting').stdout).toMatch(/dead|complete/);
      });
    } finally {
      await end(child);
    }
  });

  it('leaves tasks alone when the agent is stopped, and finds them again', async () => {
    const flags = ['-server', '-client', `-data-dir=${join(folder, 'data')}`];
    const first = await agent(...flags);
    expect(
      run('job', 'run', '-detach', job('long', 'while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.1; done; exit 3'))
        .status,
    ).toBe(0);
    await eventually(() => {
      expect(run('alloc', 'status', allocation('long')).stdout).toMatch(/Client Status\s*= running/);
    });
    await end(first);
    const second = await agent(...flags);
    try {
      const id = allocation('long');
      await eventually(() => {
        const { status, stderr } = run('alloc', 'exec', '-task=t', id, '/bin/sh', '-c', ': > $NOMAD_TASK_DIR/end');
        expect(status, stderr).toBe(0);
      });
      await eventually(() => {
        expect(run('alloc', 'status', id).stdout).toMatch(/Exit Code: 3/);
      });
    } finally {
      run('job', 'stop', '-purge', 'long');
      run('system', 'gc');
      await eventually(() => {
        expect(readdirSync(join(folder, 'data/alloc')).filter((name) => !name.startsWith('.'))).toEqual([]);
      }).finally(() => end(second));
    }
  });

  it('is the Node of its own scripts: a task goes on under the supervisor in TypeScript', async () => {
    const inside = join(folder, 'program', readdirSync(join(folder, 'program'))[0]!);
    const natives = join(inside, 'prebuilt');
    renameSync(natives, `${natives}.away`);
    const child = await agent('-dev');
    try {
      const path = job('fallback', 'echo supervised; exit 0');
      writeFileSync(path, readFileSync(path, 'utf8').replace('"exec"', '"raw_exec"'));
      expect(run('job', 'run', '-detach', path).status).toBe(0);
      await eventually(() => {
        expect(run('alloc', 'status', allocation('fallback')).stdout).toMatch(/Exit Code: 0/);
      });
    } finally {
      await end(child);
      renameSync(`${natives}.away`, natives);
    }
  });

  it('is the Node around a module, in a sandbox too, and ends one that loops for ever', async () => {
    // (module (memory (export "memory") 1) (func (export "_start") (loop br 0)))
    const hex =
      '0061736d01000000 0104016000 00 03020100 0503010001 0713 02 066d656d6f72790200 065f73746172740000 0a0901070003400c000b0b';
    writeFileSync(join(folder, 'loop.wasm'), Buffer.from(hex.replaceAll(' ', ''), 'hex'));
    const config = join(folder, 'modules.hcl');
    writeFileSync(config, `plugin "wasm" { config { module_paths = [${JSON.stringify(folder)}] } }`);
    const child = await agent('-dev', `-config=${config}`);
    try {
      const path = job('loop', '');
      const text = readFileSync(path, 'utf8').replace('"exec"', '"wasm"');
      writeFileSync(path, text.replace(/config \{[^}]*\}/, 'config {\n module = "loop.wasm"\n timeout = "500ms"\n }'));
      expect(run('job', 'run', '-detach', path)).toMatchObject({ status: 0 });
      await eventually(() => {
        expect(run('alloc', 'status', allocation('loop')).stdout).toMatch(/Exit Code: 124/);
      });
    } finally {
      await end(child);
    }
  });

  it('checks and serves a driver out of a file', () => {
    writeFileSync(
      join(folder, 'own.js'),
      `import { defineDriver, option } from 'drover/driver';
export default defineDriver({
  name: 'own',
  version: '1.0.0',
  config: { command: option.string({ required: true }), args: option.list(option.string()) },
  start: ({ config }) => ({ command: config.command, args: config.args }),
});
`,
    );
    const before = existsSync('/var/lib/drover/program');
    const { stdout, stderr } = run('driver', 'check', '-only=ends with its code', '-only=found again', 'own.js');
    expect(existsSync('/var/lib/drover/program')).toBe(before);
    expect(stdout, stderr).toMatch(/own 1\.0\.0: all passed: 3 passed/);
  });

  it('serves its drivers to other hosts', () => {
    const { status, stderr } = run('driver', 'serve', 'exec');
    expect(status).toBe(1);
    expect(stderr).toMatch(/task driver plugin exec/);
  });
});

describe('the systemd unit', () => {
  const unit = readFileSync(join(root, 'packaging/drover.service'), 'utf8');

  it('ends the agent alone and gives it its cgroups', () => {
    expect(unit).toMatch(/^KillMode=process$/m);
    expect(unit).toMatch(/^Delegate=yes$/m);
  });

  it.skipIf(!existsSync('/usr/bin/systemd-analyze'))('is one that systemd understands', () => {
    const copy = join(folder, 'drover.service');
    writeFileSync(copy, unit.replace('/usr/local/bin/drover', program));
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', copy], { encoding: 'utf8' });
    expect(`${status} ${stderr}`).toBe('0 ');
  });
});
