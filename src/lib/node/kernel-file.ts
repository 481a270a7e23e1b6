/**
 * Small files of the kernel (/proc, cgroups), read and written at once: the kernel answers in microseconds, where a hop through the thread
 * pool costs ten times as much, and a start has fifty of them.
 */
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync, writeSync } from 'node:fs';

/** `''` where it is not there or may not be read. */
export function kernelText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

export function kernelLink(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

/** Null where the directory is not there or may not be read. */
export function kernelNames(path: string): readonly string[] | null {
  try {
    return readdirSync(path);
  } catch {
    return null;
  }
}

/** In one write; the file must be there. Throws what the kernel says. */
export function writeKernelText(path: string, text: string): void {
  const file = openSync(path, 'r+');
  try {
    writeSync(file, text);
  } finally {
    closeSync(file);
  }
}
