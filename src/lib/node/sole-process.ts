/**
 * One process of a kind per directory, whoever is killed when, and however slowly each takes its steps. Who has the place is said by
 * `owner.<n>` with the greatest n. A name is never made twice: where its process is gone, the next number is tried, and one alone gets it.
 */
import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startOfProcess } from './process-start.ts';

/** False: another process that lives has the place. For as long as this one lives, true. */
export function takePlace(directory: string): boolean {
  const own = join(directory, `.owner.${process.pid}`);
  writeFileSync(own, `${process.pid} ${startOfProcess(process.pid)}`, { mode: 0o600 });
  try {
    for (;;) {
      const taken = greatest(directory);
      if (taken > 0 && isAlive(directory, taken)) return false;
      if (taken !== greatest(directory) || !link(own, ownerFile(directory, taken + 1))) continue;
      // whoever was slow may have made one anew that had been taken away
      if (greatest(directory) === taken + 1) {
        for (const each of numbers(directory)) if (each <= taken) rmSync(ownerFile(directory, each), { force: true });
        return true;
      }
      rmSync(ownerFile(directory, taken + 1), { force: true });
    }
  } finally {
    rmSync(own, { force: true });
  }
}

const ownerFile = (directory: string, number: number): string => join(directory, `owner.${number}`);

function numbers(directory: string): readonly number[] {
  return readdirSync(directory).flatMap((name) => {
    const number = /^owner\.(\d{1,9})$/.exec(name)?.[1];
    return number === undefined ? [] : [Number(number)];
  });
}

function greatest(directory: string): number {
  return Math.max(0, ...numbers(directory));
}

function isAlive(directory: string, number: number): boolean {
  try {
    const [pid = '', ...start] = readFileSync(ownerFile(directory, number), 'utf8').split(' ');
    return startOfProcess(Number(pid)) === start.join(' ');
  } catch {
    return false;
  }
}

/** False: there is such a name already. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  }
}
