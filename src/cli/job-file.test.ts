// A job in the API's JSON, as `job run -json` reads it: cut off, or saved as something else.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { page } from './cli-test-kit.ts';
import { CommandError } from './command.ts';
import { parseFlags } from './flags.ts';
import { jobFileFlags, readJobFile } from './job-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'drover-job-file-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const text = JSON.stringify({ Job: { ID: 'é', Priority: 50, TaskGroups: [{ Name: 'g' }] } }, null, 2);
const source = Buffer.from(text);

async function problemOf(bytes: Uint8Array): Promise<string | null> {
  const path = join(folder, 'job.json');
  writeFileSync(path, bytes);
  const parsed = parseFlags(['-json'], jobFileFlags);
  if ('problem' in parsed) throw new Error(parsed.problem);
  const call = {
    args: [path],
    flags: parsed.flags,
    terminal: page().terminal,
    env: {},
    interrupted: new AbortController().signal,
  };
  try {
    await readJobFile(call, path);
    return null;
  } catch (error) {
    if (error instanceof CommandError) return error.message;
    throw error;
  }
}

const placed = /job\.json: .*line \d+, column \d+: ./;

describe('a job in JSON', () => {
  it('is read', async () => expect(await problemOf(source)).toBe(null));

  it('is read with lone carriage returns, which are white space', async () =>
    expect(await problemOf(Buffer.from(text.replaceAll('\n', '\r')))).toBe(null));

  it('cut off at any byte is refused at a place', async () => {
    for (let end = 0; end < source.length; end++) expect(await problemOf(source.subarray(0, end))).toMatch(placed);
  });

  it('with a NUL anywhere is refused at a place', async () => {
    for (let at = 0; at <= source.length; at++)
      expect(await problemOf(Buffer.concat([source.subarray(0, at), Buffer.of(0), source.subarray(at)]))).toMatch(
        placed,
      );
  });

  it.each([
    ['UTF-16', Buffer.from(`\ufeff${text}`, 'utf16le'), /line 1, column 1: the text is in UTF-16; save it as UTF-8/],
    ['a byte order mark', Buffer.from(`\ufeff${text}`), /line 1, column 1: a byte order mark/],
    ['a program', Buffer.from(Uint8Array.from({ length: 9000 }, (_, i) => (i * 7919) & 255)), placed],
    ['another encoding', Buffer.from(text, 'latin1'), /line 3, column 12: the text is not UTF-8 here/],
    ['no object', Buffer.from('[]'), /line 1, column 1: no job with an ID/],
  ])('%s is refused at a place', async (_, bytes, problem) => expect(await problemOf(bytes)).toMatch(problem));

  it.each([
    [
      '{"Job": {"ID": "a", "Priority": "high"}}',
      'job.json:1,33-39: Unsuitable value type; "Priority" takes a whole number, and this is a string',
    ],
    ['{"ID": "a", "priority": 1.5}', '"priority" takes a whole number, and this is the number 1.5'],
    ['{"ID": "a", "TaskGroups": {}}', '"TaskGroups" takes a list, and this is an object'],
    ['{"ID": "a", "TaskGroups": [{"Tasks": [{"Env": {"A": 1}}]}]}', '"A" takes a text, and this is the number 1'],
    ['{"ID": "a", "Datacenters": ["a", true]}', 'an element of "Datacenters" takes a text, and this is a bool'],
  ])('says of a field of the wrong kind where it is and what it takes: %s', async (json, words) => {
    expect(await problemOf(Buffer.from(json))).toContain(words);
  });
});
