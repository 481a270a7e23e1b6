// Laying out changes how a file looks and nothing else: over all recorded and example files, and all recorded expressions.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { format, parseNative } from '../../src/hcl/index.ts';
import { parseJob } from '../../src/jobspec/index.ts';
import { nodeFunctionHost } from '../../src/lib/node/hcl-functions.ts';

const root = path.resolve(import.meta.dirname, '../..');
const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(root, '../shared/goldens');
const folders = [path.join(root, 'examples'), path.join(goldens, 'jobs'), path.join(goldens, 'jobs-invalid')];
const files = folders.filter(existsSync).flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.nomad.hcl'))
    .map((name) => [name, folder, readFileSync(path.join(folder, name), 'utf8')] as const),
);
const parses = (text: string): boolean => parseNative(text, 'f').diagnostics.length === 0;
const comments = (text: string): string[] =>
  parseNative(text, 'f')
    .comments()
    .map((comment) => comment.text);

/** Spaces inside of `${ }` that stays for run time mean nothing; Nomad's layout takes them away as well. */
const tight = (job: unknown): unknown =>
  JSON.parse(
    JSON.stringify(job)
      .replace(/\$\{ +/g, '${')
      .replace(/ +\}/g, '}'),
  );

describe('format', () => {
  it.each(files.filter(([, , text]) => parses(text)))(
    '%s: the same job, the same comments, and the second time nothing',
    (name, folder, text) => {
      const formatted = format(text);
      expect(format(formatted)).toBe(formatted);
      expect(comments(formatted)).toEqual(comments(text));
      const host = nodeFunctionHost({ workingDirectory: folder });
      const job = (source: string) => parseJob({ source, filename: name, strict: false, host });
      const [before, after] = [job(text), job(formatted)];
      expect(after.diagnostics.map((item) => item.summary)).toEqual(before.diagnostics.map((item) => item.summary));
      if (!/uuidv4|bcrypt/.test(text)) expect(tight(after.job)).toEqual(tight(before.job));
    },
  );

  it('of every recorded expression changes nothing the second time', () => {
    const file = path.join(goldens, 'hcl/expressions.jsonl');
    if (!existsSync(file)) return;
    for (const line of readFileSync(file, 'utf8').split('\n').filter(Boolean)) {
      const text = `v = f(\n${(JSON.parse(line) as { expr: string }).expr}\n)\n`;
      if (!parses(text)) continue;
      const formatted = format(text);
      expect(format(formatted), text).toBe(formatted);
      expect(parses(formatted), text).toBe(true);
    }
  });
});
