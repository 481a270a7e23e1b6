import type { Constraint } from './constraint.ts';
import type { Job } from './job.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

/** Adds to each group the constraints that follow from what it uses; those that are there already are not added twice. */
export function addImplied(job: Job): Job {
  return { ...job, TaskGroups: job.TaskGroups.map(impliedForGroup) };
}

function impliedForGroup(group: TaskGroup): TaskGroup {
  const tasks = group.Tasks.map((task) => ({
    ...task,
    Constraints: withMissing(task.Constraints, impliedByTask(task)),
  }));
  return { ...group, Tasks: tasks, Constraints: withMissing(group.Constraints, impliedByGroup(group)) };
}

function withMissing(
  present: readonly Constraint[] | null,
  implied: readonly Constraint[],
): readonly Constraint[] | null {
  const result = [...(present ?? [])];
  for (const each of implied) {
    const same = (other: Constraint) =>
      other.LTarget === each.LTarget && other.RTarget === each.RTarget && other.Operand === each.Operand;
    if (!result.some(same)) result.push(each);
  }
  return result.length === 0 ? present : result;
}

function constraint(LTarget: string, Operand: string, RTarget: string): Constraint {
  return { LTarget, RTarget, Operand };
}

const consulServices = constraint('${attr.consul.version}', 'semver', '>= 1.8.0');

function impliedByTask(task: Task): readonly Constraint[] {
  const result: Constraint[] = [];
  if (task.Consul?.Partition) result.push(constraint('${attr.consul.partition}', '=', task.Consul.Partition));
  if (task.Services?.some((service) => service.Provider === 'consul')) result.push(consulServices);
  return result;
}

function impliedByGroup(group: TaskGroup): readonly Constraint[] {
  const services = [...(group.Services ?? []), ...group.Tasks.flatMap((task) => task.Services ?? [])];
  const native = services.filter((service) => service.Provider === 'nomad');
  const signals = signalsOf(group.Tasks);
  const result: Constraint[] = [];
  if (group.Tasks.some((task) => task.Vault !== null))
    result.push(constraint('${attr.vault.version}', 'semver', '>= 0.6.1'));
  if (group.Services?.some((service) => service.Provider === 'consul')) result.push(consulServices);
  if (native.length > 0) result.push(constraint('${attr.nomad.service_discovery}', '=', 'true'));
  if (native.some((service) => service.Checks?.length)) {
    result.push(constraint('${attr.nomad.version}', 'semver', '>= 1.4.0'));
  }
  if (signals.length > 0) result.push(constraint('${attr.os.signals}', 'set_contains', signals.join(',')));
  if (group.Consul?.Partition) result.push(constraint('${attr.consul.partition}', '=', group.Consul.Partition));
  if (usesIdentities(group, services)) result.push(constraint('${attr.nomad.version}', 'semver', '>= 1.7.0-a'));
  if (group.Networks?.some((network) => network.Mode === 'bridge')) {
    for (const plugin of ['bridge', 'firewall', 'host-local', 'loopback', 'portmap']) {
      result.push(constraint(`\${attr.plugins.cni.version.${plugin}}`, 'semver', '>= 0.4.0'));
    }
  }
  for (const plugin of secretPlugins(group.Tasks)) {
    result.push(constraint(`\${attr.plugins.secrets.${plugin}.version}`, 'is_set', ''));
  }
  return result;
}

function usesIdentities(group: TaskGroup, services: readonly { readonly Identity: unknown }[]): boolean {
  return group.Tasks.some((task) => task.Identities?.length) || services.some((service) => service.Identity !== null);
}

/** Signals that the group's tasks are sent, sorted. */
function signalsOf(tasks: readonly Task[]): readonly string[] {
  const signals = new Set<string>();
  for (const task of tasks) {
    if (task.KillSignal !== '') signals.add(task.KillSignal);
    if (task.Vault?.ChangeMode === 'signal') signals.add(task.Vault.ChangeSignal);
    for (const template of task.Templates ?? [])
      if (template.ChangeMode === 'signal') signals.add(template.ChangeSignal);
  }
  return [...signals].sort();
}

function secretPlugins(tasks: readonly Task[]): readonly string[] {
  const providers = tasks.flatMap((task) => task.Secrets ?? []).map((secret) => secret.Provider);
  return [...new Set(providers)].filter((provider) => provider !== 'nomad' && provider !== 'vault').sort();
}
