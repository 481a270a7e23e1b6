/** Images of a task's memory: none from a sandbox, whoever asks for one inside; an operator may let tasks have them (control). */

import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
let host: ScratchHost;
beforeAll(async () => {
  host = await openScratchHost({ isolation: true });
});
afterAll(() => host.close());

/** Ends a process by its own fault, with as large a limit as it can have, then with none: that is how a program of the host's is still called. */
const crash = `cd /local || exit 1
for limit in unlimited 0; do sh -c "ulimit -S -c $limit; ulimit -H -c $limit; ulimit -S -c $limit; echo limit \\$(ulimit -S -c) \\$(ulimit -H -c); kill -SEGV \\$\\$"; echo ended $?; done 2>/dev/null`;

const cores = (directory: string): readonly string[] =>
  readdirSync(directory).filter((name) => name.startsWith('core'));

/** Files of images can be looked for only where the kernel makes files, beside the program. */
const inFiles = ((): boolean => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-core-'));
  try {
    spawnSync('sh', ['-c', 'ulimit -c unlimited; kill -SEGV $$'], { cwd: directory });
    return cores(directory).length > 0;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
})();

/** The task's own crash, then one in a session of it; both leave what they leave in /local. */
async function crashes(driver: OpenDriver) {
  const { engine } = driver;
  const task = await host.task(driver, {
    command: '/bin/sh',
    args: ['-c', `${crash}; echo over; exec sleep 60`],
  });
  const { isolation } = await engine.start(task, never);
  const log = (): string => readFileSync(join(task.directories.logs, 'main.stdout.0'), 'utf8');
  await expect.poll(log, { timeout: 60_000 }).toContain('over');
  const own = cores(task.directories.local);
  for (const name of own) rmSync(join(task.directories.local, name));
  const session = await engine.exec!(task.id, { command: ['/bin/sh', '-c', crash], tty: false }, never);
  let said = '';
  for await (const each of session.output) if (each.stream === 'stdout') said += Buffer.from(each.data).toString();
  await session.exit;
  const entered = cores(task.directories.local);
  await engine.destroy(task.id, { force: true }, never);
  return { isolation: isolation!, said: [log().replace('over\n', ''), said], left: [own.length, entered.length] };
}

const lineOf = ({ isolation }: Awaited<ReturnType<typeof crashes>>): string => {
  const found = isolation.mechanisms.find(({ name }) => name === 'no_core_dumps');
  return `${found?.state}: ${found?.evidence}`;
};

describe.skipIf(process.platform !== 'linux')('a task of exec, and who enters it', () => {
  it('leaves no image of its memory, and keeps the limit by which none is given to a program of the host either', async ({
    skip,
  }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const driver = openDriver(exec, {}, host.deps);
    const seen = await crashes(driver);
    await driver.engine.close();
    expect(seen.left).toEqual([0, 0]);
    // 139: by its own fault, as it would have without; the shell counts in blocks of 512 bytes, and says 0
    for (const said of seen.said) expect(said).toBe('limit 0 0\nended 139\n'.repeat(2));
    expect(lineOf(seen)).toBe('verified: limit 1, which it cannot change');
  });

  it('may where the operator says so (control), and the report tells it', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('no sandbox here');
    const driver = openDriver(exec, { core_dumps: true }, host.deps);
    const seen = await crashes(driver);
    await driver.engine.close();
    if (inFiles) expect(seen.left).toEqual([1, 1]);
    for (const said of seen.said) expect(said).toMatch(/^limit \S+ unlimited\nended 139\nlimit 0 0\nended 139\n$/);
    expect(lineOf(seen)).toMatch(/^not_asked: limit /);
    expect(seen.isolation.rung).toBe('sandbox');
  });
});
