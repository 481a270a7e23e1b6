/** A cpio archive ("newc") as kernels unpack it: the few files of an initrd. Source: the kernel's buffer-format document. */

export interface ArchiveFile {
  /** Without a leading slash; null content: a directory. */
  readonly path: string;
  readonly content: Uint8Array | null;
  readonly mode: number;
}

export function cpioArchive(files: readonly ArchiveFile[]): Buffer {
  const parts = files.flatMap((file, index) => entry(file, index + 1));
  return Buffer.concat([...parts, ...entry({ path: 'TRAILER!!!', content: Buffer.alloc(0), mode: 0 }, 0)]);
}

function entry({ path, content, mode }: ArchiveFile, inode: number): Buffer[] {
  const name = Buffer.from(`${path}\0`);
  const size = content?.length ?? 0;
  const type = content === null ? 0o040000 : 0o100000;
  const numbers = [inode, mode === 0 ? 0 : type | mode, 0, 0, 1, 0, size, 0, 0, 0, 0, name.length, 0];
  const head = `070701${numbers.map((each) => each.toString(16).padStart(8, '0')).join('')}`;
  return [padded(Buffer.concat([Buffer.from(head), name])), padded(Buffer.from(content ?? []))];
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc((4 - (bytes.length % 4)) % 4)]);
}
