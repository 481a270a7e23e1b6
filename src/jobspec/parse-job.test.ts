import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../hcl/index.ts';
import { parseJob } from './parse-job.ts';

const parse = (source: string, variables = {}) => parseJob({ source, filename: 'f', variables });
const problems = (source: string, variables = {}) => parse(source, variables).diagnostics.map(formatDiagnostic);
const task = (inner: string) =>
  `job "j" {\n  group "g" {\n    task "t" {\n      driver = "x"\n${inner}\n    }\n  }\n}\n`;
const firstTask = (inner: string) => parse(task(inner)).job?.TaskGroups?.[0]?.Tasks?.[0];

describe('a job file', () => {
  it('gives the JSON of the API, with null for what it does not mention and nothing defaulted', () => {
    const { job, diagnostics } = parse('job "j" {\n  group "g" {\n    count = 2\n  }\n}\n');
    expect(diagnostics).toEqual([]);
    expect(job).toMatchObject({
      ID: 'j',
      Name: 'j',
      Type: null,
      Dispatched: false,
      TaskGroups: [{ Name: 'g', Count: 2, Tasks: null }],
    });
  });

  it('may be written in the JSON syntax', () => {
    expect(parse('{"job": {"j": {"group": {"g": {"count": "2"}}}}}').job).toMatchObject({
      ID: 'j',
      TaskGroups: [{ Count: 2 }],
    });
  });

  it('has the port blocks with a number as reserved ports', () => {
    const { job } = parse('job "j" {\n group "g" {\n network {\n port "a" {}\n port "b" { static = 80 }\n }\n }\n}\n');
    expect(job?.TaskGroups?.[0]?.Networks?.[0]).toMatchObject({
      DynamicPorts: [{ Label: 'a', Value: 0 }],
      ReservedPorts: [{ Label: 'b', Value: 80 }],
    });
  });

  it('leaves names that only the client knows as they are', () => {
    expect(firstTask('env {\n A = "${attr.kernel.name}-${NOMAD_ALLOC_ID}"\n B = node.class\n}')?.Env).toEqual({
      A: '${attr.kernel.name}-${NOMAD_ALLOC_ID}',
      B: '${node.class}',
    });
  });

  it('reads config without a schema: blocks and literal objects are lists of maps', () => {
    const config =
      'config {\n port_map = { a = 1 }\n merged = merge({ a = 1 }, {})\n mount {\n type = "bind"\n }\n x "l" {\n y = 5\n }\n}';
    expect(firstTask(config)?.Config).toEqual({
      port_map: [{ a: 1 }],
      merged: { a: 1 },
      mount: [{ type: 'bind' }],
      x: [{ l: [{ y: 5 }] }],
    });
  });

  it('leaves attributes of config out that are null', () => {
    expect(firstTask('config {\n a = null\n b = [null]\n}')?.Config).toEqual({ b: [null] });
  });

  it('keeps integers of 64 bits in config exactly', () => {
    expect(firstTask('config {\n n = 9007199254740993\n}')?.Config).toEqual({ n: 9007199254740993n });
  });

  it('makes one group of each task of the job itself, before the others', () => {
    const { job } = parse('job "j" {\n group "g" {}\n task "t" {\n driver = "x"\n }\n}\n');
    expect(job?.TaskGroups?.map(({ Name }) => Name)).toEqual(['t', 'g']);
  });

  it("adds a group's secrets to a task's own", () => {
    const { job } = parse(
      'job "j" {\n group "g" {\n secret "a" {\n provider = "nomad"\n path = "p"\n }\n task "t" {\n driver = "x"\n secret "b" {\n provider = "nomad"\n path = "p"\n }\n }\n }\n}\n',
    );
    expect(job?.TaskGroups?.[0]?.Tasks?.[0]?.Secrets?.map(({ Name }) => Name)).toEqual(['b', 'a']);
  });

  it('says every problem at its place', () => {
    expect(
      problems('job "j" {\n  priority = "high"\n  colour = "red"\n  group "g" {\n    count = 1.5\n  }\n}\n'),
    ).toEqual([
      'f:2,15-19: Unsuitable value type; Unsuitable value: a number is required',
      'f:3,3-9: Unsupported argument; An argument named "colour" is not expected here.',
      'f:5,13-16: Unsuitable value type; Unsuitable value: a whole number is required',
    ]);
  });

  it('refuses a second block where one is allowed', () => {
    expect(problems('job "j" {\n  update {}\n  update {}\n}\n')).toEqual([
      'f:3,3-9: Duplicate update block; Only one block of type "update" is allowed. Previous definition was at f:2,3-9.',
    ]);
  });

  it('has no files for its functions where none are handed in', () => {
    expect(problems('job "j" {\n  name = file("/etc/hostname")\n}\n')[0]).toBe(
      'f:2,10-15: Error in function call; Call to function "file" failed: filesystem function disabled.',
    );
  });
});

