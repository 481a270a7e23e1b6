/**
 * An image in a tar of its own, as `docker save` and `podman save` write it, or an OCI layout: which of its images, with what settings, of
 * which layers. Every part is compared with its digest. Sources: the OCI image-layout and image-config documents, Docker's image spec v1.2.
 */
import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { posix } from 'node:path';
import { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { objectAt, textAt } from '../../driver-kit/container-engine/engine-answers.ts';
import { parseImageName } from '../../driver-kit/container-engine/image-name.ts';
import { Fault } from '../../lib/fault.ts';
import { fileSource } from '../../lib/node/byte-source.ts';
import { type ByteSource, readTar, type TarEntry } from '../../lib/tar.ts';

/** What an image says of the command that runs in it. */
export interface ImageSettings {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  /** `NAME=value` */
  readonly env: readonly string[];
  readonly workDir: string;
  readonly user: string;
}

export interface ArchivedImage {
  readonly settings: ImageSettings;
  /** From the lowest: each a tar, unpacked. `Fault('invalid')` at its end where it is not what the image's settings name. */
  readonly layers: readonly (() => AsyncIterable<Uint8Array>)[];
}

/** Of a list of images, a manifest, or settings. */
const longestJson = 4 * 1024 * 1024;
const mostParts = 10_000;
const mostLayers = 512;
const pieceSize = 64 * 1024;

/** `wanted`: the image's name; `""` where the archive holds one. `file` stays open as long as layers are read. */
export async function readImageArchive(file: FileHandle, wanted: string): Promise<ArchivedImage> {
  const archive = await Archive.open(file);
  const saved = await archive.json('manifest.json');
  if (saved !== null) {
    const images = list(saved).map((each) => ({ names: texts(each, 'RepoTags'), image: each }));
    const image = choose(images, wanted);
    return archive.image(textAt(image, 'Config'), texts(image, 'Layers'));
  }
  if ((await archive.json('index.json')) === null)
    throw new Fault('invalid', 'the archive holds no image: neither manifest.json nor index.json is in it');
  const manifest = await archive.manifest('index.json', wanted, 0);
  const layers = list(objectAt(manifest)['layers']).map((layer) => blobOf(textAt(layer, 'digest')));
  return archive.image(blobOf(textAt(manifest, 'config', 'digest')), layers);
}

class Archive {
  readonly #file: FileHandle;
  readonly #parts: ReadonlyMap<string, TarEntry>;

  private constructor(file: FileHandle, parts: ReadonlyMap<string, TarEntry>) {
    this.#file = file;
    this.#parts = parts;
  }

  static async open(file: FileHandle): Promise<Archive> {
    const { size } = await file.stat();
    const [first, second] = await fileSource(file, 0, 2).read(2);
    if (first === 0x1f && second === 0x8b)
      throw new Fault('invalid', 'the archive is packed as a whole: gunzip it (its layers may be packed)');
    const parts = new Map<string, TarEntry>();
    for await (const entry of readTar(fileSource(file, 0, size))) {
      if (parts.size === mostParts) throw new Fault('invalid', `the archive has more than ${mostParts} parts`);
      if (entry.offset + entry.size > size) throw new Fault('invalid', `the archive is cut short in ${entry.path}`);
      parts.set(posix.normalize(entry.path), entry);
    }
    return new Archive(file, parts);
  }

  /** Older archives share layers by links. */
  #part(name: string): TarEntry | null {
    let path = posix.normalize(name);
    for (let hops = 0; hops < 4; hops++) {
      const entry = this.#parts.get(path);
      if (entry === undefined || entry.kind === 'file') return entry ?? null;
      path = entry.kind === 'hardlink' ? posix.normalize(entry.target) : posix.join(posix.dirname(path), entry.target);
    }
    return null;
  }

  /** Null: it is not there. */
  async json(name: string): Promise<unknown> {
    const part = this.#part(name);
    if (part === null) return null;
    if (part.size > longestJson) throw new Fault('invalid', `${name} of the archive has ${part.size} bytes`);
    const bytes = await fileSource(this.#file, part.offset, part.offset + part.size).read(part.size);
    const digest = /^blobs\/sha256\/([0-9a-f]{64})$/.exec(posix.normalize(name))?.[1];
    if (digest !== undefined && createHash('sha256').update(bytes).digest('hex') !== digest)
      throw new Fault('invalid', `${name} of the archive is not what its name says`);
    try {
      return JSON.parse(Buffer.from(bytes).toString()) as unknown;
    } catch {
      throw new Fault('invalid', `${name} of the archive is no JSON`);
    }
  }

  /** Of lists of lists, the one of this kind of machine. */
  async manifest(name: string, wanted: string, depth: number): Promise<unknown> {
    const found = await this.json(name);
    if (found === null || depth > 3) throw new Fault('invalid', `${name} is not in the archive`);
    const listed = objectAt(found)['manifests'];
    if (listed === undefined) return found;
    const fitting = list(listed).filter((each) => {
      const [os, cpu] = [textAt(each, 'platform', 'os'), textAt(each, 'platform', 'architecture')];
      return (os === '' || os === 'linux') && (cpu === '' || cpu === 'amd64');
    });
    const images = fitting.map((image) => ({ names: namesIn(objectAt(image, 'annotations')), image }));
    // names stand in the outermost list
    const image = depth === 0 ? choose(images, wanted) : images[0]?.image;
    if (image === undefined) throw new Fault('invalid', 'the archive holds no image for linux/amd64');
    return this.manifest(blobOf(textAt(image, 'digest')), wanted, depth + 1);
  }

  async image(settingsName: string, layers: readonly string[]): Promise<ArchivedImage> {
    const found = await this.json(settingsName);
    if (found === null) throw new Fault('invalid', `${settingsName || 'settings'} of the image: not in the archive`);
    const digests = texts(objectAt(found, 'rootfs'), 'diff_ids');
    if (digests.length !== layers.length || layers.length > mostLayers)
      throw new Fault('invalid', `the image names ${layers.length} layers and ${digests.length} digests of layers`);
    const config = objectAt(found, 'config');
    return {
      settings: {
        entrypoint: texts(config, 'Entrypoint'),
        command: texts(config, 'Cmd'),
        env: texts(config, 'Env'),
        workDir: textAt(config, 'WorkingDir'),
        user: textAt(config, 'User'),
      },
      layers: layers.map((layer, at) => () => this.#layer(layer, digests[at]!)),
    };
  }

  async *#layer(name: string, digest: string): AsyncGenerator<Uint8Array> {
    const part = this.#part(name);
    if (part === null) throw new Fault('invalid', `layer ${name} is not in the archive`);
    if (part.size === 0) throw new Fault('invalid', `layer ${name} is empty`);
    const { offset, size } = part;
    const magic = Buffer.from(await fileSource(this.#file, offset, offset + 4).read(4)).toString('hex');
    if (magic === '28b52ffd') throw new Fault('unsupported', `layer ${name} is packed by zstd; only gzip is unpacked`);
    const packed = Readable.from(pieces(fileSource(this.#file, offset, offset + size)));
    const zip = createGunzip();
    packed.on('error', (error) => zip.destroy(error));
    const stream: AsyncIterable<Uint8Array> = magic.startsWith('1f8b') ? packed.pipe(zip) : packed;
    const hash = createHash('sha256');
    try {
      for await (const piece of stream) {
        hash.update(piece);
        yield piece;
      }
    } catch (error) {
      if (error instanceof Fault) throw error;
      throw new Fault('invalid', `layer ${name} is damaged: ${(error as Error).message}`, { cause: error });
    } finally {
      packed.destroy();
      zip.destroy();
    }
    if (`sha256:${hash.digest('hex')}` !== digest)
      throw new Fault('invalid', `layer ${name} is not what the image names (${digest})`);
  }
}

async function* pieces(source: ByteSource): AsyncGenerator<Uint8Array> {
  for (let piece = await source.read(pieceSize); piece.length > 0; piece = await source.read(pieceSize)) yield piece;
}

interface Named {
  readonly names: readonly string[];
  readonly image: unknown;
}

function choose(images: readonly Named[], wanted: string): unknown {
  const all = images.flatMap(({ names }) => names);
  const one = images.length === 1 && (wanted === '' || all.length === 0) ? images[0] : undefined;
  const found = one ?? images.find(({ names }) => wanted !== '' && names.some((name) => same(name, wanted)));
  if (found !== undefined) return found.image;
  const has = all.length === 0 ? `${images.length} images without names` : all.join(', ');
  throw new Fault(
    wanted === '' ? 'invalid' : 'not_found',
    wanted === ''
      ? `the archive holds several images: image names one of ${has}`
      : `the archive holds no image ${wanted}, but ${has}`,
  );
}

/** `busybox`, `busybox:latest` and `docker.io/library/busybox:latest` are the same. */
function same(a: string, b: string): boolean {
  const full = (text: string): string => {
    const { registry, repository, tag, digest } = parseImageName(text);
    const bare = repository.startsWith(`${registry}/`) ? repository.slice(registry.length + 1) : repository;
    const path = registry === 'docker.io' && !bare.includes('/') ? `library/${bare}` : bare;
    // what podman builds itself it calls localhost/…
    return [registry === 'localhost' ? 'docker.io' : registry, path, tag, digest].join('|');
  };
  return full(a) === full(b);
}

const namesIn = (annotations: Readonly<Record<string, unknown>>): readonly string[] =>
  ['io.containerd.image.name', 'org.opencontainers.image.ref.name'].flatMap((key) => {
    const name = annotations[key];
    return typeof name === 'string' && name !== '' ? [name] : [];
  });

function blobOf(digest: string): string {
  const hex = /^sha256:([0-9a-f]{64})$/.exec(digest)?.[1];
  if (hex === undefined) throw new Fault('invalid', `${JSON.stringify(digest)} is no digest that is understood here`);
  return `blobs/sha256/${hex}`;
}

const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function texts(value: unknown, name: string): readonly string[] {
  return list(objectAt(value)[name]).filter((each) => typeof each === 'string');
}
