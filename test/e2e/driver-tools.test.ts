// The author's tools as an author uses them: a project from `driver init`, its own tests, the check, the page, the built file.
import { spawn, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drover, eventually, freePort, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';

const root = join(import.meta.dirname, '../..');
const folder = mkdtempSync(join(tmpdir(), 'drover-tools-'));
const project = join(folder, 'greeter');
const bin = join(folder, 'bin');

function sh(command: string, args: readonly string[], cwd: string) {
  const env = { ...process.env, PATH: `${bin}:${process.env['PATH']}`, NO_COLOR: '1' };
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env });
  return { status, stdout, stderr, all: `${stdout}\n${stderr}` };
}

beforeAll(() => {
  mkdirSync(bin);
  symlinkSync(drover, join(bin, 'drover'));
  chmodSync(folder, 0o755);
});

afterAll(() => rmSync(folder, { recursive: true, force: true, maxRetries: 5 }));

describe('a project of drover driver init', () => {
  let packageOfDrover = '';

  beforeAll(() => {
    const packed = sh('npm', ['pack', '--ignore-scripts', '--silent', `--pack-destination=${folder}`], root);
    expect(packed.status, packed.all).toBe(0);
    packageOfDrover = `file:${join(folder, packed.stdout.trim())}`;
    const made = sh('drover', ['driver', 'init', `-sdk=${packageOfDrover}`, 'greeter'], folder);
    expect(made.status, made.all).toBe(0);
    const installed = sh(
      'npm',
      ['install', '--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'],
      project,
    );
    expect(installed.status, installed.all).toBe(0);
  }, 300_000);

  it('is not written over', () => {
    const again = sh('drover', ['driver', 'init', 'greeter'], folder);
    expect(again).toMatchObject({ status: 1, stderr: expect.stringMatching(/greeter is there and is not empty/) });
    expect(sh('drover', ['driver', 'init', 'My Driver'], folder).stderr).toMatch(/small letters/);
  });

  it('has tests of its own that pass, and that fail when the driver is wrong', () => {
    const passed = sh('npm', ['test'], project);
    expect(passed.all).toMatch(/pass 3/);
    expect(passed.status).toBe(0);
    const file = join(project, 'driver.js');
    const text = readFileSync(file, 'utf8');
    writeFileSync(file, text.replace("['-c', config.script", "['-c', 'true'"));
    expect(sh('npm', ['test'], project).status).not.toBe(0);
    writeFileSync(file, text);
  });

  it('for a driver of an engine has tests that pass, and passes the suite with the faults of an engine driver', () => {
    const crate = join(folder, 'crate');
    const made = sh('drover', ['driver', 'init', '-engine', `-sdk=${packageOfDrover}`, 'crate'], folder);
    expect(made.status, made.all).toBe(0);
    // the same modules, from the same package
    symlinkSync(join(project, 'node_modules'), join(crate, 'node_modules'));
    const tested = sh('npm', ['test'], crate);
    expect(tested.all).toMatch(/pass 3/);
    expect(tested.status, tested.all).toBe(0);
    const cases = [
      'a task ends with its code',
      'destroyed only by force',
      'killed in the middle of starts',
      'killed while a task runs',
    ];
    const words = ['driver', 'check', '-json', ...cases.map((name) => `-only=${name}`), 'driver.js'];
    const { rows } = JSON.parse(sh('drover', words, crate).stdout) as { rows: { outcome: string }[] };
    expect(rows.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(rows).toHaveLength(5);
  }, 300_000);

  it('for a driver of an engine loses no signal to what has not quite begun', () => {
    const crate = join(folder, 'crate');
    const late = join(folder, 'late');
    mkdirSync(late);
    writeFileSync(join(late, 'setsid'), '#!/bin/sh\nsleep 1\nexec /usr/bin/setsid "$@"\n', { mode: 0o755 });
    writeFileSync(
      join(crate, 'late.mjs'),
      `import { Engine } from './engine.js';
const engine = await Engine.open(${JSON.stringify(join(late, 'units'))}, 'crate');
const env = { PATH: ${JSON.stringify(`${late}:/usr/bin:/bin`)} };
const files = { directory: '/', stdout: '/dev/null', stderr: '/dev/null' };
await engine.run('u', { script: 'sleep 60', args: ['u'], env, ...files });
await engine.signal('u', 'SIGKILL');
console.log(await engine.wait('u', AbortSignal.timeout(20_000)));
await engine.remove('u');
`,
    );
    const ran = sh('node', ['late.mjs'], crate);
    expect(ran.stdout, ran.all).toBe('137\n');
  });

  it('has a workflow that runs what the package has', () => {
    const workflow = readFileSync(join(project, '.github/workflows/test.yml'), 'utf8');
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>;
    };
    for (const [, name] of workflow.matchAll(/npm (?:run )?(test|check|build)$/gm))
      expect(scripts).toHaveProperty(name!);
  });

  it('is typed: a compiler finds an option that does not exist', () => {
    const tsc = join(root, 'node_modules/.bin/tsc');
    const flags = [
      '--noEmit',
      '--allowJs',
      '--checkJs',
      '--strict',
      '--module',
      'nodenext',
      '--types',
      '',
      '--target',
      'es2023',
    ];
    const good = sh(tsc, [...flags, 'driver.js'], project);
    expect(good.all.trim()).toBe('');
    writeFileSync(
      join(project, 'wrong.js'),
      readFileSync(join(project, 'driver.js'), 'utf8')
        .replace('config.shell }', 'config.shel }')
        .replaceAll('config.shell,', 'config.shel,'),
    );
    const wrong = sh(tsc, [...flags, 'wrong.js'], project);
    rmSync(join(project, 'wrong.js'));
    expect(wrong.all).toMatch(/Property 'shel' does not exist/);
  });

  it('has a page out of its schemas', () => {
    const { stdout } = sh('npm', ['run', '--silent', 'docs'], project);
    expect(stdout).toMatch(/^# Task driver greeter 0\.1\.0/);
    expect(stdout).toMatch(/\| `script` \| string \| \*\*required\*\* \| The text that the shell reads\. \|/);
    const schema = JSON.parse(sh('drover', ['driver', 'docs', '-json-schema=task', 'driver.js'], project).stdout);
    expect(schema).toMatchObject({
      required: ['script'],
      properties: { shell: { type: 'string', default: '/bin/sh' } },
    });
  });

  it('becomes one executable that an agent takes from its plugin_dir', async () => {
    const built = sh('npm', ['run', 'build'], project);
    expect(built.status, built.all).toBe(0);
    expect(readdirSync(join(project, 'dist'))).toEqual(['greeter']);
    // nothing of the project is needed any more
    const plugins = join(folder, 'plugins');
    mkdirSync(plugins);
    sh('cp', [join(project, 'dist/greeter'), plugins], folder);
    const agent = await startAgent({
      config: {
        plugin_dir: plugins,
        plugin: { greeter: { args: [join(folder, 'state')], config: { shells: ['/bin/sh'] } } },
      },
    });
    try {
      await eventually(async () => {
        const { value } = await agent.client.nodes.list();
        expect((await agent.client.nodes.read(value[0]!.ID)).value.Drivers?.['greeter']).toMatchObject({
          Healthy: true,
        });
      });
      const run = await runCli(agent, ['job', 'run', '-detach', join(project, 'example.nomad.hcl')]);
      expect(run.code, run.stderr).toBe(0);
      await eventually(async () => {
        const { value } = await agent.client.allocations.list();
        expect(value[0]?.ClientStatus).toBe('complete');
        expect((await runCli(agent, ['alloc', 'logs', value[0]!.ID, 't'])).stdout).toBe(
          'hello from a driver of my own\n',
        );
      });
    } finally {
      await agent.dispose();
    }
  });
});

describe('drover driver dev', () => {
  it('reloads a saved driver while its task runs, shows the calls, and keeps the old code where the new one does not load', async () => {
    const port = await freePort();
    const output = join(folder, 'dev.log');
    const child = spawn(process.execPath, [drover, 'driver', 'dev', `-http-port=${port}`, 'driver.js'], {
      cwd: project,
      env: { ...process.env, NO_COLOR: '1' },
      stdio: ['ignore', openSync(output, 'w'), openSync(output, 'a')],
    });
    const ended = new Promise((resolve) => child.on('exit', resolve));
    const shows = (text: RegExp) => eventually(() => expect(readFileSync(output, 'utf8')).toMatch(text), 40_000);
    const agent = { address: `http://127.0.0.1:${port}` };
    const file = join(project, 'driver.js');
    const text = readFileSync(file, 'utf8');
    // as many editors do it: another file in place of the old one
    const save = (next: string): void => {
      writeFileSync(`${file}~`, next);
      renameSync(`${file}~`, file);
    };
    try {
      await shows(/greeter runs in an agent at/);
      const job = join(folder, 'dev.nomad.hcl');
      const example = readFileSync(join(project, 'example.nomad.hcl'), 'utf8');
      writeFileSync(job, example.replace('sleep 2', 'while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.1; done; exit 4'));
      await eventually(async () => {
        const { code, stderr } = await runCli(agent, ['job', 'run', '-detach', job]);
        expect(code, stderr).toBe(0);
      });
      await shows(/start {4}\w{8}\/t {2}ok/);
      save(`${text}nonsense(`);
      await shows(/not reloaded: .*driver\.js cannot be loaded: .*\n +at .*\/driver\.js:\d+\n +\S/);
      save(text.replace(/fingerprint: .*/, "fingerprint() { throw new Error('engine is away'); },"));
      await shows(/^fingerprint +unhealthy: .*engine is away/m);
      writeFileSync(file, text.replace("version: '0.1.0'", "version: '0.2.0'"));
      await shows(/from=0\.1\.0 to=0\.2\.0.*tasks=1/);
      await shows(/^fingerprint +healthy/m);
      await shows(/recover {2}\w{8}\/t {2}ok/);
      await shows(/^reloaded in \d+ ms; tasks go on/m);
      const { stdout } = await runCli(agent, ['operator', 'api', '/v1/job/greeter-example/allocations']);
      const [allocation] = JSON.parse(stdout) as { ID: string }[];
      const left = await runCli(agent, [
        'alloc',
        'exec',
        '-task=t',
        allocation!.ID,
        '/bin/sh',
        '-c',
        ': > $NOMAD_TASK_DIR/end',
      ]);
      expect(left.code, left.stderr).toBe(0);
      await shows(/wait {5}\w{8}\/t {2}exit 4/);
    } finally {
      writeFileSync(file, text);
      child.kill('SIGINT');
      await ended;
    }
    expect(readFileSync(output, 'utf8')).toMatch(/stopping …/);
  });
});

const tmux = existsSync('/usr/bin/tmux');

describe('drover driver check', () => {
  const rows = (stdout: string) => JSON.parse(stdout) as { rows: { name: string; outcome: string; reason: string }[] };

  it('passes a driver of the kit', () => {
    const { stdout, status } = sh('drover', ['driver', 'check', '-json', 'driver.js'], project);
    const report = rows(stdout);
    expect(report.rows.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
    expect(report.rows.length).toBeGreaterThan(25);
    expect(status).toBe(0);
  }, 300_000);

  it.skipIf(!tmux)(
    `passes the example of an engine's driver${tmux ? '' : ' (skipped: no tmux)'}`,
    () => {
      const example = join(import.meta.dirname, '../../examples/drivers/tmux.mjs');
      const cases = ['a task ends with its code', 'output is kept', 'stop ends a task', 'killed while a task runs'];
      const { stdout, status } = sh(
        'drover',
        ['driver', 'check', '-json', ...cases.map((name) => `-only=${name}`), example],
        folder,
      );
      const report = rows(stdout);
      expect(report.rows.filter(({ outcome }) => outcome !== 'passed')).toEqual([]);
      expect(report.rows).toHaveLength(5);
      expect(status).toBe(0);
    },
    300_000,
  );

  it('fails one that leaves processes, invents ends and starts tasks twice, and names each', async () => {
    const file = join(folder, 'careless.js');
    // as an executor that a killed plugin leaves: not a task's process, and told from others by its argument
    const ownSeconds = `9${process.pid}.5`;
    writeFileSync(
      file,
      `import { spawn } from 'node:child_process';
import { definePlugin, option, fingerprints } from 'drover/driver';
export default definePlugin({
  pluginName: 'careless', version: '1.0.0', configSchema: {},
  taskSchema: { command: option.string({ required: true }), args: option.list(option.string()) },
  create: () => (spawn('sleep', ['${ownSeconds}'], { detached: true, stdio: 'ignore' }).unref(), {
    info: { name: 'careless', version: '1.0.0', filesystem: 'none', networkModes: ['host'], mounts: false },
    fingerprint: (signal) => fingerprints(() => ({ health: 'healthy', description: 'Healthy', attributes: {} }), signal),
    async start(task) {
      spawn(task.config.command, task.config.args, { env: task.env, detached: true, stdio: 'ignore' }).on('error', () => {}).unref();
      return { state: { version: 1 } };
    },
    recover: async () => ({ state: { version: 1 } }),
    wait: async () => ({ exitCode: 0, signal: 0, oomKilled: false }),
    stop: async () => {},
    destroy: async () => {},
    inspect: async () => ({ state: 'running', startedAt: 0n, completedAt: null, exit: null, attributes: {} }),
    close: async () => {},
  }),
});
`,
    );
    const cases = ['a known id is refused', 'a task ends with its code', 'keeps its tasks', 'two starts of one id'];
    const { stdout, status } = sh(
      'drover',
      ['driver', 'check', '-json', ...cases.map((name) => `-only=${name}`), file],
      folder,
    );
    expect(status).toBe(1);
    const failed = new Map(
      rows(stdout)
        .rows.filter(({ outcome }) => outcome === 'failed')
        .map(({ name, reason }) => [name, reason]),
    );
    expect(failed.get('a known id is refused')).toMatch(/expected a refusal \(exists\), but it was done/);
    expect(failed.get('a task ends with its code, and the end can be asked again and by many')).toBeDefined();
    expect(failed.get('configured a second time it keeps its tasks')).toMatch(/processes of the task are still there/);
    expect(failed.get('two starts of one id at once give one task')).toBeDefined();
    expect(failed.get('no process of any task is left behind')).toMatch(/still there: \d+ /);
    // and the check itself cleaned up after it
    const left = () =>
      readdirSync('/proc').filter((pid) => {
        try {
          if (readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(ownSeconds)) return true;
          return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes('DROVER_CHECK=');
        } catch {
          return false;
        }
      });
    // what was killed is gone a moment later
    await expect.poll(left).toEqual([]);
  }, 400_000);

  it('names no case that there is not, and has not passed when Ctrl-C ends it', async () => {
    const none = sh('drover', ['driver', 'check', '-only=no such', 'mock_driver'], folder);
    expect(none).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/no case has a name that contains "no such"/),
    });
    const child = spawn(process.execPath, [drover, 'driver', 'check', 'mock_driver'], {
      cwd: folder,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const output: string[] = [];
    const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve(signal ?? code)));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output.push(text);
      if (output.join('').includes('ok ')) child.kill('SIGINT');
    });
    expect(await ended).toBe('SIGINT');
    expect(output.join('')).not.toMatch(/passed/);
  });

  it('says of what is no plugin what it is', () => {
    writeFileSync(join(folder, 'liar'), '#!/bin/sh\necho hello\n', { mode: 0o755 });
    expect(sh('drover', ['driver', 'check', './liar'], folder)).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/liar: the plugin cannot be used: .*hello/),
    });
    writeFileSync(join(folder, 'empty.js'), 'export default 5;\n');
    expect(sh('drover', ['driver', 'check', 'empty.js'], folder).stderr).toMatch(/holds no driver/);
    writeFileSync(join(folder, 'tasks.hcl'), 'end { command = "x" }\nruns { command = nope }\n');
    const wrong = sh('drover', ['driver', 'check', '-tasks=tasks.hcl', 'mock_driver'], folder);
    expect(wrong.stderr).toMatch(/tasks\.hcl:1,1.*Did you mean "ends"/);
    expect(wrong.stderr).toMatch(/tasks\.hcl:2/);
  });
});

