/**
 * Run inside the guest, on a disk of its own as any is made: quotas of projects, without an agent. Writes a line of JSON to the file it is given.
 *
 *     node disk.mjs DIRECTORY FILE      DIRECTORY: where the disk is mounted
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { diskAdvice } from '../../src/agent/examine-host.ts';
import { buildAllocationDirectory, moveDisk } from '../../src/client/alloc-dir.ts';
import { boundOf } from '../../src/isolation/disk-line.ts';
import { DiskQuotas, diskQuotaProbe, projectIds } from '../../src/isolation/disk-quota.ts';
import { TaskUids } from '../../src/isolation/uids.ts';

const [directory = '', file = ''] = process.argv.slice(2);
const verifier = join(process.cwd(), 'build/native/drover-verify');
const all = join(directory, 'alloc');
const user = 1234;
const mib = 1 << 20;

/** What the test judges. */
export interface DiskSight {
  /** Of the disk as it was made: what the probe says of it, what the doctor advises, and what the probe says once that was done. */
  readonly remedy: { readonly evidence: string; readonly command: string; readonly after: string };
  /** Bytes that go into directories of 1 MiB. */
  readonly written: {
    readonly bound: string;
    /** By its owner, who took it out of its project. */
    readonly escaped: string;
    /** The same inside a user namespace, as sandboxes have. */
    readonly sandboxed: string;
    /** Where the agent's directory was found again by another life of it. */
    readonly restarted: string;
    readonly neighbour: string;
  };
  /** Of a file on a sticky disk, after it was taken over. */
  readonly takenOver: { readonly text: string; readonly counted: boolean };
  /** Of allocations of three agents, which each could have had the same; then of one that came when those of the first were gone. */
  readonly projects: readonly string[];
  readonly afterwards: string;
}

function disksOf(agent: string, ids = projectIds): DiskQuotas {
  return new DiskQuotas({ verifier, claims: new TaskUids(join(directory, agent), ids), works: () => true });
}

async function allocation(disks: DiskQuotas, id: string): Promise<string> {
  buildAllocationDirectory(all, id);
  await disks.bound(join(all, id), 1);
  return join(all, id);
}

/** By a user whom quotas hold; `before`: what that user does first. Resolves with the bytes of the file. */
function write(allocation: string, before = ':', within: readonly string[] = []): string {
  const own = join(allocation, 'alloc/data/own');
  rmSync(own, { recursive: true, force: true });
  mkdirSync(own);
  chownSync(own, user, user);
  const script = `cd ${own}; ${before}; head -c ${2 * mib} /dev/zero >f; stat -c %s f`;
  const command = [`--reuid=${user}`, '--clear-groups', ...within, 'sh', '-c', script];
  return spawnSync('setpriv', command, { encoding: 'utf8' }).stdout.trim();
}

async function carriedOut(): Promise<DiskSight['remedy']> {
  const look = () => diskQuotaProbe(true, verifier, directory, projectIds.last);
  const found = await look();
  const [advice] = await diskAdvice(found, 0, directory);
  execFileSync('sh', ['-c', advice!.Command]);
  const { ok, evidence } = await look();
  return { evidence: found.evidence, command: advice!.Command, after: `${ok} ${evidence}` };
}

async function takeOver(): Promise<DiskSight['takenOver']> {
  const disks = disksOf('sticky');
  const [old, next] = [await allocation(disks, 'old'), await allocation(disks, 'next')];
  writeFileSync(join(old, 'alloc/data/kept'), 'kept');
  writeFileSync(join(old, 'alloc/data/large'), Buffer.alloc(mib / 2));
  await moveDisk(all, { from: 'old', to: 'next', tasks: [] }, { disks, passIds: () => undefined });
  execFileSync('sync');
  const counted = boundOf(next)!.usedBytes > mib / 2 && boundOf(old)!.usedBytes < mib / 2;
  return { text: readFileSync(join(next, 'alloc/data/kept'), 'utf8'), counted };
}

const projectOf = (path: string): string =>
  execFileSync('lsattr', ['-pd', path], { encoding: 'utf8' })
    .split(/\s+/)
    .filter((each) => each !== '')[0]!;

async function unlikeProjects(): Promise<Pick<DiskSight, 'projects' | 'afterwards'>> {
  const few = { first: projectIds.first, last: projectIds.first + 2 };
  const agents = ['one', 'two', 'three'].map((agent) => disksOf(agent, few));
  const paths: string[] = [];
  for (const [number, disks] of agents.entries()) paths.push(await allocation(disks, `of-${number}`));
  const projects = paths.map(projectOf);
  rmSync(paths[0]!, { recursive: true });
  await agents[0]!.release(paths[0]!);
  return { projects, afterwards: projectOf(await allocation(agents[0]!, 'later')) };
}

const remedy = await carriedOut();
const [bound, neighbour] = [await allocation(disksOf('agent'), 'bound'), await allocation(disksOf('agent'), 'beside')];
const written = {
  bound: write(bound),
  neighbour: write(neighbour, 'head -c 900000 /dev/zero >f; stat -c %s f; exit'),
  sandboxed: write(bound, 'chattr -p 0 .; chattr -P .', ['unshare', '--user']),
  restarted: write(await allocation(disksOf('agent'), 'bound')),
  escaped: write(bound, 'chattr -p 0 . && chattr -P .'),
};
const sight: DiskSight = { remedy, written, takenOver: await takeOver(), ...(await unlikeProjects()) };
appendFileSync(file, `${JSON.stringify(sight)}\n`);
