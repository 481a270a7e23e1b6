import type { TaskGroup } from '../../model/task-group.ts';
import type { Requirement } from './requirement.ts';

/** The host volumes a group names are there, and writable where it wants to write. */
export function hostVolumesRequirement(group: TaskGroup): Requirement | undefined {
  const wanted = Object.values(group.Volumes ?? {}).filter((volume) => volume.Type === 'host' || volume.Type === '');
  if (wanted.length === 0) return undefined;
  return {
    unique: false,
    unmetBy: (node) => {
      const allThere = wanted.every((request) => {
        const volume = node.HostVolumes?.[request.Source];
        return volume !== undefined && (request.ReadOnly || !volume.ReadOnly);
      });
      return allThere ? undefined : 'missing compatible host volumes';
    },
  };
}

/** Volumes of container storage plugins are not served yet: no node has one. */
export function pluginVolumesRequirement(group: TaskGroup): Requirement | undefined {
  const wanted = Object.values(group.Volumes ?? {}).some((volume) => volume.Type === 'csi');
  return wanted ? { unique: false, unmetBy: () => 'CSI volumes are not served yet' } : undefined;
}
