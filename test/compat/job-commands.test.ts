// Commands of job files that need no agent, as processes: jobs in TypeScript, the schema, the import of Compose files.
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');
const program = process.env['DROVER_BIN'] ?? path.join(root, 'bin/drover.js');
const folder = mkdtempSync(path.join(tmpdir(), 'drover-job-commands-'));
const run = (args: readonly string[], cwd = folder) =>
  spawnSync(process.execPath, [program, ...args], { cwd, encoding: 'utf8' });
const write = (name: string, text: string | Uint8Array): string => {
  const file = path.join(folder, name);
  writeFileSync(file, text);
  return file;
};

afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('drover job run FILE.job.ts', () => {
  it('prints the same JSON as the HCL form', () => {
    const typed = write(
      'web.job.ts',
      `import { job, type JobBody } from 'drover/job';
       const body: JobBody = { group: { app: { count: 2 as number, task: { main: { driver: 'mock_driver', config: { run_for: '1s' } } } } } };
       export default job('web', body) satisfies object;\n`,
    );
    const hcl = write(
      'web.nomad.hcl',
      'job "web" {\n  group "app" {\n    count = 2\n    task "main" {\n      driver = "mock_driver"\n      config {\n        run_for = "1s"\n      }\n    }\n  }\n}\n',
    );
    const [a, b] = [run(['job', 'run', '-output', typed]), run(['job', 'run', '-output', hcl])];
    expect([a.status, a.stderr]).toEqual([0, '']);
    expect(a.stdout).toBe(b.stdout);
  });

  it('takes HCL files into a job', () => {
    write(
      'base.nomad.hcl',
      'job "base" {\n  group "app" {\n    task "main" {\n      driver = "mock_driver"\n    }\n  }\n}\n',
    );
    const file = write(
      'mixed.job.ts',
      `import { fromHcl } from 'drover/job';
       export default () => ({ ...fromHcl(new URL('base.nomad.hcl', import.meta.url)), Priority: 80 });\n`,
    );
    expect(JSON.parse(run(['job', 'run', '-output', file]).stdout).Job).toMatchObject({ ID: 'base', Priority: 80 });
  });

  it('says what is wrong with it, without a stack', () => {
    const wrong = write(
      'wrong.job.ts',
      `import { job } from 'drover/job';\nexport default job('x', { prioritty: 5 } as object);\n`,
    );
    const answer = run(['job', 'run', '-output', wrong]);
    expect(answer.status).toBe(1);
    expect(answer.stderr).toContain('"prioritty"');
    expect(answer.stderr).not.toContain('    at ');
  });

  it.each([
    ['const a = 1;\n', /none\.job\.ts:1:1: no job is exported by default; write: export default job\('NAME'/],
    ['const a = 1;\nexport const web = a;\n', /none\.job\.ts:2:1: .*write: export default web$/m],
    ['\nexport default 5;\n', /none\.job\.ts:2:1: what is exported by default is no job; write: export default job/],
  ])('names the place of what it exports instead of a job: %j', (source, problem) => {
    const answer = run(['job', 'run', '-output', write('none.job.ts', source)]);
    expect([answer.status, answer.stdout]).toEqual([1, '']);
    expect(answer.stderr).toMatch(problem);
  });

  it('names the attribute that is wrong, and the call that has it', () => {
    const wrong = [
      [
        'job("x", { group: { g: { task: { t: { drivr: "exec" } } } } } as never)',
        /job\.x\.group\.g\.task\.t\.drivr: .*"driver"/,
      ],
      ['group("g", { count: "two" } as never)', /\ngroup\.g\.count: /],
      [
        'task("t", { driver: "exec", env: { A: ["x"] } } as never)',
        /\ntask\.t\.env: .*"A": a string is required, and this is a tuple/,
      ],
    ] as const;
    for (const [call, problem] of wrong) {
      const source = `import { group, job, task } from 'drover/job';\nvoid [group, job, task];\nexport default ${call};\n`;
      const { stderr } = run(['job', 'run', '-output', write('attribute.job.ts', source)]);
      expect(stderr).toMatch(problem);
      expect(stderr).toMatch(/\n {2}at .*attribute\.job\.ts:3:16\n$/);
    }
  });

  it('names the place of what is no TypeScript, or more than types', () => {
    const broken = run(['job', 'run', '-output', write('broken.job.ts', 'const a = {;\nexport default a;\n')]);
    expect(broken.stderr).toMatch(/broken\.job\.ts:1,\d+: |broken\.job\.ts:\n/);
    const more = run(['job', 'run', '-output', write('enum.job.ts', 'enum A { B }\nexport default A;\n')]);
    expect(more.stderr).toMatch(/enum/);
    for (const answer of [broken, more]) expect([answer.status, /\[object/.test(answer.stderr)]).toEqual([1, false]);
  });

  it.each([
    ['throw new Error("mine");\nexport default {};\n', /failing\.job\.ts:\nmine\n {2}at .*failing\.job\.ts:1:7\n$/],
    ['export default async () => { throw { a: 1 } }\n', /it threw \{ a: 1 \}/],
    ['import { jobb } from "drover/job";\nexport default jobb;\n', /named 'jobb'\n {2}at .*failing\.job\.ts:1/],
    ['const a: any = { ID: "a" };\na.a = a;\nexport default a;\n', /cannot be written as JSON: .*circular/],
    ['export default new Promise(() => {});\n', /it ended before it gave a job/],
    ['process.exit(0);\n', /it ended before it gave a job/],
    [Buffer.from('export default { ID: "\xe4" };\n', 'latin1'), /line 1, column 23: the text is not UTF-8 here/],
    [Buffer.from('\ufeffexport default {};\n', 'utf16le'), /line 1, column 1: the text is in UTF-16/],
    ['export default {};\r\0', /failing\.job\.ts:\d,\d+: |no job/],
    [Buffer.from(Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919) & 255)), /line 1, column \d+: the text is not/],
  ])('says in what way it gives no job, and where: %j', (source, problem) => {
    const answer = run(['job', 'run', '-output', write('failing.job.ts', source)]);
    expect(answer).toMatchObject({ status: 1, stdout: '' });
    expect(answer.stderr).toMatch(problem);
    expect(answer.stderr).not.toMatch(/dist\/|\(node:/);
  });

  it('names the line of an error of syntax in JavaScript too', () => {
    const answer = run(['job', 'run', '-output', write('plain.job.mjs', 'export default\n  const;\n')]);
    expect(answer.stderr).toMatch(/plain\.job\.mjs:2\n/);
  });

  it('the example, cut off at any byte: what is refused is refused at a place, or has no job', () => {
    const cuts = spawnSync(
      process.execPath,
      [path.join(import.meta.dirname, 'cut-modules.mjs'), path.join(root, 'examples/typescript.job.ts'), folder],
      { encoding: 'utf8' },
    );
    expect([cuts.status, cuts.stderr]).toEqual([0, '']);
    const outcomes = cuts.stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { job?: string; problem?: string });
    expect(outcomes.length).toBeGreaterThan(400);
    expect(outcomes.at(-1)).toMatchObject({ job: 'typescript' });
    for (const { job, problem } of outcomes) if (job === undefined) expect(problem).toMatch(/job\.ts:\d+[,:]\d+/);
  });

  it('keeps whole numbers of 64 bits exactly', () => {
    const file = write(
      'big.job.ts',
      `import { task } from 'drover/job';
       const t = task('t', { driver: 'exec', config: { id: 9007199254740993n } } as never);
       export default { ID: 'big', TaskGroups: [{ Name: 'g', Tasks: [t] }] };\n`,
    );
    expect(run(['job', 'run', '-output', file]).stdout).toContain('9007199254740993');
  });

  it('ends by Ctrl-C where the module does not', async () => {
    const file = write('loop.job.ts', 'console.error("here");\nfor (;;) {}\n');
    const child = spawn(process.execPath, [program, 'job', 'run', '-output', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await once(child.stderr, 'data');
    child.kill('SIGINT');
    expect(await once(child, 'exit')).toEqual([null, 'SIGINT']);
  });

  it('has types that an editor finds, and that refuse what is no attribute', () => {
    const file = path.join(root, 'test/compat/.types-of-a-job.ts');
    const check = (source: string) => {
      writeFileSync(file, source);
      return spawnSync(
        path.join(root, 'node_modules/.bin/tsc'),
        [
          '--noEmit',
          '--strict',
          '--module',
          'nodenext',
          '--target',
          'es2023',
          '--skipLibCheck',
          '--types',
          'node',
          '--ignoreConfig',
          file,
        ],
        { cwd: root, encoding: 'utf8' },
      );
    };
    try {
      const good = check(
        `import { job } from 'drover/job';\nexport default job('a', { group: { g: { task: { t: { driver: 'exec' } } } } });\n`,
      );
      expect([good.status, good.stdout]).toEqual([0, '']);
      expect(check(`import { job } from 'drover/job';\nexport default job('a', { prioritty: 5 });\n`).stdout).toContain(
        'prioritty',
      );
    } finally {
      rmSync(file);
    }
  });
});

describe('drover job run of what is no job file', () => {
  const bytes = (name: string, content: Uint8Array): string => {
    writeFileSync(path.join(folder, name), content);
    return name;
  };

  it.each<[string, string[], RegExp]>([
    ['JSON that breaks off', ['-json', write('broken.json', '{"Job": [1')], /broken\.json: invalid JSON at line 1, /],
    ['JSON of something else', ['-json', write('list.json', '[1]')], /list\.json: line 1, column 1: no job with an ID/],
    ['a directory', [folder], / is a directory\n$/],
    [
      'UTF-16',
      [bytes('wide.nomad.hcl', Buffer.from('\ufeffjob "a" {}', 'utf16le'))],
      /wide\.nomad\.hcl:1,1-1: .*in UTF-16; save it as UTF-8/,
    ],
    ['a file that is not there', ['nowhere.nomad.hcl'], /nowhere\.nomad\.hcl: no such file or directory\n$/],
  ])('%s: one message, no stack', (_, args, text) => {
    const answer = run(['job', 'run', '-output', ...args]);
    expect(answer.status).toBe(1);
    expect(answer.stderr).toMatch(text);
    expect(answer.stderr).not.toContain('    at ');
  });
});

describe('drover job schema', () => {
  it('prints a schema that names blocks and attributes', () => {
    const schema = JSON.parse(execFileSync(process.execPath, [program, 'job', 'schema'], { encoding: 'utf8' }));
    expect(Object.keys(schema.$defs)).toContain('TaskGroup');
    expect(schema.$defs.Task.properties).toHaveProperty('kill_timeout');
    expect(schema.$defs.Task.additionalProperties).toBe(false);
  });
});

describe('drover job import', () => {
  it('prints a job file that can be run, and says on standard error what has no like in a job', () => {
    const file = write(
      'compose.yaml',
      'services:\n  web:\n    image: nginx:1\n    ports: ["8080:80"]\n    container_name: web\n',
    );
    const made = run(['job', 'import', '-name', 'shop', file]);
    expect([made.status, made.stderr]).toEqual([
      0,
      'compose: web.container_name: containers are named after their allocation\n',
    ]);
    const parsed = run(['job', 'run', '-output', write('shop.nomad.hcl', made.stdout)]);
    expect([parsed.status, parsed.stderr]).toEqual([0, '']);
    expect(JSON.parse(parsed.stdout).Job.TaskGroups[0].Tasks[0].Config).toEqual({ image: 'nginx:1', ports: ['p80'] });
    expect(run(['fmt', '-check', path.join(folder, 'shop.nomad.hcl')]).status).toBe(0);
  });

  it('refuses what is no Compose file, with the place', () => {
    const made = run(['job', 'import', write('broken.yaml', 'services: [\n')]);
    expect(made.status).toBe(1);
    expect(made.stderr).toMatch(/broken\.yaml:\d+,\d+: ./);
  });

  it('says what file cannot be read, without the words of a system call', () => {
    expect(run(['job', 'import', '/nope']).stderr).toBe('Error reading /nope: no such file or directory\n');
    const utf16 = write('utf16.yaml', Buffer.from('\ufeffservices: {}\n', 'utf16le'));
    expect(run(['job', 'import', utf16]).stderr).toMatch(/utf16\.yaml: line 1, column 1: the text is in UTF-16/);
  });
});
