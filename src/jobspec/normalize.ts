import { second } from '../lib/duration.ts';
import type { Row } from './job-decoder.ts';

/** Puts what a job file writes above its place, or in short, where the API's job has it. Nothing else is defaulted here. */
export function normalizeJob(job: Row, label: string, emptyGroup: () => Row): Row {
  const { Vault: vault, Secrets: secrets, Tasks: tasks, ...rest } = job;
  const own = (rows(tasks) ?? []).map((task) => ({ ...emptyGroup(), Name: task['Name'], Tasks: [task] }) as Row);
  const groups = [...own, ...(rows(rest['TaskGroups']) ?? [])];
  return {
    ...rest,
    ID: rest['ID'] ?? label,
    Name: rest['Name'] ?? label,
    TaskGroups:
      groups.length === 0
        ? null
        : groups.map((group) => normalizeGroup(group, vault as Row | null, rows(secrets) ?? [])),
    Periodic: rest['Periodic'] ? periodic(rest['Periodic'] as Row) : rest['Periodic'],
  };
}

const rows = (value: unknown): readonly Row[] | null => (value ?? null) as readonly Row[] | null;

function periodic(row: Row): Row {
  return { ...row, SpecType: row['Spec'] !== null || row['Specs'] !== null ? 'cron' : row['SpecType'] };
}

function normalizeGroup(group: Row, jobVault: Row | null, jobSecrets: readonly Row[]): Row {
  const { Vault: vault, Secrets: secrets, ...rest } = group;
  const outer = { vault: (vault as Row | null) ?? jobVault, secrets: [...(rows(secrets) ?? []), ...jobSecrets] };
  rest['Tasks'] = rows(rest['Tasks'])?.map((task) => normalizeTask(task, outer)) ?? null;
  rest['Networks'] = rows(rest['Networks'])?.map(splitPorts) ?? null;
  return rest;
}

interface Outer {
  readonly vault: Row | null;
  readonly secrets: readonly Row[];
}

function normalizeTask(task: Row, outer: Outer): Row {
  const vault = (task['Vault'] as Row | null) ?? outer.vault;
  const resources = task['Resources'] as Row | null;
  // Unlike Nomad: a group's secrets are added to a task's own; there the task's own are added to themselves and the job is refused.
  const secrets = [...(rows(task['Secrets']) ?? []), ...outer.secrets];
  // The row was made for this file and is nobody else's: it is changed in place.
  Object.assign(task, splitIdentities(rows(task['Identities'])));
  if (vault !== null)
    task['Vault'] = {
      ...vault,
      Env: vault['Env'] ?? true,
      DisableFile: vault['DisableFile'] ?? false,
      ChangeMode: vault['ChangeMode'] ?? 'restart',
    };
  task['Secrets'] = secrets.length === 0 ? null : secrets;
  task['Templates'] = rows(task['Templates'])?.map(template) ?? null;
  if (resources !== null) resources['Networks'] = rows(resources['Networks'])?.map(splitPorts) ?? null;
  return task;
}

/** The identity without a name, or named `default`, has a field of its own; of several the last counts. */
function splitIdentities(identities: readonly Row[] | null): Row {
  const isDefault = (identity: Row) => identity['Name'] === '' || identity['Name'] === 'default';
  const others = (identities ?? []).filter((identity) => !isDefault(identity));
  return { Identity: identities?.findLast(isDefault) ?? null, Identities: others.length === 0 ? null : others };
}

function template(row: Row): Row {
  const script = row['ChangeScript'] as Row | null;
  return {
    ...row,
    ChangeMode: row['ChangeMode'] ?? 'restart',
    ChangeScript: script === null ? null : changeScript(script),
    Splay: row['Splay'] ?? 5 * second,
    Perms: row['Perms'] ?? '0644',
    ErrMissingKey: row['ErrMissingKey'] ?? false,
  };
}

function changeScript(row: Row): Row {
  return {
    ...row,
    Args: row['Args'] ?? [],
    Timeout: row['Timeout'] ?? 5 * second,
    FailOnError: row['FailOnError'] ?? false,
    RunOnFirstRender: row['RunOnFirstRender'] ?? false,
  };
}

/** All `port` blocks are read as one list; those with a number are reserved. They replace `reserved_ports` blocks. */
function splitPorts(network: Row): Row {
  const ports = rows(network['DynamicPorts']);
  if (ports === null) return network;
  const fixed = ports.filter((port) => (port['Value'] as number) > 0);
  const open = ports.filter((port) => !((port['Value'] as number) > 0));
  return {
    ...network,
    ReservedPorts: fixed.length === 0 ? null : fixed,
    DynamicPorts: open.length === 0 ? null : open,
  };
}
