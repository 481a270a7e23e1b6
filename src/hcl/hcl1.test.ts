import { describe, expect, it } from 'vitest';
import { evaluate, jsonText, parseHcl1 } from './index.ts';

const jsonOf = (text: string, name: string): string | undefined => {
  const { body, diagnostics } = parseHcl1(text, 'agent.hcl');
  expect(diagnostics).toEqual([]);
  return jsonText(evaluate(body.attributes.get(name)!.expr, {}).value);
};

const problems = (text: string): string[] =>
  parseHcl1(text, 'a.hcl').diagnostics.map((item) => item.subject.toString().slice(6));

describe('parseHcl1', () => {
  it('reads keys, quoted keys, blocks with labels and several items on a line', () => {
    const text =
      '"data_dir" = "/var"\nclient { enabled = true, servers = ["a", "b",] }\nplugin "docker" { config { gc = true } }\n';
    const { body, diagnostics } = parseHcl1(text, 'a.hcl');
    expect(diagnostics).toEqual([]);
    expect([...body.attributes.keys()]).toEqual(['data_dir']);
    expect(body.blocks.map((block) => [block.type, block.labels])).toEqual([
      ['client', []],
      ['plugin', ['docker']],
    ]);
    expect([...body.blocks[0]!.body.attributes.keys()]).toEqual(['enabled', 'servers']);
    expect(body.blocks[1]!.range.toString()).toBe('a.hcl:3,1-41');
  });

  it.each([
    ['a = 0x1F', '31'],
    ['a = -2.5', '-2.5'],
    ['a = "${attr.x == "y"} \\"q\\" \\u00e9"', '"${attr.x == \\"y\\"} \\"q\\" é"'],
    ['a = <<-EOT\n    x\n      y\n    EOT\n', '"x\\n  y\\n"'],
    ['a = { b = 1 c "l" { d = [] } }', '{"b":1,"c":[{"l":{"d":[]}}]}'],
    ['a = 1 # no\na = 2 // yes /*', '2'],
  ])('%s', (text, value) => {
    expect(jsonOf(text, 'a')).toBe(value);
  });

  it('reports each mistake at its place and goes on', () => {
    expect(problems('a = \nb = 1\nc d = 2\ne { f = @ }\ng = "x\n')).toEqual(['2,1-2', '3,5-6', '4,9-10', '5,5-7']);
  });

  it('reports a block that is never closed at its brace', () => {
    expect(problems('client {\n  a = 1\n')).toEqual(['1,8-9']);
  });

  it('reads JSON as such', () => {
    expect(parseHcl1('{"client": {"enabled": true}}', 'a.json').body.json?.kind).toBe('object');
  });
});
