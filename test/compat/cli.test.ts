/**
 * The command line against what was recorded of the reference: the recorder drives bin/drover.js through its session, the comparison has
 * to find nothing but what expected-cli.json names. Both come with the recordings; without them this is skipped.
 */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { drover, freePort } from '../agent-process.ts';

const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
const tools = path.join(path.dirname(goldens), 'tools');
const expected = path.join(import.meta.dirname, 'expected-cli.json');
const present = existsSync(path.join(goldens, 'cli')) && existsSync(path.join(tools, 'record-cli.mjs'));
// recorded as root: an unprivileged agent truly answers otherwise
const privileged = process.getuid?.() === 0;

/** Its output goes to a file: what is compared is longer than a pipe holds. */
function runTool(
  name: string,
  args: readonly string[],
  output: string,
): Promise<{ code: number | null; text: string }> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, path.join(tools, name), ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('sh', ['-c', `${command} > '${output}' 2>&1`], { stdio: 'ignore' });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text: readFileSync(output, 'utf8') }));
  });
}

describe.skipIf(!present || !privileged)(`the command line and the recordings${present ? '' : ' (not here)'}`, () => {
  const scratch = mkdtempSync(path.join(tmpdir(), 'drover-cli-'));
  const recording = path.join(scratch, 'recording');
  let recorded: { code: number | null; text: string };

  beforeAll(async () => {
    const program = path.join(scratch, 'drover');
    writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${drover}' "$@"\n`);
    chmodSync(program, 0o755);
    const port = String(await freePort());
    const args = [program, recording, '--work', path.join(scratch, 'work'), '--port', port];
    recorded = await runTool('record-cli.mjs', args, path.join(scratch, 'recorder.txt'));
  }, 230_000);
  afterAll(() => rmSync(scratch, { recursive: true, force: true, maxRetries: 5 }));

  it('the session runs to its end', () => {
    expect(recorded).toMatchObject({ code: 0 });
  });

  it('differ only where that is wanted', async () => {
    const args = ['cli', path.join(goldens, 'cli'), recording, '-v', '--expect', expected];
    const { code, text } = await runTool('compare-goldens.mjs', args, path.join(scratch, 'differences.txt'));
    const [counts, ...differences] = text.trimEnd().split('\n');
    console.log(`cli: ${counts}`);
    expect(differences).toEqual([]);
    expect(code).toBe(0);
  });
});

it.skipIf(!present)('every wanted difference has a recording and a reason', () => {
  const list = JSON.parse(readFileSync(expected, 'utf8')) as Record<string, Record<string, string>>;
  for (const [name, places] of Object.entries(list)) {
    expect(Object.keys(places), name).not.toHaveLength(0);
    for (const reason of Object.values(places)) expect(reason.length, name).toBeGreaterThan(5);
  }
});
