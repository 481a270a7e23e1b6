/** What other users of the host, tasks of raw_exec among them, can do to a task's directory whose path they know. */
import { spawnSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type OpenDriver, openDriver } from '../../driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../driver-kit/scratch-host.ts';
import { exec } from './index.ts';

const never = new AbortController().signal;
const stranger = 61_234;

describe.skipIf(process.getuid?.() !== 0)('a task of exec', () => {
  let host: ScratchHost;
  let driver: OpenDriver;
  beforeAll(async () => {
    host = await openScratchHost({ isolation: true });
    driver = openDriver(exec, {}, host.deps);
  });
  afterAll(async () => {
    await driver?.engine.close();
    await host?.close();
  });

  const asStranger = (script: string, ...args: readonly string[]) => {
    const drop = [`--reuid=${stranger}`, `--regid=${stranger}`, '--clear-groups'];
    return spawnSync('setpriv', [...drop, 'sh', '-c', script, 'sh', ...args], { encoding: 'utf8' }).status === 0;
  };
  const write = (directory: string): boolean => asStranger('echo >"$1/theirs"', directory);

  it('has local and tmp to itself, however well their path is known, and its own way into them', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('nothing makes a sandbox here');
    const script = 'echo mine >/local/file; echo mine >/tmp/file; cat /local/file /tmp/file; exec sleep 1000';
    const of = await host.task(driver, { command: '/bin/sh', args: ['-c', script] });
    const places = [of.directories.local, of.directories.tmp];
    // control: before it has an owner
    expect(places.map(write)).toEqual([true, true]);
    const started = await driver.engine.start(of, never);
    expect(places.map(write)).toEqual([false, false]);
    expect(asStranger('ls "$1"', of.directories.task)).toBe(false);
    // it is not secret
    expect(asStranger('grep -q "$2" "/proc/$1/cgroup"', String(started.state['pid']), of.allocId)).toBe(true);
    for (let said = ''; said !== 'mine\nmine\n'; await sleep(20))
      said = await readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8').catch(() => '');
    await driver.engine.destroy(of.id, { force: true }, never);
  });

  it('sees what is mounted of its own directory, which is closed to others by its next start', async ({ skip }) => {
    if (host.deps.isolation.best !== 'sandbox') skip('nothing makes a sandbox here');
    const of = await host.task(driver, { command: '/bin/cat', args: ['/again/file', '/local/file'] });
    await writeFile(join(of.directories.local, 'file'), 'mine\n');
    const mount = { hostPath: of.directories.local, taskPath: '/again', readOnly: true, propagation: '' } as const;
    for (const generation of ['00000001', '00000002']) {
      const id = of.id.replace(/[^/]*$/, generation);
      await driver.engine.start({ ...of, id, mounts: [mount] }, never);
      expect(await driver.engine.wait(id, never)).toMatchObject({ exitCode: 0 });
      await driver.engine.destroy(id, { force: true }, never);
    }
    const said = await readFile(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8');
    expect(said).toBe('mine\n'.repeat(4));
  });
});
