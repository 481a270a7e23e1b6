/** The line `disk_quota` of a task's report: of no rung, for it rests on the file system of allocations alone. */
import { statfsSync } from 'node:fs';
import { join } from 'node:path';
import type { IsolationWish } from '../driver/contract.ts';
import { capabilityName } from './capabilities.ts';
import type { LaunchRequest } from './launch/launch.ts';
import type { Mechanism } from './lines.ts';
import type { ProbeResult } from './mechanisms/probe.ts';

export interface DiskBound {
  readonly bytes: number;
  readonly usedBytes: number;
}

/** As the file system itself tells: of a directory that is bound it says what that may hold. Null: as much as its whole file system. */
export function boundOf(directory: string): DiskBound | null {
  try {
    const [own, whole] = [statfsSync(directory), statfsSync(join(directory, '..'))];
    if (own.blocks >= whole.blocks) return null;
    return { bytes: own.blocks * own.bsize, usedBytes: (own.blocks - own.bfree) * own.bsize };
  } catch {
    return null;
  }
}

export const unbound = "nothing binds its allocation's directory";

/** What else must be there: who may write elsewhere, or give files to another project, is not held by a bound. */
const alsoNeeded: readonly (readonly [line: string, without: string])[] = [
  ['mount_namespace', "it may write elsewhere than in its allocation's directory"],
  ['read_only_system', "it may write elsewhere than in its allocation's directory"],
  ['seccomp', 'it may give its files to another project'],
];

/** `probed`: the mechanism on this host; `seen`: the other lines of the task. */
export function diskLine(
  probed: Pick<ProbeResult, 'ok' | 'evidence'> | undefined,
  { launch, wish }: { readonly launch: Pick<LaunchRequest, 'directories' | 'mounts'>; readonly wish: IsolationWish },
  seen: readonly Mechanism[],
): Mechanism {
  const line = (state: Mechanism['state'], evidence: string): Mechanism => ({
    name: 'disk_quota',
    state,
    evidence,
    checkedAt: seen[0]?.checkedAt ?? '',
  });
  if (probed?.ok !== true) return line('unavailable', `${unbound}: ${probed?.evidence ?? 'not probed'}`);
  const bound = boundOf(launch.directories.allocation);
  if (bound === null) return line('unavailable', unbound);
  const text = `${mib(bound.bytes)} for its allocation's directory, of which ${mib(bound.usedBytes)} are used`;
  const lacks = alsoNeeded.find(([name]) => seen.find((each) => each.name === name)?.state !== 'verified');
  if (lacks !== undefined) return line('unavailable', `${lacks[1]}; ${text}`);
  if (wish.capabilities.some((name) => ['ALL', 'SYS_RESOURCE'].includes(capabilityName(name))))
    return line('unavailable', `CAP_SYS_RESOURCE is held to no quota; ${text}`);
  const volumes = launch.mounts.some(({ readOnly }) => !readOnly) ? '; volumes are not counted' : '';
  return line('verified', `${text}${volumes}`);
}

function mib(bytes: number): string {
  return `${Math.round((bytes / 2 ** 20) * 10) / 10} MiB`;
}
