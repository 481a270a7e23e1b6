// Images as machines get them: archives of real engines, compared with what those engines themselves unpack; and archives that lie.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textAt } from '../../driver-kit/container-engine/engine-answers.ts';
import {
  lackingForDaemon,
  lackingForPodman,
  ScratchDaemon,
  scratchImage,
} from '../../driver-kit/container-engine/scratch-daemon.ts';
import { readImageArchive } from './image-archive.ts';
import { unpackImage } from './image-root.ts';

const never = new AbortController().signal;
const limits = { bytes: 64 * 1024 * 1024, entries: 10_000 };
let root: string;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'drover-image-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

async function unpack(archive: string, name = '', given = limits) {
  const into = await mkdtemp(join(root, 'root-'));
  const file = await open(archive);
  try {
    const image = await readImageArchive(file, name);
    await unpackImage(image, into, given, never);
    return { into, settings: image.settings };
  } finally {
    await file.close();
  }
}

/** Kind, mode, owner, target, and content of everything, as find and sha256sum see it. */
function seen(at: string): readonly string[] {
  const list = execFileSync('find', ['.', '-mindepth', '1', '-printf', '%y %m %U:%G %p %l\n'], { cwd: at });
  const sums = execFileSync('sh', ['-c', 'find . -type f -print0 | sort -z | xargs -0 sha256sum'], { cwd: at });
  return [...String(list).split('\n').sort(), ...String(sums).split('\n')];
}

const engines = [
  ['docker', lackingForDaemon, ['']],
  ['podman', lackingForPodman, ['docker-archive', 'oci-archive']],
] as const;

describe.each(engines)('an image of %s', (engine, lacking, formats) => {
  let daemon: ScratchDaemon;
  beforeAll(async () => {
    if (lacking.length === 0) daemon = await ScratchDaemon.open({ engine });
  }, 120_000);
  afterAll(() => daemon?.close(), 60_000);

  test.skipIf(lacking.length > 0)('is unpacked as the engine itself does', { timeout: 120_000 }, async () => {
    const image = engine === 'podman' ? `localhost/${scratchImage}` : scratchImage;
    // a second layer: removed, replaced, emptied and made anew, with owners, setuid, links of both kinds
    const script = [
      ...['rm /bin/true', 'rm /etc/group && mkdir /etc/group', 'mkdir -p /deep/a/b && echo hello > /deep/a/b/file'],
      ...['ln /deep/a/b/file /deep/hard', 'ln -s ../a /deep/soft', 'chown 12:34 /deep/a', 'chmod 4755 /deep/hard'],
      ...['mv /tmp /tmp2 && mkdir /tmp && chmod 1777 /tmp', 'rm -r /sys2 2>/dev/null; mkdir -m 0500 /closed'],
    ].join('; ');
    const body = { Image: image, Cmd: ['/bin/sh', '-c', script], HostConfig: { NetworkMode: 'none' } };
    const made = await daemon.client.json('POST', '/containers/create', { body, signal: never });
    const id = textAt(made, 'Id');
    await daemon.client.text('POST', `/containers/${id}/start`, { signal: never });
    await daemon.client.text('POST', `/containers/${id}/wait`, { signal: never });
    const settings = { Env: ['COLOUR=blue'], WorkingDir: '/deep', User: '12:34', Cmd: ['/bin/sh', '-c', 'pwd'] };
    const query = { container: id, repo: 'drover-test/second', tag: '1' };
    await daemon.client.text('POST', '/commit', { query, body: settings, signal: never });
    const exported = join(root, `${engine}-exported.tar`);
    await pipeline(
      await daemon.client.stream('GET', `/containers/${id}/export`, { signal: never }),
      createWriteStream(exported),
    );
    const wanted = join(root, `${engine}-wanted`);
    await mkdir(wanted);
    execFileSync('tar', ['-C', wanted, '-xpf', exported, '--same-owner']);
    const name = engine === 'podman' ? 'docker.io/drover-test/second:1' : 'drover-test/second:1';
    for (const format of formats) {
      const archive = join(root, `${engine}-${format}.tar`);
      const path = `${format === '' ? '' : '/v4.0.0/libpod'}/images/${encodeURIComponent(name)}/get`;
      const answer = await daemon.client.stream('GET', path, { query: { format }, signal: never });
      await pipeline(answer, createWriteStream(archive));
      const { into, settings: found } = await unpack(archive, 'drover-test/second:1');
      // what an engine puts there for a container that runs
      const own = /\.\/(dev|proc|sys|run|\.dockerenv|etc\/(hosts|hostname|resolv\.conf|mtab))( |\/|$)/;
      const files = (at: string) => seen(at).filter((line) => !own.test(line));
      expect(files(into)).toEqual(files(wanted));
      expect(found).toMatchObject({ command: engine === 'docker' ? ['/bin/sh', '-c', 'pwd'] : expect.anything() });
      await expect(unpack(archive, 'other:1')).rejects.toThrow(/the archive holds no image other:1, but .*second/);
    }
  });
});

