import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { checkConfig } from './config-check.ts';
import { option } from './config-schema.ts';
import { SpecSchema } from './gen/nomad/hclspec_pb.ts';
import { specOf } from './hclspec.ts';
import { readSpec } from './spec-tree.ts';

const spec = readSpec(
  specOf({
    command: option.string({ required: true }),
    args: option.list(option.string()),
    count: option.number(),
    mount: option.blocks({ target: option.string({ required: true }), readonly: option.bool() }),
  }),
);

describe("a task's options before anybody runs it", () => {
  it('are right where they can be, whatever the variables are', () => {
    const config = {
      command: '${NOMAD_TASK_DIR}/run',
      args: ['${env["A"]}', '${meta.x == "1" ? "a" : upper(attr.kernel.name)}', '%{ if NOMAD_X }a%{ endif }'],
      count: '${NOMAD_ALLOC_INDEX}',
      mount: [{ target: '${node.unique.name}', readonly: '${meta.ro}' }],
    };
    expect(checkConfig(config, spec)).toEqual([]);
  });

  it.each([
    [{ comand: 'x', command: 'x' }, ['comand'], /named "comand".*Did you mean "command"/],
    [{}, [], /"command" is required/],
    [{ command: 'x', count: 'many' }, ['count'], /number is required/],
    [{ command: 'x', args: 'a' }, ['args'], /a list of string is required/],
    [
      { command: 'x', mount: [{ target: '/a' }, { targt: '/b', target: '/c' }] },
      ['mount', 'targt'],
      /Did you mean "target"/,
    ],
    [{ command: 'x', mount: [{ readonly: true }] }, ['mount'], /"target" is required/],
    [{ command: '${' }, ['command'], /./],
  ])('%j is wrong at %j', (config, path, says) => {
    const problems = checkConfig(config, spec);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems[0]!.path).toEqual(path);
    expect(problems[0]!.detail).toMatch(says);
  });

  it('of no specification at all are none that could be wrong', () => {
    expect(() => readSpec(create(SpecSchema))).toThrow(/says nothing/);
  });
});