describe('variables', () => {
  const source = 'variable "v" { default = "d" }\njob "j" {\n  name = var.v\n}\n';
  const name = (variables: object) => parse(source, variables).job?.Name;

  it('come from the default, the environment, files and flags, the later winning', () => {
    const env = { NOMAD_VAR_v: 'env', HOME: '/' };
    const files = [{ name: 'a.hcl', source: 'v = "file"' }];
    expect(name({})).toBe('d');
    expect(name({ env })).toBe('env');
    expect(name({ env, files })).toBe('file');
    expect(name({ env, files, inline: 'v = "inline"' })).toBe('inline');
    expect(name({ env, files, flags: ['v=flag', 'v=last'] })).toBe('last');
  });

  it('that are unset are named, and what only follows from them is not said', () => {
    expect(problems('variable "n" {}\njob "j" {\n  name = "x-${var.n}"\n}\n')).toEqual([
      'f:1,1-13: Unset variable "n"; it has no default: set it by -var n=VALUE, in a file for -var-file, or as NOMAD_VAR_n',
    ]);
  });

  it('that are not declared are an error only when strict', () => {
    expect(parse('job "j" {}\n', { flags: ['x=1'] }).job).toBeNull();
    expect(
      parseJob({ source: 'job "j" {}\n', filename: 'f', variables: { flags: ['x=1'] }, strict: false }).job?.ID,
    ).toBe('j');
  });

  it('are checked by their rules', () => {
    const rule =
      'variable "p" {\n  type = number\n  validation {\n    condition = var.p > 1024\n    error_message = "Port ${var.p} is privileged."\n  }\n}\njob "j" {}\n';
    expect(parse(rule, { flags: ['p=8080'] }).job?.ID).toBe('j');
    expect(problems(rule, { flags: ['p=80'] })[0]).toContain('Invalid value for variable; Port 80 is privileged.');
  });

  it('of complex types are expressions, and are kept as HCL with the submission', () => {
    const list =
      'variable "l" { type = list(string) }\nvariable "s" { type = string }\njob "j" {\n  datacenters = var.l\n}\n';
    const { job, submission } = parse(list, { flags: ['l=["a","b"]', 's=x'] });
    expect(job?.Datacenters).toEqual(['a', 'b']);
    expect(submission).toMatchObject({ Format: 'hcl2', VariableFlags: { s: 'x' }, Variables: 'l = ["a","b"]' });
  });
});

describe('locals', () => {
  it('refer to each other in any order', () => {
    expect(parse('locals {\n a = "${local.b}!"\n b = "x"\n}\njob "j" {\n  name = local.a\n}\n').job?.Name).toBe('x!');
  });

  it('that go in a circle are reported, each once', () => {
    expect(problems('locals {\n  a = local.b\n  b = local.a\n}\njob "j" {}\n')).toHaveLength(2);
  });
});

describe('whatever stands in a file', () => {
  const pieces = fc.constantFrom(
    'job',
    '"a"',
    '{',
    '}',
    '\n',
    '=',
    'group',
    'task',
    'config',
    'env',
    'dynamic',
    'for_each',
    'content',
    'variable',
    'default',
    'locals',
    'var.a',
    'local.b',
    '${',
    '[',
    ']',
    '1',
    '"x"',
    'meta',
    'network',
    'port',
    'constraint',
    'template',
    'null',
    '<<E\nE\n',
    '{"job":',
    ',',
    ':',
    'file("x")',
    'validation',
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 60 }).map((parts) => parts.join(' ')),
  );

  it('gives a job or problems with a place inside the file, never an exception', () => {
    fc.assert(
      fc.property(texts, (source) => {
        const { job, diagnostics } = parse(source);
        expect(job !== null).toBe(!diagnostics.some(({ severity }) => severity === 'error'));
        const size = new TextEncoder().encode(source).length;
        for (const { subject, summary, detail } of diagnostics) {
          expect(summary).not.toBe('');
          expect(detail).not.toBe('');
          expect(subject.startByte >= 0 && subject.endByte <= size && subject.startByte <= subject.endByte).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('gives a located problem where a good file is cut off', () => {
    const whole = `variable "v" { default = 1 }\n${task('config {\n a = ["x", { b = 1 }]\n}\ntemplate {\n data = <<EOT\nx\nEOT\n}')}`;
    expect(parse(whole).diagnostics).toEqual([]);
    for (let end = 0; end < whole.trimEnd().length; end++) expect(parse(whole.slice(0, end)).job).toBeNull();
  });
});
