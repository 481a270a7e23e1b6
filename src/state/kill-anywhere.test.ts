import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, describe, expect, it } from 'vitest';
import { lmdbJournal } from './lmdb-journal.ts';
import { openStore } from './open-store.ts';

interface Tables {
  readonly rows: { readonly n: number; readonly text: string };
}

const root = mkdtempSync(join(tmpdir(), 'drover-kill-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const built = join(import.meta.dirname, '../../dist/state');
const rounds = process.env['DROVER_LONG'] === '1' ? 400 : 20;
const logLimitBytes = 100_000;

/** Each write sets two rows to the same number: a commit that is there only by half would show. Says each number that was acknowledged. */
const writer = `
  import { lmdbJournal } from '${built}/lmdb-journal.js';
  import { openStore } from '${built}/open-store.js';
  import { writeSync } from 'node:fs';
  const journal = lmdbJournal({ directory: process.argv[1], logLimitBytes: ${logLimitBytes} });
  const { store } = await openStore({ tables: { rows: {} }, journal });
  for (let n = (store.snapshot().get('rows', 'last')?.n ?? 0) + 1; ; n++) {
    const row = { n, text: 'z'.repeat((n * 131) % 6000) };
    const changes = ['a', 'b'].map((half) => ({ table: 'rows', id: half + (n % 40), row }));
    const last = { table: 'rows', id: 'last', row: { n, text: '' } };
    await store.write(() => ({ changes: [...changes, last], result: null }));
    writeSync(1, n + '\\n');
  }
`;

/** Kills the writer `afterMs` after its first acknowledged write. Resolves with the last number that it acknowledged. */
async function writeAndKill(directory: string, afterMs: number): Promise<number> {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '-e', writer, directory], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout!.on('data', (text: Buffer) => {
    said += text.toString();
  });
  await Promise.race([once(child.stdout!, 'data'), once(child, 'exit')]);
  await sleep(afterMs);
  child.kill('SIGKILL');
  if (child.signalCode === null && child.exitCode === null) await once(child, 'close');
  expect(child.signalCode).toBe('SIGKILL');
  return Number(said.trim().split('\n').at(-1));
}

describe('an agent killed at any moment', () => {
  it('finds every acknowledged write again, in whole commits, and nothing damaged', async () => {
    const directory = join(root, 'state');
    for (let round = 0; round < rounds; round++) {
      const acknowledged = await writeAndKill(directory, Math.random() * 60);
      const opened = await openStore<Tables>({
        tables: { rows: {} },
        journal: lmdbJournal({ directory, logLimitBytes }),
      });
      const snapshot = opened.store.snapshot();
      expect(opened.damage).toEqual([]);
      const last = snapshot.get('rows', 'last')?.n ?? 0;
      expect(snapshot.index).toBe(last);
      expect(last).toBeGreaterThanOrEqual(acknowledged);
      // no more than what was under way
      expect(last).toBeLessThanOrEqual(acknowledged + 1);
      for (let id = 0; id < 40; id++) expect(snapshot.get('rows', `a${id}`)).toEqual(snapshot.get('rows', `b${id}`));
      await opened.store.close();
    }
  }, 600_000);
});
