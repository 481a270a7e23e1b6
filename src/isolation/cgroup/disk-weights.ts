/**
 * By which files disks are shared by weight on this host. A kernel takes and shows `io.weight` also where no disk heeds it, so it is looked at
 * what divides each disk. Sources: the kernel's documents cgroup-v2 (IO), bfq-iosched and iosched.
 */
import { join } from 'node:path';
import { Fault } from '../../lib/fault.ts';
import { kernelNames, kernelText } from '../../lib/node/kernel-file.ts';
import type { CgroupHost } from './hierarchy.ts';

/** Of the hierarchy that holds `io`; null: none does. `Fault('unsupported')`: no disk here is shared by weight. */
export function weightFiles(host: CgroupHost): readonly string[] | null {
  const io = host.hierarchies.find(({ controllers }) => controllers.includes('io'));
  if (io === undefined) return null;
  const schedulers = (kernelNames('/sys/block') ?? []).map((disk) => kernelText(`/sys/block/${disk}/queue/scheduler`));
  const files = dividing(io.version, schedulers, kernelText(join(io.mount, 'io.cost.qos')));
  if (files.length > 0) return files;
  const ways = io.version === 2 ? 'the scheduler bfq, or a model of costs (io.cost.qos)' : 'the scheduler bfq';
  throw new Fault('unsupported', `io_weight: no disk of this host is shared by weight: none has ${ways}`);
}

/** `schedulers`: of each disk, e.g. `"none [bfq]"`; `costs`: of each disk that has a model, `"254:0 enable=1 …"`. */
export function dividing(version: 1 | 2, schedulers: readonly string[], costs: string): readonly string[] {
  const has = (name: string): boolean => schedulers.some((each) => each.includes(`[${name}]`));
  if (version === 2)
    return [...(has('bfq') ? ['io.bfq.weight'] : []), ...(/ enable=1( |$)/m.test(costs) ? ['io.weight'] : [])];
  return [...(has('bfq') ? ['blkio.bfq.weight'] : []), ...(has('cfq') ? ['blkio.weight'] : [])];
}