interface Part {
  readonly path: string;
  readonly content?: string;
  readonly type?: string;
  readonly target?: string;
}

/** By hand: no tool writes what is in some of these. */
function tar(parts: readonly Part[]): Buffer {
  const blocks = parts.flatMap(({ path, content = '', type = '0', target = '' }) => {
    const head = Buffer.alloc(512);
    head.write(path);
    head.write('0000755\0', 100);
    head.write(Buffer.byteLength(content).toString(8).padStart(11, '0'), 124);
    head.write(type, 156);
    head.write(target, 157);
    head.write('ustar\x0000', 257);
    let sum = 256;
    for (const [at, byte] of head.entries()) if (at < 148 || at >= 156) sum += byte;
    head.write(sum.toString(8).padStart(6, '0'), 148);
    return [
      head,
      Buffer.concat([Buffer.from(content), Buffer.alloc((512 - (Buffer.byteLength(content) % 512)) % 512)]),
    ];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}

const sha = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

/** As `docker save` writes it. */
async function saved(layers: readonly (readonly Part[])[], change: (bytes: Buffer, at: number) => Buffer = (b) => b) {
  const plain = layers.map(tar);
  const settings = JSON.stringify({ rootfs: { diff_ids: plain.map((each) => `sha256:${sha(each)}`) }, config: {} });
  const manifest = [{ Config: 'config.json', RepoTags: ['a:1'], Layers: plain.map((_, at) => `${at}/layer.tar`) }];
  const parts = [
    { path: 'manifest.json', content: JSON.stringify(manifest) },
    { path: 'config.json', content: settings },
  ];
  const path = join(await mkdtemp(join(root, 'saved-')), 'image.tar');
  const directory = join(path, '..', 'parts');
  await mkdir(directory);
  for (const { path: name, content } of parts) await writeFile(join(directory, name), content);
  for (const [at, bytes] of plain.entries()) {
    await mkdir(join(directory, String(at)));
    await writeFile(join(directory, String(at), 'layer.tar'), change(bytes, at));
  }
  execFileSync('tar', ['-C', directory, '-cf', path, '.']);
  return path;
}

describe('an image that lies', () => {
  const outside = async (): Promise<string> => {
    const path = await mkdtemp(join(root, 'outside-'));
    await writeFile(join(path, 'kept'), 'as it was');
    return path;
  };

  test('writes, links and removes nothing outside of its root', async () => {
    const away = await outside();
    const climbs = `../${'../'.repeat(12)}${away.slice(1)}`;
    const refused = async (parts: readonly Part[]) =>
      unpack(await saved([parts])).then(
        async ({ into }) => `unpacked ${String(await readdir(into))}`,
        (error: unknown) => String(error),
      );
    for (const path of [`${climbs}/new`, `a/../../new`, '..', `bin/../../${'x'}`, '.wh...', `x/.wh...`, '.wh.'])
      expect(await refused([{ path, content: 'x' }])).toContain('leads out of its root file system');
    expect(await refused([{ path: 'h', type: '1', target: `${climbs}/kept` }])).toContain('leads out');
    expect(await refused([{ path: 'h', type: '1', target: `${away}/kept` }])).toContain('which is no file of it');
    const links: Part[] = [
      { path: 'out', type: '2', target: away },
      { path: 'up', type: '2', target: climbs },
    ];
    const { into } = await unpack(
      await saved([
        links,
        [{ path: 'out/new', content: 'x' }, { path: 'up/new', content: 'x' }, { path: 'out/.wh.kept' }],
      ]),
    );
    // where the links lead within the image
    expect(await readFile(join(into, away, 'new'), 'utf8')).toBe('x');
    expect(await refused([...links, { path: 'file', type: '1', target: 'out/kept' }])).toContain(
      'which is no file of it',
    );
    // a file in the place of a link is a file
    await unpack(await saved([links, [{ path: 'out', content: 'x' }]]));
    expect(
      await refused([{ path: 'a', type: '2', target: 'b' }, { path: 'b', type: '2', target: 'a' }, { path: 'a/x' }]),
    ).toContain('too many links');
    expect(
      await refused([
        { path: 'file', content: 'x' },
        { path: 'file/below', content: 'x' },
      ]),
    ).toContain('below a file');
    expect(await readdir(away)).toEqual(['kept']);
    expect(await readFile(join(away, 'kept'), 'utf8')).toBe('as it was');
  });

  test('makes no device, and what is removed in one layer can be made in the next', async () => {
    const { into } = await unpack(
      await saved([
        [
          { path: 'dev/sda', type: '4' },
          { path: 'fifo', type: '6' },
          { path: 'd/old', content: '1' },
          { path: 'gone', content: '1' },
        ],
        [{ path: 'd/new', content: '2' }, { path: 'd/.wh..wh..opq' }, { path: '.wh.gone' }],
        [{ path: 'gone', type: '5' }],
      ]),
    );
    expect(await readdir(into)).toEqual(['d', 'dev', 'gone']);
    expect([await readdir(join(into, 'd')), await readdir(join(into, 'dev'))]).toEqual([['new'], []]);
  });

  test('is not what its digests say, or is damaged: refused with the layer’s name', async () => {
    const parts = [{ path: 'a', content: 'x'.repeat(2000) }];
    const fails = async (change: (bytes: Buffer) => Buffer) =>
      unpack(await saved([parts], change)).then(
        () => 'unpacked',
        (error: unknown) => String(error),
      );
    const flipped = (bytes: Buffer): Buffer => {
      const copy = Buffer.from(bytes);
      copy[600] = 0;
      return copy;
    };
    expect(await fails((bytes) => bytes)).toBe('unpacked');
    expect(await fails(gzipSync)).toBe('unpacked');
    expect(await fails(flipped)).toContain('layer 0/layer.tar is not what the image names');
    expect(await fails((bytes) => gzipSync(flipped(bytes)))).toContain('is not what the image names');
    expect(await fails((bytes) => gzipSync(bytes).subarray(0, 60))).toContain('layer 0/layer.tar is damaged');
    expect(await fails((bytes) => bytes.subarray(0, 1000))).toContain('is not what the image names');
    expect(await fails(() => Buffer.from('28b52ffd00', 'hex'))).toContain('is packed by zstd');
  });

  test('that unpacks to more than the limit is stopped there', async () => {
    const zeros = await saved([[{ path: 'zeros', content: '\0'.repeat(8 * 1024 * 1024) }]], (bytes) => gzipSync(bytes));
    await expect(unpack(zeros, '', { bytes: 1024 * 1024, entries: 10 })).rejects.toThrow('more than 1 MB');
    const many = await saved([Array.from({ length: 50 }, (_, at) => ({ path: `f${at}` }))]);
    await expect(unpack(many, '', { bytes: 1024 * 1024, entries: 10 })).rejects.toThrow('more than 10 files');
  });

  test('and what is no image says so', async () => {
    const path = join(root, 'other.tar');
    await writeFile(path, tar([{ path: 'a' }]));
    await expect(unpack(path)).rejects.toThrow('the archive holds no image: neither manifest.json nor index.json');
    await writeFile(path, gzipSync(tar([])));
    await expect(unpack(path)).rejects.toThrow('packed as a whole');
    await writeFile(path, tar([{ path: 'manifest.json', content: '[{' }]));
    await expect(unpack(path)).rejects.toThrow('manifest.json of the archive is no JSON');
    const loop = [{ path: 'manifest.json', type: '2', target: 'manifest.json' }];
    await writeFile(path, tar(loop));
    await expect(unpack(path)).rejects.toThrow('holds no image');
    await writeFile(path, tar([{ path: 'manifest.json', content: '[{"Config":"../x","Layers":["y"]}]' }]));
    await expect(unpack(path)).rejects.toThrow('../x of the image: not in the archive');
  });
});
