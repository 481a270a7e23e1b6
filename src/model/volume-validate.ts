import { nest, problems } from './error-list.ts';
import type { Job } from './job.ts';
import type { TaskGroup } from './task-group.ts';
import type { VolumeRequest } from './volume.ts';

const hostModes = [
  '',
  'single-node-reader-only',
  'single-node-writer',
  'single-node-single-writer',
  'single-node-multi-writer',
];
const csiModes = [
  'single-node-reader-only',
  'single-node-writer',
  'multi-node-reader-only',
  'multi-node-single-writer',
  'multi-node-multi-writer',
];
const attachmentModes = ['file-system', 'block-device'];

/** The group's volumes, and the mounts of its tasks: each must name one of them. */
export function validateVolumes(group: TaskGroup, job: Job): readonly string[] {
  const volumes = group.Volumes ?? {};
  const requests = Object.entries(volumes).flatMap(([name, volume]) =>
    nest(`Task group volume validation for ${name} failed`, validateRequest(volume, group, job)),
  );
  const mounts = group.Tasks.flatMap((task) =>
    (task.VolumeMounts ?? []).flatMap((mount, index) =>
      problems(
        [mount.Volume === '', `Task ${task.Name} has a volume mount (${index}) referencing an empty volume`],
        [
          mount.Volume !== '' && !mount.Volume.includes('${') && !Object.hasOwn(volumes, mount.Volume),
          `Task ${task.Name} has a volume mount (${index}) referencing undefined volume ${mount.Volume}`,
        ],
        [
          !['', 'private', 'host-to-task', 'bidirectional'].includes(mount.PropagationMode),
          `Task ${task.Name} has an invalid propagation mode (${mount.PropagationMode}) for volume ${mount.Volume}`,
        ],
        [
          !['', 'z', 'Z'].includes(mount.SELinuxLabel),
          `Task ${task.Name}: "${mount.SELinuxLabel}" is no SELinux label of a mount (z or Z)`,
        ],
      ),
    ),
  );
  return [...requests, ...mounts];
}

function validateRequest(volume: VolumeRequest, group: TaskGroup, job: Job): readonly string[] {
  const host = volume.Type === 'host';
  const system = job.Type === 'system' || job.Type === 'sysbatch';
  return problems(
    [!host && volume.Type !== 'csi', `Volume ${volume.Name} has unrecognized type "${volume.Type}"`],
    [volume.Source === '', 'Volume has an empty source'],
    [host && volume.MountOptions !== null, 'Host volumes cannot have mount options'],
    [host && !hostModes.includes(volume.AccessMode), `host volumes cannot have access mode "${volume.AccessMode}"`],
    [!host && !csiModes.includes(volume.AccessMode), `CSI volumes need an access mode, not "${volume.AccessMode}"`],
    [
      !host && !attachmentModes.includes(volume.AttachmentMode),
      `CSI volumes need an attachment mode, not "${volume.AttachmentMode}"`,
    ],
    [volume.PerAlloc && system, 'Volume cannot be per_alloc for a system job'],
    [volume.PerAlloc && (group.Update?.Canary ?? 0) > 0, 'Volume cannot be per_alloc when canaries are in use'],
    [volume.PerAlloc && volume.Sticky, 'Volume cannot be per_alloc and sticky at the same time'],
  );
}
