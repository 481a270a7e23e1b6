import { emptyListToNull, emptyMapToNull, merge } from './fill.ts';
import type { Input } from './schema.ts';
import type { CheckRestart, Service, ServiceCheck } from './service.ts';

export interface ServicePlace {
  readonly job: string;
  readonly group: string;
  /** Absent for a group's service. */
  readonly task?: string;
  readonly namespace: string;
}

/** A service of a group or a task with its defaults: name, checks' names, its restart rule merged into each check. */
export function canonicalService(service: Input<Service>, place: ServicePlace): Input<Service> {
  const base = [place.job, place.group, place.task].filter((part) => part !== undefined).join('-');
  const names: { readonly [key: string]: string } = {
    JOB: place.job,
    TASKGROUP: place.group,
    TASK: place.task ?? 'group',
    BASE: base,
  };
  const name = (service.Name || base).replace(/\$\{(JOB|TASKGROUP|TASK|BASE)\}/g, (_, key: string) => names[key]!);
  const onUpdate = service.OnUpdate || 'require_healthy';
  const taskName = place.task ?? service.TaskName ?? '';
  return {
    ...service,
    Name: name,
    TaskName: taskName,
    OnUpdate: onUpdate,
    Namespace: place.namespace,
    Tags: emptyListToNull(service.Tags),
    CanaryTags: emptyListToNull(service.CanaryTags),
    Meta: emptyMapToNull(service.Meta),
    CanaryMeta: emptyMapToNull(service.CanaryMeta),
    TaggedAddresses: emptyMapToNull(service.TaggedAddresses),
    Checks: emptyListToNull(
      (service.Checks ?? []).map((check) =>
        canonicalCheck(check, { name, onUpdate, taskName, restart: service.CheckRestart }),
      ),
    ),
    Identity: service.Identity ? identity(service.Identity, name, taskName, service.PortLabel ?? '') : null,
  };
}

interface CheckPlace {
  readonly name: string;
  readonly onUpdate: string;
  readonly taskName: string;
  readonly restart: Input<CheckRestart | null> | undefined;
}

function canonicalCheck(check: Input<ServiceCheck>, service: CheckPlace): Input<ServiceCheck> {
  const restart = merge(service.restart as CheckRestart | null, check.CheckRestart as CheckRestart | null);
  return {
    ...check,
    Name: check.Name || `service: "${service.name}" check`,
    TaskName: check.TaskName || (check.Type === 'script' || check.Type === 'grpc' ? service.taskName : ''),
    OnUpdate: check.OnUpdate || service.onUpdate,
    Args: emptyListToNull(check.Args),
    Header: header(check.Header),
    CheckRestart: restart ?? null,
  };
}

function identity(given: Input<NonNullable<Service['Identity']>>, service: string, task: string, port: string) {
  const name = ['consul-service_' + [task, service, port].filter((part) => part !== '').join('-')].join('');
  return { ...given, Name: given.Name || name, ServiceName: service };
}

function header(given: Input<ServiceCheck>['Header']): Input<ServiceCheck['Header']> {
  const entries = Object.entries(given ?? {}).map(([key, values]) => [key, emptyListToNull(values)]);
  return entries.length === 0 ? null : Object.fromEntries(entries);
}
