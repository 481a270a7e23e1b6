import type { Job } from './job.ts';
import type { Input } from './schema.ts';

interface Unserved {
  readonly block: string;
  readonly says: string;
}

const job: { readonly [field: string]: Unserved } = {
  Multiregion: { block: 'multiregion', says: 'the job runs in this region only' },
};
const group: { readonly [field: string]: Unserved } = {
  Services: { block: 'service', says: 'nothing is registered and no check runs' },
  Consul: { block: 'consul', says: 'Consul is not asked for anything' },
  Disconnect: { block: 'disconnect', says: 'allocations of a lost client are replaced as without it' },
};
const task: { readonly [field: string]: Unserved } = {
  Artifacts: { block: 'artifact', says: 'nothing is downloaded' },
  Templates: { block: 'template', says: 'no file is rendered' },
  Vault: { block: 'vault', says: 'the task gets no Vault token' },
  Consul: { block: 'consul', says: 'Consul is not asked for anything' },
  Services: { block: 'service', says: 'nothing is registered and no check runs' },
  Identities: { block: 'identity', says: 'the task gets no further identities' },
  CSIPluginConfig: { block: 'csi_plugin', says: 'the task is not used as a storage plugin' },
  Secrets: { block: 'secret', says: 'no secret is fetched' },
  Schedule: { block: 'schedule', says: 'the task runs at all times' },
  Actions: { block: 'action', says: 'the action cannot be run' },
};

/** One sentence for each block of a job that this version accepts and does nothing about; to be said when it is submitted. */
export function notServed(given: Input<Job>): readonly string[] {
  const said = new Set<string>();
  check(given, job, `job "${given.ID}"`, said);
  for (const each of given.TaskGroups ?? []) {
    const where = `group "${each.Name}"`;
    check(each, group, where, said);
    if (Object.values(each.Volumes ?? {}).some((volume) => volume?.Type === 'csi')) {
      said.add(`${where}: volumes of type csi are not served by this version: the group cannot be placed`);
    }
    if (given.Type === 'system' && (each.Update?.Canary ?? 0) > 0)
      said.add(`${where}: "canary" of a system job is not served by this version: the update is rolling`);
    for (const one of each.Tasks ?? []) {
      const place = `${where}, task "${one.Name}"`;
      check(one, task, place, said);
      if (one.Resources?.Devices?.length)
        said.add(`${place}: the block "device" is not served by this version: the task cannot be placed`);
      if (one.Resources?.NUMA)
        said.add(`${place}: the block "numa" is not served by this version: cores are taken from any node`);
    }
  }
  return [...said];
}

function check(row: object, table: { readonly [field: string]: Unserved }, where: string, said: Set<string>): void {
  for (const [field, { block, says }] of Object.entries(table)) {
    const value = (row as { readonly [key: string]: unknown })[field];
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    said.add(`${where}: the block "${block}" is not served by this version: ${says}`);
  }
}
