import { readFile } from 'node:fs/promises';

/** Mount points at or below a path, outermost first; none where there is no /proc. */
export async function listMounts(path: string): Promise<string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  return text
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .map((field) =>
      field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8))),
    )
    .filter((mount) => mount === path || mount.startsWith(`${path}/`));
}
