// What a problem of a job file says beyond its place: what was expected, what was likely meant, where a thing belongs.
import { describe, expect, it } from 'vitest';
import { tellingDiagnostics } from '../hcl/index.ts';
import { parseJob } from './parse-job.ts';

const problems = (source: string): string[] =>
  tellingDiagnostics(parseJob({ source, filename: 'f' }).diagnostics).map(
    (item) => `${item.subject}: ${item.summary}; ${item.detail}`,
  );
const group = (inside: string): string => `job "a" {\n  group "g" {\n    ${inside}\n  }\n}\n`;

describe('a problem of a job file', () => {
  it.each([
    ['job "a" {\n  count = 2\n}\n', 'f:2,3-8', '"count" belongs in the block "group".'],
    [group('driver = "exec"'), 'f:3,5-11', '"driver" belongs in the block "task".'],
    [group('datacenters = []'), 'f:3,5-16', '"datacenters" belongs in the block "job" around this one.'],
    ['group "g" {\n}\njob "a" {\n}\n', 'f:1,1-6', '"group" belongs in the block "job".'],
    ['{"Job": {"ID": "a"}}', 'f:1,2-7', 'the commands take it with -json'],
    [group('counts = 2'), 'f:3,5-11', 'Did you mean "count"?'],
    [group('shutdown_delay = "5"'), 'f:3,23-24', '"5s"'],
    ['job "a" {\n  datacenters = "dc1"\n}\n', 'f:2,18-21', 'write it in brackets'],
    ['job {\n}\n', 'f:1,5-6', 'job "name" {'],
    ['variable "image" {\n  default = ""\n}\njob "a" {\n  region = var.imgae\n}\n', 'f:5,15-21', '"image"?'],
    ['job "a" {\n  region = var.b\n}\n', 'f:2,15-17', 'Declare it: variable "b" {}'],
    ['variable "b" {\n}\njob "a" {\n}\n', 'f:1,1-13', 'Unset variable "b"'],
    [group('isolation {\n min = "sandbocks"\n }'), 'f:4,9-18', 'isolation min is one of none, process, sandbox'],
    [group('isolation {\n require = ["pids",\n "moat"]\n }'), 'f:4,12-13', 'isolation require knows no "moat"'],
    ['job "a" {\n  isolation {\n    on_degrade = "shrug"\n  }\n}\n', 'f:3,19-24', 'is one of warn, restart, stop'],
    ['locals {\n  one = 1\n}\njob "a" {\n  region = local.on\n}\n', 'f:5,17-20', '"one"?'],
  ])('%j', (source, place, words) => {
    const found = problems(source);
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(place);
    expect(found[0]).toContain(words);
  });

  it('says of locals in a circle who is in it, and nothing of who only waits for them', () => {
    const found = problems(
      'locals {\n  a = local.b\n  b = local.a\n  c = local.a\n}\njob "x" {\n  region = local.c\n}\n',
    );
    expect(found.map((item) => item.slice(0, 4))).toEqual(['f:2,', 'f:3,', 'f:4,']);
    expect(found[0]).toContain('local.a, local.b');
    expect(found[0]).not.toContain('local.c');
  });

  it('is not hidden when nothing else is there to tell', () => {
    const { diagnostics } = parseJob({ source: 'job "a" {\n  region = try(nope())\n}\n', filename: 'f' });
    expect(tellingDiagnostics(diagnostics).length).toBeGreaterThan(0);
  });
});
