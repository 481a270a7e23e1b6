/** What makes the file system of tasks' directories keep to quotas of projects: one command, where one does it. Pure. */
import { readMounts } from '../lib/node/mount-table.ts';
import type { ProbeResult } from './mechanisms/probe.ts';

/** Of the file system that allocations are on. */
export interface DiskFacts {
  /** `"ext4"` */
  readonly type: string;
  /** `"/dev/vda1"` */
  readonly device: string;
  readonly mountPoint: string;
  /** False: this kernel was built without them. */
  readonly inKernel: boolean;
}

/** The mount of a whole file system. `device`: `"254:1"`. Null: it is mounted nowhere as a whole. Source: proc_pid_mountinfo(5). */
export function wholeMount(mountinfo: string, device: string): Omit<DiskFacts, 'inKernel'> | null {
  const found = readMounts(mountinfo).find((each) => each.device === device && each.root === '/');
  return found === undefined ? null : { type: found.type, device: found.source, mountPoint: found.point };
}

/** `config`: of the kernel, as it was built; empty: not known. `modules`: names of what it has or can load, one a line. */
export function kernelKeepsQuotas(type: string, config: string, modules: string): boolean {
  const wanted = type === 'xfs' ? 'CONFIG_XFS_QUOTA' : 'CONFIG_QFMT_V2';
  if (config !== '') return new RegExp(`^${wanted}=[ym]$`, 'm').test(config);
  return type === 'xfs' || modules === '' || modules.includes('/quota_v2.ko');
}

/** `facts` null: it is not known where the agent will keep its data. */
export function diskRemedy({ evidence }: Pick<ProbeResult, 'evidence'>, facts: DiskFacts | null, uid: number): string {
  if (uid !== 0) return 'run the agent as root';
  if (facts === null) return 'drover doctor -data-dir=DIRECTORY, with that of the agent';
  const { type, device, mountPoint, inKernel } = facts;
  if (!['ext4', 'xfs'].includes(type))
    return 'put data_dir on a file system of its own: mkfs.ext4 -O quota,project DEVICE && mount -o prjquota DEVICE DIRECTORY';
  if (!inKernel) return `a kernel with ${type === 'xfs' ? 'CONFIG_XFS_QUOTA' : 'CONFIG_QUOTA and CONFIG_QFMT_V2'}`;
  if (!/not switched on|knows no|do not hold/.test(evidence)) return `make it work: ${evidence}`;
  const features = type === 'ext4' ? [`tune2fs -O project -Q prjquota ${device}`] : [];
  if (mountPoint === '/') {
    const first = features.map((each) => `${each} from another system, then `).join('');
    return `${first}boot with rootflags=prjquota; or put data_dir on a file system of its own`;
  }
  return [`umount ${mountPoint}`, ...features, `mount -o prjquota ${device} ${mountPoint}`].join(' && ');
}
