/**
 * A task of the same allocation exchanges the source of a mount for a link to a directory of the host, again and again, while others start.
 * Control: the same race against a path that was looked at and then handed to the engine as it was.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { lackingForDaemon, lackingForPodman, scratchImage } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { isFault, messageOf } from '../../lib/fault.ts';
import { mountDescriptor } from '../../supervise/mount-process.ts';
import { firstReport, outputOf, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
const engines = [
  ['docker', lackingForDaemon],
  ['podman', lackingForPodman],
] as const;

/** `d` is a directory for some milliseconds, then a link to the host's, and again. */
const attack = `
const { renameSync, rmSync } = require('node:fs');
const [d, kept, link] = process.argv.slice(1);
const never = new Int32Array(new SharedArrayBuffer(4));
const pause = () => Atomics.wait(never, 0, 0, Math.random() * 60);
console.log('on');
/** An engine may have made a directory there in the moment in which there was none. */
const move = (from, to) => {
  for (;;)
    try {
      return renameSync(from, to);
    } catch {
      rmSync(to, { recursive: true, force: true });
    }
};
for (;;) {
  pause();
  move(d, kept);
  move(link, d);
  pause();
  move(d, link);
  move(kept, d);
}`;

describe.each(engines)('a source that another task exchanges, %s:', { timeout: 240_000 }, (engine, lacking) => {
  let scratch: ScratchDocker;
  let by: EngineDriver;
  let attacker: ChildProcess | null = null;
  const pins = () => join(scratch.host.deps.stateDirectory, '..', `${engine}-mounts`);

  async function open(seesMounts: boolean): Promise<void> {
    scratch = await ScratchDocker.open({ engine, seesMounts });
    const closed = engine === 'podman' ? { volumes: [{ enabled: false }] } : {};
    by = scratch.driver(closed).engine;
    mkdirSync(join(scratch.host.scratch.root, 'host'));
    writeFileSync(join(scratch.host.scratch.root, 'host/secret'), "the host's");
  }

  async function victim(script: string): Promise<TaskConfig> {
    const of = await scratch.task(shell(script, { volumes: ['../alloc/d:/x'] }));
    mkdirSync(join(of.directories.shared, 'd'));
    writeFileSync(join(of.directories.shared, 'd/secret'), "the task's");
    symlinkSync(join(scratch.host.scratch.root, 'host'), join(of.directories.shared, 'link'));
    return of;
  }

  async function attackOn({ directories }: TaskConfig): Promise<void> {
    const paths = ['d', 'kept', 'link'].map((name) => join(directories.shared, name));
    const child = spawn(process.execPath, ['-e', attack, ...paths], { stdio: ['ignore', 'pipe', 'inherit'] });
    attacker = child;
    await new Promise((resolve) => child.stdout.once('data', resolve));
  }

  afterEach(() => {
    attacker?.kill('SIGKILL');
    attacker = null;
  });

  describe.skipIf(lacking.length > 0)('an engine that sees what the agent mounts', () => {
    beforeAll(() => open(true), 120_000);
    afterAll(() => scratch?.close(), 60_000);

    test('(control) a path that was looked at leads out when the engine follows it', async () => {
      const of = await victim('true');
      const out = join(scratch.host.scratch.root, 'out');
      mkdirSync(out);
      const seen = () => {
        const path = join(out, 'seen');
        const text = readdirSync(out).includes('seen') ? readFileSync(path, 'utf8') : '';
        writeFileSync(path, '');
        return text;
      };
      await attackOn(of);
      let leaked = false;
      for (let round = 0; round < 300 && !leaked; round++) {
        const real = await realpath(join(of.directories.shared, 'd')).catch(() => '');
        if (real !== join(of.directories.shared, 'd')) {
          await sleep(Math.random() * 60);
          continue;
        }
        const body = {
          Image: engine === 'podman' ? `localhost/${scratchImage}` : scratchImage,
          Cmd: ['/bin/sh', '-c', 'cat /x/secret > /out/seen'],
          HostConfig: {
            ...{ Binds: [`${real}:/x`, `${out}:/out`], NetworkMode: 'none' },
            Ulimits: ['nofile', 'nproc'].map((Name) => ({ Name, Soft: 1024, Hard: 1024 })),
          },
        };
        const { client } = scratch.daemon;
        const made = (await client
          .json('POST', '/containers/create', { body, signal: never })
          .catch(() => ({ Id: '' }))) as { readonly Id: string };
        if (made.Id === '') continue;
        await client.text('POST', `/containers/${made.Id}/start`, { signal: never }).catch(() => '');
        await client.text('POST', `/containers/${made.Id}/wait`, { signal: never, timeoutMs: 20_000 }).catch(() => '');
        leaked = seen() === "the host's";
        await client.text('DELETE', `/containers/${made.Id}`, { query: { force: 'true' }, signal: never });
      }
      expect(leaked).toBe(true);
    });

    test('it gets what was looked at, or is refused, in every round', async () => {
      const of = await victim('cat /x/secret');
      await attackOn(of);
      const seen = { own: 0, refused: 0 };
      for (let round = 0; round < 500 && seen.own < 12; round++) {
        const again = { ...of, id: `${of.allocId}/main/${String(round).padStart(8, '0')}` };
        try {
          await by.start(again, never);
        } catch (error) {
          expect(messageOf(error)).toMatch(/volumes are not enabled|is not there|leads to .*exchanged it/);
          seen.refused++;
          await sleep(Math.random() * 60);
          continue;
        }
        await by.wait(again.id, never);
        const output = await outputOf(again);
        expect(output).not.toContain('host');
        if (output.endsWith("the task's")) seen.own++;
        await by.destroy(again.id, { force: true }, never);
      }
      expect(seen).toEqual({ own: 12, refused: expect.toSatisfy((n) => n > 3) });
      expect(readdirSync(pins())).toEqual([]);
      expect((await firstReport(by)).attributes).toMatchObject({ [`driver.${engine}.own_mounts`]: 'pinned' });
    });

    test.each(['local', 'secrets', 'logs'] as const)(
      'its own directory (%s) may not have become a link',
      async (name) => {
        const of = await victim('true');
        renameSync(of.directories[name], `${of.directories[name]}.kept`);
        symlinkSync(join(scratch.host.scratch.root, 'host'), of.directories[name]);
        const refused = by.start(of, never);
        await expect(refused).rejects.toMatchObject({ kind: 'denied', message: expect.stringContaining('leads to') });
        expect(readdirSync(pins())).toEqual([]);
      },
    );

    test('what a life that was killed left mounted, the next one lets go, and nothing in it is lost', async () => {
      const of = await victim('cat /x/secret; echo more > /x/more');
      const { pid } = spawn('true');
      await sleep(100);
      const left = join(pins(), `${pid}-1-some.task`);
      for (const name of ['0', '1']) mkdirSync(join(left, name), { recursive: true });
      const directory = openSync(of.directories.shared, 'r');
      await mountDescriptor(directory, join(left, '0'));
      closeSync(directory);
      expect(readdirSync(join(left, '0'))).toContain('d');
      const next = scratch.driver(engine === 'podman' ? { volumes: [{ enabled: false }] } : {}).engine;
      expect(await scratch.run(next, of)).toMatchObject({ exit: { exitCode: 0 }, stdout: "the task's" });
      expect(readdirSync(pins())).toEqual([]);
      expect(readFileSync(join(of.directories.shared, 'd/more'), 'utf8')).toBe('more\n');
    });
  });

  describe.skipIf(lacking.length > 0)('an engine that does not see them', () => {
    beforeAll(() => open(false), 120_000);
    afterAll(() => scratch?.close(), 60_000);

    test('a container that got something else is removed before it counts as started', async () => {
      const calm = await victim('cat /x/secret');
      expect(await scratch.run(by, calm)).toMatchObject({ stdout: "the task's", stderr: '' });
      expect((await firstReport(by)).attributes).toMatchObject({ [`driver.${engine}.own_mounts`]: 'looked_at' });
      const of = await victim('sleep 60');
      await attackOn(of);
      let caught = 0;
      for (let round = 0; round < 500 && caught === 0; round++) {
        const again = { ...of, id: `${of.allocId}/main/${String(round).padStart(8, '0')}` };
        const error = await by.start(again, never).catch((error: unknown) => error);
        if (isFault(error)) {
          if (/\/x in the container is not what was looked at/.test(error.message)) caught++;
          await sleep(Math.random() * 60);
          continue;
        }
        const { attributes } = await by.inspect(again.id, never);
        const { State } = (await scratch.daemon.client.json('GET', `/containers/${attributes['container_id']}/json`, {
          signal: never,
        })) as { readonly State: { readonly Pid: number } };
        expect(readFileSync(`/proc/${State.Pid}/root/x/secret`, 'utf8')).toBe("the task's");
        await by.destroy(again.id, { force: true }, never);
      }
      expect(caught).toBe(1);
    });
  });
});
