// Recorded cases of a driver's options: job file → JSON → value of the driver's schema → MessagePack, or where it is refused.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { create } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { variableTree } from '../../src/client/config-template.ts';
import { decodeThroughSpec } from '../../src/driver/config-chain.ts';
import { SpecSchema } from '../../src/driver/gen/nomad/hclspec_pb.ts';
import { readSpec, type SpecNode } from '../../src/driver/spec-tree.ts';
import { jsonText, type Value } from '../../src/hcl/index.ts';
import { parseJob } from '../../src/jobspec/index.ts';
import { formatJson, parseJson } from '../../src/lib/json.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';
import { attribute, block, blockAttributes, blockMap, dockerSchema, object, otherwise } from './docker-schema.ts';

const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
const file = path.join(goldens, 'config-chain.txt');
const present = existsSync(file);

const small = create(
  SpecSchema,
  object({
    name: attribute('name', 'string'),
    n: attribute('n', 'number'),
    any: attribute('any', 'any'),
    binds: attribute('bind', 'list(string)'),
    gc: otherwise(
      block('gc', {
        container: otherwise(attribute('container', 'bool'), 'true'),
        label: attribute('label', 'string'),
      }),
      '{ container = true }',
    ),
    opts: blockAttributes('opts', 'string'),
    ns: blockMap('ns', ['name'], { b: attribute('b', 'list(string)') }),
  }),
);

const variables = variableTree({
  variables: {
    FOO: 'bar',
    'with.dot': 'dotted',
    NOMAD_META_hello: 'world',
    NOMAD_PORT_http: '8080',
    NOMAD_ALLOC_INDEX: '2',
  },
  nodeNames: new Map([
    ['node.unique.id', 'n-1'],
    ['node.datacenter', 'dc1'],
    ['meta.rack', 'r1'],
    ['meta.a-b', 'dash'],
    ['attr.kernel.name', 'linux'],
    ['attr.driver.docker', '1'],
    ['attr.driver.docker.version', '20.10'],
  ]),
});

interface Outcome {
  readonly api?: string;
  readonly evalError?: string;
  readonly decodeError?: string;
  readonly keys?: string;
  readonly values: readonly string[];
  readonly msgpack?: string;
}

interface Case {
  readonly name: string;
  readonly body: string;
  readonly want: Outcome;
}

/** The cases of job files, then those of the operator's block, of which only the JSON is recorded. */
function readCases(): { jobs: Case[]; operator: Case[] } {
  const [jobPart = '', operatorPart = ''] = readFileSync(file, 'utf8').split(/^##### .*$/m);
  const jobs = jobPart
    .split(/^===== /m)
    .slice(1)
    .map((text) => {
      const [name = '', ...lines] = text.split('\n');
      const end = lines.findIndex((line) => line.startsWith('-- ') || line.startsWith('EVAL ERR: '));
      return { name, body: lines.slice(0, end).join('\n'), want: outcomeOf(lines.slice(end)) };
    });
  const operator = operatorPart
    .split(/^(?=-- API JSON)/m)
    .slice(1)
    .map((text, index) => ({ name: `operator ${index}`, body: '', want: outcomeOf(text.split('\n')) }));
  return { jobs, operator };
}

function outcomeOf(lines: readonly string[]): Outcome {
  const after = (head: RegExp) => lines.map((line) => head.exec(line)?.[1]).find((found) => found !== undefined);
  const found = {
    api: after(/^-- API JSON Task\.Config: (.*)$/),
    evalError: after(/^EVAL ERR: (.*)$/),
    decodeError: after(/^-- DECODE ERR: (.*)$/),
    keys: after(/^-- decoded object: (.*); non-null:$/),
    msgpack: after(/^-- msgpack (.*)$/),
  };
  const values = lines.filter((line) => line.startsWith('     ')).map((line) => line.trim());
  return {
    ...(Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined)) as object),
    values,
  };
}

