/** What a namespace may be called and demand, and what it lets the jobs in it use. */
import { driversOf } from './driver-choice.ts';
import { problems } from './error-list.ts';
import { demandProblems } from './isolation-floor.ts';
import type { Job } from './job.ts';
import type { Namespace } from './namespace.ts';

const namePattern = /^[a-zA-Z0-9-]{1,128}$/;
const longestDescription = 256;
const modes: readonly string[] = ['enforce', 'warn', 'audit'];

export function validateNamespace({ Name, Description, Isolation: demand }: Namespace): readonly string[] {
  return [
    ...problems(
      [!namePattern.test(Name), `invalid name "${Name}". Must match regex ${namePattern.source}`],
      [Description.length > longestDescription, `description longer than ${longestDescription}`],
      [
        demand != null && !modes.includes(demand.Mode),
        `isolation mode is one of ${modes.join(', ')}; got ${JSON.stringify(demand?.Mode)}`,
      ],
    ),
    ...demandProblems(demand ?? null),
  ];
}

/** Why a job may not be in its namespace; a namespace that says nothing allows everything. */
export function validateInNamespace(job: Job, namespace: Namespace): readonly string[] {
  const { Capabilities: may, NodePoolConfiguration: pools } = namespace;
  const refused = (what: string): string => `${what} is not allowed in namespace "${namespace.Name}"`;
  const drivers = job.TaskGroups.flatMap((group) => group.Tasks.flatMap(driversOf));
  const networks = job.TaskGroups.flatMap((group) => (group.Networks ?? []).map((network) => network.Mode || 'host'));
  const bad = (names: readonly string[], only: Names, never: Names): readonly string[] =>
    [...new Set(names)].filter((name) => !isAllowed(name, only, never));
  return [
    ...bad(drivers, may?.EnabledTaskDrivers, may?.DisabledTaskDrivers).map((name) => refused(`task driver "${name}"`)),
    ...bad(networks, may?.EnabledNetworkModes, may?.DisabledNetworkModes).map((name) =>
      refused(`network mode "${name}"`),
    ),
    ...bad([job.NodePool], withDefault(pools?.Allowed, pools?.Default), pools?.Denied).map((name) =>
      refused(`node pool "${name}"`),
    ),
  ];
}

type Names = readonly string[] | null | undefined;

/** The default pool of a namespace need not be named among the allowed ones. */
const withDefault = (names: Names, own: string | undefined): Names =>
  names == null || names.length === 0 || own === undefined || own === '' ? names : [...names, own];

function isAllowed(name: string, only: Names, never: Names): boolean {
  if (never?.includes(name)) return false;
  return only == null || only.length === 0 || only.includes(name);
}
