/**
 * The HTTP API against what was recorded of the reference: the recorder drives an agent through its session, the comparison has to find
 * nothing but what expected-api.json names. Recorder and recordings are not part of this repository; without them this is skipped.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { freePort } from '../agent-process.ts';
import { compare, isPresent, isPrivileged, type Ran, record, recordingFolder, withoutReason } from './recording.ts';

const present = isPresent('api');

describe.skipIf(!present || !isPrivileged)(`the HTTP API and the recordings${present ? '' : ' (not here)'}`, () => {
  let scratch: string;
  const recording = recordingFolder('api');
  let recorded: Ran;

  beforeAll(async () => {
    scratch = mkdtempSync(path.join(tmpdir(), 'drover-api-'));
    rmSync(recording, { recursive: true, force: true });
    recorded = await record('api', scratch, recording, ['--port', String(await freePort())]);
  }, 600_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

  it('the session runs to its end, up to the agent with ACLs, which refuses to start', () => {
    expect(recorded.text).not.toContain('main part');
    expect(recorded.text).toContain('agent exited early');
  });

  it('differ only where that is wanted', async () => {
    const { code, counts, differences } = await compare('api', scratch, recording);
    console.log(`api: ${counts}`);
    expect(differences).toEqual([]);
    expect(code).toBe(0);
  });
});

it.skipIf(!present)('every wanted difference of the API has a reason', () => {
  expect(withoutReason('api')).toEqual([]);
});
