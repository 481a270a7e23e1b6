import type { Defaults, JobPart } from './canonical-parts.ts';
import { canonicalService } from './canonical-service.ts';
import { emptyListToNull, emptyMapToNull } from './fill.ts';
import { defaultCpu, defaultIdentity } from './job-defaults.ts';
import type { RestartPolicy } from './restart-policy.ts';
import type { Input } from './schema.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

export interface TaskPlace {
  readonly job: JobPart;
  readonly group: Input<TaskGroup>;
  readonly restart: Input<RestartPolicy>;
}

/** A task with the defaults that depend on its group, its job or its other fields; the field tables add the rest. */
export function canonicalTask(task: Input<Task>, place: TaskPlace, defaults: Defaults): Input<Task> {
  const { job, group } = place;
  const name = task.Name ?? '';
  const restart = Object.entries(task.RestartPolicy ?? {}).filter(([, value]) => value != null);
  const services = (task.Services ?? []).map((service) =>
    canonicalService(service, { job: job.name, group: group.Name ?? '', task: name, namespace: job.namespace }),
  );
  return {
    ...task,
    RestartPolicy: { ...place.restart, ...Object.fromEntries(restart) },
    Lifecycle: task.Lifecycle?.Hook || task.Lifecycle?.Sidecar ? task.Lifecycle : null,
    Resources: resources(task.Resources ?? {}),
    Services: services.length === 0 ? null : services,
    Artifacts: emptyListToNull(task.Artifacts)?.map(artifact) ?? null,
    Templates: emptyListToNull(task.Templates)?.map(template) ?? null,
    Vault: task.Vault ? { ...task.Vault, ChangeSignal: task.Vault.ChangeSignal?.toUpperCase() ?? null } : null,
    // Zero asks for the default: a task that is killed at once says 1ns.
    KillTimeout: task.KillTimeout || null,
    Config: emptyMapToNull(task.Config),
    Meta: emptyMapToNull(task.Meta),
    Env: emptyMapToNull(task.Env),
    VolumeMounts: emptyListToNull(task.VolumeMounts),
    Actions: emptyListToNull(task.Actions),
    Secrets: emptyListToNull(task.Secrets),
    ScalingPolicies:
      emptyListToNull(task.ScalingPolicies)?.map((policy) => ({
        ...policy,
        Min: policy.Min ?? 0,
        Target: emptyMapToNull(policy.Target) ?? {
          Namespace: job.namespace,
          Job: job.id,
          Group: group.Name ?? '',
          Task: name,
        },
      })) ?? null,
    ...identities(task, defaults),
  };
}

function resources(given: Input<Task['Resources']>): Input<Task['Resources']> {
  const cores = given.Cores ?? 0;
  return {
    ...given,
    DiskMB: 0,
    CPU: given.CPU ?? (cores > 0 ? 0 : defaultCpu),
    Networks: emptyListToNull(given.Networks),
    Devices: emptyListToNull(given.Devices),
  };
}

type Artifact = Input<NonNullable<Task['Artifacts']>[number]>;

function artifact(given: Artifact): Artifact {
  const source = given.GetterSource ?? '';
  const mode = given.GetterMode ?? 'any';
  const destination = mode === 'file' ? `local/${source.split('/').at(-1) ?? ''}` : 'local/';
  return {
    ...given,
    RelativeDest: given.RelativeDest ?? destination,
    GetterOptions: emptyMapToNull(given.GetterOptions),
    GetterHeaders: emptyMapToNull(given.GetterHeaders),
  };
}

type TemplateInput = Input<NonNullable<Task['Templates']>[number]>;

function template(given: TemplateInput): TemplateInput {
  const signal = given.ChangeSignal ?? (given.ChangeMode === 'signal' ? 'SIGHUP' : '');
  const script = given.ChangeScript;
  return {
    ...given,
    ChangeSignal: signal.toUpperCase(),
    ChangeScript: script ? { ...script, Args: script.Args ?? [] } : null,
    Wait: given.Wait ?? null,
  };
}

/** Every task has the default identity; a task with a vault block has one for Vault too. */
function identities(task: Input<Task>, defaults: Defaults): Pick<Input<Task>, 'Identity' | 'Identities'> {
  const others = [...(task.Identities ?? [])];
  if (task.Vault && defaults.vaultIdentity !== undefined) {
    const name = `vault_${task.Vault.Cluster || 'default'}`;
    if (!others.some((identity) => identity.Name === name)) {
      others.push({ Name: name, Audience: defaults.vaultIdentity.audience, TTL: defaults.vaultIdentity.ttl });
    }
  }
  const own = task.Identity ?? {};
  return {
    Identity: {
      ...own,
      Name: own.Name || defaultIdentity.name,
      Audience: own.Audience?.length ? own.Audience : [defaultIdentity.audience],
    },
    Identities: others.length === 0 ? null : others,
  };
}
