import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, test } from 'vitest';
import { compiledCopy } from './compiled-copy.ts';
import type { ExitRecord, StartRecord, Supervisor } from './contract.ts';
import { locateNative } from './locate.ts';
import { endOf, scratchRecord } from './scratch-record.ts';
import { createSupervisor } from './supervisor.ts';

/** What the files of the one suite that both shims run stand on (conformance*.test.ts). What only one can do is listed there with the reason. */

const root = fileURLToPath(new URL('../../', import.meta.url));

export interface Conformance {
  readonly kind: 'native' | 'typescript';
  /** Of records and output. */
  readonly base: string;
  readonly onlyNative: typeof test;
  /** Of the last record: its output is `t<counter>.stdout.N`. */
  readonly counter: number;
  /** Of this file's tests; before them there is none. */
  readonly supervisor: Supervisor;
  /** Another of the same kind, as of an agent that was started anew. */
  another(): Supervisor;
  record(command: readonly string[], more?: Partial<StartRecord>): StartRecord;
  sh(script: string, more?: Partial<StartRecord>): StartRecord;
  /** To its end, acknowledged. */
  run(of: StartRecord): Promise<ExitRecord>;
}

/** Declares the tests for each kind of shim. */
export function conformance(body: (suite: Conformance) => void): void {
  const base = mkdtempSync(join(tmpdir(), 'drover-shim-'));
  let compiled: ReturnType<typeof compiledCopy>;
  let counter = 0;
  const record: Conformance['record'] = (command, more) => scratchRecord(base, ++counter, command, more);

  beforeAll(() => {
    compiled = compiledCopy();
  }, 60_000);
  afterAll(() => {
    rmSync(base, { recursive: true, force: true });
    compiled.remove();
  });

  describe.each(['native', 'typescript'] as const)('the %s shim', (kind) => {
    let supervisor: Supervisor;
    const another = () =>
      createSupervisor({ kind, fallbackProgram: join(compiled.directory, 'supervise/fallback/main.js') });
    beforeAll(() => {
      if (kind === 'native' && locateNative('drover-shim') === null)
        execFileSync(process.execPath, [join(root, 'scripts/build-native.mjs')]);
      supervisor = another();
    });
    afterAll(() => supervisor.close());

    body({
      ...{ kind, base, record, another, onlyNative: test.skipIf(kind === 'typescript') as typeof test },
      sh: (script, more) => record(['sh', '-c', script], more),
      get counter() {
        return counter;
      },
      get supervisor() {
        return supervisor;
      },
      run: async (of) => {
        const shim = await supervisor.start(of);
        const ended = await endOf(shim);
        await shim.shutdown();
        return ended;
      },
    });
  });
}

/** A file of the output of a start. */
export function log(of: StartRecord, stream: 'stdout' | 'stderr', index = 0): string {
  if (of.output.mode !== 'rotate') throw new Error('no files');
  return readFileSync(join(of.output.directory, `${of.output[stream]}.${index}`), 'utf8');
}

export async function until(what: string, condition: () => boolean | Promise<boolean>): Promise<void> {
  for (
    const deadline = Date.now() + 8000;
    !(await condition());
    await new Promise((resolve) => setTimeout(resolve, 10))
  ) {
    if (Date.now() > deadline) throw new Error(`not in time: ${what}`);
  }
}
