/**
 * The command line against what was recorded of the reference: the recorder drives bin/drover.js through its session, the comparison has
 * to find nothing but what expected-cli.json names. Both come with the recordings; without them this is skipped.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../agent-process.ts';
import { compare, isPresent, isPrivileged, type Ran, record, recordingFolder, withoutReason } from './recording.ts';

const present = isPresent('cli');

describe.skipIf(!present || !isPrivileged)(`the command line and the recordings${present ? '' : ' (not here)'}`, () => {
  let scratch: string;
  const recording = recordingFolder('cli');
  let recorded: Ran;

  beforeAll(async () => {
    scratch = mkdtempSync(path.join(tmpdir(), 'drover-cli-'));
    rmSync(recording, { recursive: true, force: true });
    recorded = await record('cli', scratch, recording, ['--port', String(await freePort())]);
  }, 600_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

  it('the session runs to its end', () => {
    expect(recorded).toMatchObject({ code: 0 });
  });

  it('differ only where that is wanted', async () => {
    const { code, counts, differences } = await compare('cli', scratch, recording);
    console.log(`cli: ${counts}`);
    expect(differences).toEqual([]);
    expect(code).toBe(0);
  });
});

it.skipIf(!present)('every wanted difference has a recording and a reason', () => {
  expect(withoutReason('cli')).toEqual([]);
});
