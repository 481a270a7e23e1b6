// Files beside the job in HCL – values of variables, jobs in HCL's JSON syntax – cut off, or saved as something else.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Diagnostic } from '../hcl/index.ts';
import { parseJob } from './parse-job.ts';

const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
const recorded = (matches: (name: string, text: Buffer) => boolean): [string, Buffer][] => {
  const folder = path.join(goldens, 'jobs');
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .map((name): [string, Buffer] => [name, readFileSync(path.join(folder, name))])
    .filter(([name, text]) => matches(name, text));
};

const values = `# of one place
count = 3
name  = "web \${1 + 1}"
tags  = ["a", "b"]
sizes = { small = 1, "large" = 2.5 }
text  = <<-EOT
  a line
  EOT
`;
const jobFile = `variable "count" {}
variable "name" {}
variable "tags" {}
variable "sizes" {}
variable "text" {}
job "a" {
  group "g" {
    task "t" {
      driver = "exec"
    }
  }
}
`;
const valuesInJson = JSON.stringify({ count: 3, name: 'web', tags: ['a'], sizes: { small: 1 }, text: 'é\n' }, null, 2);
const jobInJson = JSON.stringify(
  {
    job: {
      a: { type: 'batch', group: { g: { count: '${1 + 1}', task: { t: { driver: 'exec', env: { A: 'é' } } } } } },
    },
  },
  null,
  2,
);

type Read = (source: Uint8Array) => { readonly job: unknown; readonly diagnostics: readonly Diagnostic[] };
const withValues =
  (name: string): Read =>
  (source) =>
    parseJob({ source: jobFile, filename: 'a.nomad.hcl', strict: false, variables: { files: [{ name, source }] } });
const asJob: Read = (source) => parseJob({ source, filename: 'a.nomad.json', strict: false });

const kinds: readonly (readonly [string, Buffer, Read])[] = [
  ['a file of values', Buffer.from(values), withValues('values.hcl')],
  ['a file of values in JSON', Buffer.from(valuesInJson), withValues('values.json')],
  ['a job in JSON', Buffer.from(jobInJson), asJob],
  ...recorded((name) => name.includes('.vars')).map(
    ([name, text]) => [`recorded: ${name}`, text, withValues(name)] as const,
  ),
  ...recorded((name, text) => name.endsWith('.nomad.hcl') && text[0] === 123).map(
    ([name, text]) => [`recorded: ${name}`, text, asJob] as const,
  ),
];

const isUnset = ({ summary }: Diagnostic): boolean => summary.startsWith('Unset variable');

function expectPlaces({ job, diagnostics }: ReturnType<Read>): void {
  for (const { subject, summary, detail } of diagnostics) {
    expect([summary, detail]).not.toContain('');
    expect(Math.min(subject.startLine, subject.startColumn)).toBeGreaterThan(0);
  }
  if (job === null) expect(diagnostics.length).toBeGreaterThan(0);
}

const utf16 = (text: Buffer, swap: boolean): Buffer => {
  const bytes = Buffer.from(`\ufeff${text.toString('utf8')}`, 'utf16le');
  return swap ? bytes.swap16() : bytes;
};
const binary = Buffer.from(Uint8Array.from({ length: 50_000 }, (_, i) => (i * 7919 + (i >> 3)) & 255));

describe.each(kinds)('%s', (_, source, read) => {
  it('is read as it is', () => {
    const { diagnostics } = read(source);
    expect(diagnostics.filter((item) => item.severity === 'error' && !isUnset(item))).toEqual([]);
  });

  it('cut off at any byte: what is refused is refused at a place', () => {
    for (let end = 0; end < source.length; end++) expectPlaces(read(source.subarray(0, end)));
  });

  it.each([
    ['in UTF-16', utf16(source, false)],
    ['in UTF-16, the other way round', utf16(source, true)],
    ['as a program', binary],
  ])('%s: is refused, at a place', (_, bytes) => {
    const result = read(bytes);
    expect(result.job).toBe(null);
    expectPlaces(result);
  });

  it('with a NUL anywhere, lone carriage returns, a byte order mark, a byte that is no UTF-8: what is refused is refused at a place', () => {
    for (let at = 0; at <= source.length; at++)
      expectPlaces(read(Buffer.concat([source.subarray(0, at), Buffer.of(0), source.subarray(at)])));
    expectPlaces(read(Buffer.from(source.toString('latin1').replaceAll('\n', '\r'), 'latin1')));
    expectPlaces(read(Buffer.concat([Buffer.from('\ufeff'), source])));
    expectPlaces(read(Buffer.concat([source.subarray(0, 3), Buffer.of(0xff), source.subarray(3)])));
  });
});

it('a file in UTF-16 is one problem, which names the encoding', () => {
  for (const [, source, read] of kinds.slice(0, 2)) {
    const { diagnostics } = read(utf16(source, false));
    expect(diagnostics.map((item) => item.detail)).toEqual(['the file is in UTF-16; save it as UTF-8']);
  }
});
