// The schemas that editors get, judged by a validator that is not ours: over every recorded and example job, in both JSON forms.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, it } from 'vitest';
import { type Body, type Expression, parseNative } from '../../src/hcl/index.ts';
import { apiJobSchema, jobSchema, parseJob } from '../../src/jobspec/index.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';

const root = path.resolve(import.meta.dirname, '../..');
const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(root, '../shared/goldens');
const folders = [path.join(root, 'examples'), path.join(goldens, 'jobs')].filter(existsSync);
const files = (ending: string) =>
  folders.flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(ending))
      .map((name) => [name, path.join(folder, name)] as const),
  );

const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true, strictTypes: false });
const hclForm = ajv.compile(jobSchema());
const apiForm = ajv.compile(apiJobSchema());
const problems = (validate: typeof hclForm, value: unknown) =>
  validate(value) ? [] : validate.errors!.map((error) => `${error.instancePath} ${error.message}`);

/** A body in HCL's JSON syntax: plain values as they are, all else as an expression in a template. */
function asJson(body: Body, text: string): object {
  const properties: { [name: string]: unknown } = {};
  for (const { name, expr } of body.attributes.values()) properties[name] = plainOf(expr, text);
  for (const block of body.blocks) {
    const inner = block.labels.reduceRight<unknown>((inside, label) => ({ [label]: inside }), asJson(block.body, text));
    properties[block.type] = [...((properties[block.type] as unknown[] | undefined) ?? []), inner];
  }
  return properties;
}

function plainOf(expr: Expression, text: string): unknown {
  if (expr.kind === 'literal')
    return expr.value.type.kind === 'number' ? Number(sourceOf(expr, text)) : expr.value.data;
  if (expr.kind === 'tuple') return expr.items.map((item) => plainOf(item, text));
  return `\${${sourceOf(expr, text)}}`;
}

const sourceOf = ({ range }: Expression, text: string): string =>
  Buffer.from(text).subarray(range.startByte, range.endByte).toString();

describe('the schema of job files', () => {
  it.each(files('.nomad.hcl'))('takes %s, written in JSON', (_, file) => {
    const text = readFileSync(file, 'utf8');
    if (text.trimStart().startsWith('{')) {
      expect(problems(hclForm, JSON.parse(text))).toEqual([]);
      return;
    }
    const { body } = parseNative(text, file);
    expect(problems(hclForm, asJson(body, text))).toEqual([]);
  });

  it('refuses what the parser refuses', () => {
    const task = (inside: object) => ({ job: { a: { group: { g: { task: { t: { driver: 'exec', ...inside } } } } } } });
    const parses = (value: object) => parseJob({ source: JSON.stringify(value), filename: 'f.json' }).job !== null;
    for (const good of [{}, { leader: true }, { kill_timeout: '5s' }, { leader: 'true' }]) {
      expect([parses(task(good)), problems(hclForm, task(good))]).toEqual([true, []]);
    }
    for (const bad of [{ leeder: true }, { leader: 'ja' }, { kill_timeout: 'five' }, { resources: { cpus: 1 } }]) {
      expect(parses(task(bad))).toBe(false);
      expect(problems(hclForm, task(bad))).not.toEqual([]);
    }
  });
});

describe('the schema of the API form', () => {
  const recorded = files('.json').filter(([name]) => !/\.(vars|diag)\.json$|^package/.test(name));

  it.skipIf(recorded.length === 0)('takes every recorded job, as it was parsed and as the server keeps it', () => {
    for (const [name, file] of recorded) {
      const value = JSON.parse(readFileSync(file, 'utf8')) as {
        job?: unknown;
        refused?: string;
        environment?: boolean;
      };
      if (value.refused !== undefined || value.environment === true) continue;
      expect(problems(apiForm, name.endsWith('.registered.json') ? value.job : value), name).toEqual([]);
    }
  });

  it.each(files('.nomad.hcl'))('takes what %s parses to', (_, file) => {
    const host = nodeFunctionHost({ workingDirectory: path.dirname(file) });
    const { job } = parseJob({ source: readFileSync(file), filename: file, strict: false, host });
    if (job !== null) expect(problems(apiForm, JSON.parse(JSON.stringify(job)))).toEqual([]);
  });

  it('refuses a misspelt name, and a number where a text belongs', () => {
    expect(problems(apiForm, { ID: 'a', Naem: 'a' })).not.toEqual([]);
    expect(problems(apiForm, { Job: { ID: 5 } })).not.toEqual([]);
  });
});