const headLines = 4;
const jobFile = (body: string) =>
  `variable "img" { default = "redis:7" }\njob "j" {\ngroup "g" {\ntask "t" {\nconfig {\n${body}\n}\ndriver = "d"\n}\n}\n}\n`;

function outcome(api: string, spec: SpecNode, names: ReadonlyMap<string, Value> | null): Outcome {
  const result = decodeThroughSpec(parseJson(api), spec, names);
  if (!result.ok) return { api, decodeError: result.problems.join(' | '), values: [] };
  const entries = [...(result.value.data as ReadonlyMap<string, Value>)];
  const nulls = entries.filter(([, value]) => value.state === 'null').length;
  const values = entries
    .filter(([, value]) => value.state !== 'null')
    .map(([name, value]) => `${name} = ${shown(value)}`)
    .sort();
  const hex = Buffer.from(result.msgpack).toString('hex');
  const size = hex.length / 2;
  const msgpack = size > 200 ? `${size} bytes, head ${hex.slice(0, 48)}` : `(${size} bytes): ${hex}`;
  return { api, keys: `${entries.length} keys, ${nulls} null`, values, msgpack };
}

/** Numbers of the recording that are no integers of 64 bits were printed as texts. */
function shown(value: Value): string {
  const text = jsonText(value) ?? '?';
  return value.type.kind === 'number' && (text.includes('.') || text.length > 19) ? JSON.stringify(text) : text;
}

function run({ name, body }: Case, spec: SpecNode): Outcome {
  const host = nodeFunctionHost({ workingDirectory: goldens });
  const parsed = parseJob({ source: Buffer.from(jobFile(body)), filename: 'job.hcl', host });
  const config = parsed.job?.TaskGroups?.[0]?.Tasks?.[0]?.Config;
  if (config === undefined || config === null) {
    // a job file says first that nothing was found, then why
    const first = parsed.diagnostics.find(({ summary }) => summary !== 'Unsuitable value type');
    const at = first?.subject;
    const place = at === undefined ? '-' : `${at.startLine - headLines},${at.startColumn}-${at.endColumn}`;
    return { evalError: `job.hcl:${place}: ${first?.summary}; ${first?.detail}`, values: [] };
  }
  expect(parsed.diagnostics, name).toEqual([]);
  return outcome(formatJson(config), spec, variables);
}

/** Places and summaries are compared, and every quoted name; the other words are our own. */
function comparable(text: string | undefined, separator: string): unknown {
  if (text === undefined) return undefined;
  const [head = '', ...rest] = text.split(separator);
  return [head, (rest.join(separator).match(/"[^"]+"/g) ?? []).sort()];
}

/** An option that is null and one that is absent are the same. */
function withoutNulls(config: unknown): unknown {
  return Object.fromEntries(Object.entries(config as object).filter(([, value]) => value !== null));
}

function compare(got: Outcome, { want }: Case): string | undefined {
  const form = ({ api, evalError, decodeError, keys, values, msgpack }: Outcome) => ({
    keys,
    values,
    msgpack,
    api: api === undefined ? undefined : withoutNulls(parseJson(api)),
    evalError: comparable(evalError, '; '),
    decodeError: comparable(decodeError, ': '),
  });
  const [a, b] = [formatJson(form(want)), formatJson(form(got))];
  return a === b ? undefined : `\n  want ${a}\n  got  ${b}`;
}

describe.skipIf(!present)(`recorded options of drivers (${present ? file : `skipped: no ${file}`})`, () => {
  const { jobs, operator } = present ? readCases() : { jobs: [], operator: [] };
  const firstSmall = jobs.findIndex(({ name }) => name === 'empty');

  it.each(jobs.map((each, index) => [each.name, each, index] as const))('%s', (_, each, index) => {
    const got = run(each, readSpec(index < firstSmall ? dockerSchema : small));
    expect(compare(got, each)).toBeUndefined();
  });

  it.each(operator.map((each) => [each.name, each] as const))('%s', (_, each) => {
    expect(compare(outcome(each.want.api ?? '', readSpec(small), null), each)).toBeUndefined();
  });
});
