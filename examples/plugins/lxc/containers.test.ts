// Ranges of ids, whoever is killed while one is claimed.
import { type ChildProcess, spawn } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

const root = mkdtempSync(join(tmpdir(), 'drover-lxc-ids-'));
/** The package as its author has it: `drover` among its modules. */
const own = join(root, 'package');
mkdirSync(join(own, 'node_modules'), { recursive: true });
symlinkSync(join(import.meta.dirname, '../../..'), join(own, 'node_modules/drover'));
for (const name of ['containers.js', 'container-config.js', 'package.json'])
  cpSync(join(import.meta.dirname, name), join(own, name));
const { Containers, containerName } = (await import(/* @vite-ignore */ join(own, 'containers.js'))) as {
  readonly containerName: (taskId: string) => string;
  readonly Containers: new (
    options: typeof plugin,
  ) => {
    make(of: ReturnType<typeof task>, lines: () => readonly string[], signal: undefined): Promise<unknown>;
    remove(taskId: string): Promise<void>;
    releaseLost(): Promise<boolean>;
  };
};

const plugin = { lxc_path: join(root, 'containers'), id_first: 1_900_000_000, id_ranges: 1, rootfs_paths: [root] };
const task = (name: string) => ({
  id: `allocation/${name}/1`,
  name,
  user: '',
  config: { privileged: false, template: '', rootfs: join(root, 'image') },
  directories: { task: root },
});
const make = (name: string) => new Containers(plugin).make(task(name), () => [], undefined);

/** A process that has made the container, or has claimed for it and is held up there. */
async function maker(name: string, image: string): Promise<ChildProcess> {
  const given = { ...task(name), config: { ...task(name).config, rootfs: image } };
  const code = `import { Containers } from ${JSON.stringify(join(own, 'containers.js'))};
    setInterval(() => {}, 1000);
    const made = new Containers(${JSON.stringify(plugin)}).make(${JSON.stringify(given)}, () => [], undefined);
    await made.then(() => console.log('made'), () => console.log('claimed'));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise((resolve) => child.stdout.once('data', (text) => resolve(String(text))));
  expect(said).toBe(image === join(root, 'image') ? 'made\n' : 'claimed\n');
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const ended = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGKILL');
  await ended;
}

describe.skipIf(process.getuid?.() !== 0)('ids of containers', () => {
  beforeAll(() => {
    mkdirSync(join(root, 'image'));
    writeFileSync(join(root, 'image/file'), '');
    chmodSync(root, 0o755);
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));

  test('are given back when their container is gone, though who removed it was killed before it could', async () => {
    const child = await maker('first', join(root, 'image'));
    await expect(make('second')).rejects.toThrow('all 1 ranges of ids are in use');
    await kill(child);
    // the container is there: what runs in it goes on
    await expect(make('second')).rejects.toThrow('all 1 ranges of ids are in use');
    rmSync(join(plugin.lxc_path, containerName(task('first').id)), { recursive: true });
    await make('second');
    await new Containers(plugin).remove(task('second').id);
    expect(readdirSync(join(plugin.lxc_path, '.ids'))).toEqual([]);
  });

  test('of a container that is not there yet stay with who makes it, and no longer', async () => {
    const child = await maker('third', join(root, 'no-such'));
    await expect(make('fourth')).rejects.toThrow('all 1 ranges of ids are in use');
    await kill(child);
    await expect(new Containers(plugin).releaseLost()).resolves.toBe(true);
    await make('fourth');
    await new Containers(plugin).remove(task('fourth').id);
  });
});
