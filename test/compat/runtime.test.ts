/**
 * What tasks see and what is said about them, against what was recorded of the reference: environment, directories, limits, events,
 * restarts, signals. As api.test.ts; scenarios that stand on templates or artifacts are left out until these are served.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../agent-process.ts';
import { compare, isPresent, isPrivileged, type Ran, record, recordingFolder, withoutReason } from './recording.ts';

const present = isPresent('runtime');
const served = '^(?!template|artifact|dump-exec|dump-raw_exec)';

describe.skipIf(!present || !isPrivileged)(`tasks and the recordings${present ? '' : ' (not here)'}`, () => {
  let scratch: string;
  const recording = recordingFolder('runtime');
  let recorded: Ran;

  beforeAll(async () => {
    scratch = mkdtempSync(path.join(tmpdir(), 'drover-runtime-'));
    rmSync(recording, { recursive: true, force: true });
    recorded = await record('runtime', scratch, recording, ['--port', String(await freePort()), '--only', served]);
  }, 600_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

  it('every scenario runs to its end', () => {
    expect(recorded.text).not.toContain('FAILED');
    expect(recorded.code).toBe(0);
  });

  it('differ only where that is wanted', async () => {
    const { code, counts, differences } = await compare('runtime', scratch, recording);
    console.log(`runtime: ${counts}`);
    expect(differences).toEqual([]);
    expect(code).toBe(0);
  });
});

it.skipIf(!present)('every wanted difference of tasks has a reason', () => {
  expect(withoutReason('runtime')).toEqual([]);
});