describe('the tools used wrongly', () => {
  const source = "export { default } from './real.mjs';\n";

  beforeAll(() => {
    mkdirSync(join(folder, 'wrong'));
    writeFileSync(join(folder, 'wrong/d.mjs'), source);
    writeFileSync(
      join(folder, 'wrong/real.mjs'),
      `import { defineDriver } from 'drover/driver';\nexport default defineDriver({ name: 'd', version: '1.0.0', config: {}, start: () => ({ command: ['true'] }) });\n`,
    );
  });

  it('init names what is no directory', () => {
    writeFileSync(join(folder, 'wrong/file'), '');
    const at = (path: string) => sh('drover', ['driver', 'init', `-dir=${path}`, 'x'], join(folder, 'wrong'));
    expect(at('file')).toMatchObject({
      status: 1,
      stderr: 'file is there and is no directory: name another with -dir\n',
    });
    expect(at('file/below')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^Error: ENOTDIR: .*file\/below'\n$/),
    });
    expect(at('/proc/x')).toMatchObject({
      status: 1,
      stderr: 'Error: ENOENT: the directory /proc/x cannot be made: /proc takes no directories\n',
    });
  });

  it('build writes neither over its source nor a trace of itself beside it', () => {
    const inside = join(folder, 'wrong');
    const build = (...words: string[]) => sh('drover', ['driver', 'build', ...words, 'd.mjs'], inside);
    const before = readdirSync(inside);
    expect(build('-o', 'd.mjs')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/d\.mjs is the driver's own source/),
    });
    expect(readFileSync(join(inside, 'd.mjs'), 'utf8')).toBe(source);
    expect(build('-o', 'no/such')).toMatchObject({
      status: 1,
      stderr: expect.stringMatching(/^there is no directory .*\/no to write into\n$/),
    });
    // not a file of that name
    expect(build('-o', 'no/').stderr).toMatch(/^there is no directory .*\/no to write into\n$/);
    expect(readdirSync(inside)).toEqual(before);
    expect(build('-o', 'built').stdout).toMatch(/driver d 1\.0\.0/);
    expect(readdirSync(inside)).toEqual([...before, 'built'].sort());
  });

  it('dev that is ended while its agent starts leaves no process and no file', async () => {
    const TMPDIR = join(folder, 'tmp');
    mkdirSync(TMPDIR);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) {
      const port = String(await freePort());
      const child = spawn(process.execPath, [drover, 'driver', 'dev', '-http-port', port, 'd.mjs'], {
        cwd: join(folder, 'wrong'),
        env: { PATH: process.env['PATH'], TMPDIR },
        stdio: 'ignore',
      });
      const ended = new Promise((resolve) => child.once('exit', resolve));
      await eventually(async () => {
        const [made] = readdirSync(TMPDIR);
        if (made === undefined || !existsSync(join(TMPDIR, made, 'plugins/d'))) throw new Error('nothing is there yet');
      }, 60_000);
      child.kill(signal);
      await ended;
      expect(readdirSync(TMPDIR), signal).toEqual([]);
      // a machine that was tried meanwhile hears of it as the agent ends
      await expect.poll(() => processesIn(TMPDIR), { message: signal }).toEqual([]);
    }
  }, 300_000);
});

function processesIn(path: string): string[] {
  const lines = sh('ps', ['-eo', 'args'], folder).stdout.split('\n');
  return lines.filter((line) => line.includes(path));
}
