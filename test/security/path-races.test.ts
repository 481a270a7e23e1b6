/**
 * A task changes its directories into links to the host's and back, thousands of times a second, while the agent reads, lists, moves and
 * removes there with the host's rights. Control: the same walk by path leaks.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { listFiles, readFilePart, statFile } from '../../src/client/files.ts';
import { readLogs } from '../../src/client/logs.ts';
import { moveBeneath, removeBeneath, writeBeneath } from '../../src/lib/node/safe-path.ts';
import { compileAttacks } from './attack-program.ts';

/** Of each kind of walk; eight kinds. */
const tries = 15_000;
const secret = 'of the host';
const never = new AbortController().signal;

const program = join(mkdtempSync(join(tmpdir(), 'drover-racer-')), 'attack');
beforeAll(() => compileAttacks(program));
afterAll(() => rmSync(dirname(program), { recursive: true, force: true }));

let directory: string;
let host: string;
let tree: string;
let racer: ChildProcess;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'drover-race-'));
  host = join(directory, 'host');
  tree = join(directory, 'tree');
  for (const folder of [host, tree, join(tree, 'alloc'), join(tree, 'alloc/folder'), join(tree, 'alloc/logs')])
    mkdirSync(folder);
  writeFileSync(join(host, 'file'), secret);
  writeFileSync(join(host, 'only-the-host'), secret);
  for (const name of ['folder/file', 'file', 'logs/t.stdout.0'])
    writeFileSync(join(tree, 'alloc', name), 'of the task');
  racer = spawn(program, ['race', `target=${host}`], { cwd: join(tree, 'alloc'), stdio: ['pipe', 'pipe', 'inherit'] });
  await new Promise((resolve) => racer.stdout!.once('data', resolve));
});

afterEach(async () => {
  const ended = new Promise((resolve) => racer.once('exit', resolve));
  racer.stdin!.end();
  await ended;
  rmSync(directory, { recursive: true, force: true });
});

/** Names and contents. */
function hostHash(): string {
  const names = readdirSync(host).sort();
  return createHash('sha256')
    .update(JSON.stringify(names.map((name) => [name, readFileSync(join(host, name), 'utf8')])))
    .digest('hex');
}

async function textOf(chunks: AsyncIterable<Uint8Array>): Promise<string> {
  let text = '';
  for await (const each of chunks) text += Buffer.from(each).toString();
  return text;
}

const whole = { offset: 0, limit: -1 };
const walks: readonly (readonly [name: string, walk: () => Promise<string>])[] = [
  ['reads a file in a directory', () => textOf(readFilePart(tree, 'alloc/folder/file', whole, never))],
  ['reads a file', () => textOf(readFilePart(tree, 'alloc/file', whole, never))],
  ['asks about a file in a directory', async () => JSON.stringify(await statFile(tree, 'alloc/folder/only-the-host'))],
  ['lists a directory', async () => JSON.stringify(await listFiles(tree, 'alloc/folder'))],
  [
    'reads logs',
    async () => {
      const request = { task: 't', type: 'stdout', origin: 'start', offset: 0, follow: false } as const;
      let text = '';
      for await (const frame of readLogs(tree, request, () => true, never)) text += Buffer.from(frame.data).toString();
      return text;
    },
  ],
  [
    'writes into a directory',
    () => writeBeneath(tree, 'alloc/folder/written', Buffer.from('by the agent'), 0o644).then(() => ''),
  ],
  ['moves a file', () => moveBeneath(tree, 'alloc/folder/only-the-host', 'alloc/moved').then(() => '')],
  ['removes a file', () => removeBeneath(tree, 'alloc/folder/only-the-host').then(() => '')],
];

/** What it got, and how often the walk was refused or found nothing; a link in the way is both. Goes on until one of them was seen. */
async function walked(walk: () => Promise<string>): Promise<{ leaks: number; refused: number }> {
  let [leaks, refused] = [0, 0];
  for (let turn = 0; turn < tries || (turn < 2 * tries && leaks + refused === 0); turn++)
    await walk().then(
      (text) => {
        if (/of the host|only-the-host/.test(text)) leaks++;
      },
      () => refused++,
    );
  return { leaks, refused };
}

describe('an agent whose way is changed while it goes', () => {
  it.each(walks)('and %s gets nothing of the host and changes nothing there', async (_, walk) => {
    const before = hostHash();
    const { leaks, refused } = await walked(walk);
    expect(leaks).toBe(0);
    expect(hostHash()).toBe(before);
    // there was a race: sometimes the link stood in the way
    expect(refused).toBeGreaterThan(0);
  });

  it('and that goes by path leaks (control)', async () => {
    const { leaks } = await walked(() => readFile(join(tree, 'alloc/folder/file'), 'utf8'));
    expect(leaks).toBeGreaterThan(0);
  });
});
