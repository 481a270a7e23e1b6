/** Devices of the host that every sandbox shows its task, and without which programs of the agent do not even start. */
import { statSync } from 'node:fs';
import { deviceNumber } from '../lib/node/device-number.ts';

export interface UnfitDevice {
  /** `"/dev/null"` */
  readonly path: string;
  readonly major: number;
  readonly minor: number;
  readonly is: 'missing' | 'other' | 'closed';
}

/** Source: the kernel's devices.txt. */
const devices = [
  ['/dev/null', 1, 3],
  ['/dev/zero', 1, 5],
  ['/dev/full', 1, 7],
  ['/dev/random', 1, 8],
  ['/dev/urandom', 1, 9],
  ['/dev/tty', 5, 0],
] as const;

/** Those that are not there, are something else, or are not open to everybody. */
export function unfitDevices(): readonly UnfitDevice[] {
  return devices.flatMap(([path, major, minor]): readonly UnfitDevice[] => {
    const seen = statSync(path, { throwIfNoEntry: false });
    if (seen === undefined) return [{ path, major, minor, is: 'missing' }];
    const number = deviceNumber(seen.rdev);
    if (!seen.isCharacterDevice() || number.major !== major || number.minor !== minor)
      return [{ path, major, minor, is: 'other' }];
    return (seen.mode & 0o666) === 0o666 ? [] : [{ path, major, minor, is: 'closed' }];
  });
}

const reasons = { missing: 'is not there', other: 'is not that device', closed: 'is not open to everybody' } as const;

/** `"/dev/null is not there, /dev/zero is not that device"` */
export function unfitness(unfit: readonly UnfitDevice[]): string {
  return unfit.map(({ path, is }) => `${path} ${reasons[is]}`).join(', ');
}

/** One command line. */
export function makeDevices(unfit: readonly UnfitDevice[]): string {
  return unfit
    .map(({ path, major, minor, is }) => {
      if (is === 'closed') return `chmod 666 ${path}`;
      return `${is === 'other' ? `rm -f ${path} && ` : ''}mknod -m 666 ${path} c ${major} ${minor}`;
    })
    .join(' && ');
}

/** Node says of the program what is true of /dev/null, which it opens for it. Null: `message` is of something else, or they are all there. */
export function deviceAdvice(message: string, look = unfitDevices): string | null {
  if (!/\bspawn .* E(NOENT|ACCES|NXIO)/.test(message)) return null;
  const unfit = look().filter(({ path }) => path === '/dev/null');
  return unfit.length === 0 ? null : unfitness(unfit);
}
