import { second } from '../lib/duration.ts';
import { localPort } from './canonical-expose.ts';
import { nest, problems } from './error-list.ts';
import type { Service, ServiceCheck } from './service.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

/** The problems of the services of a group (`task` null) or of a task. */
export function validateServices(services: readonly Service[], group: TaskGroup, task: Task | null): readonly string[] {
  const seen = new Set<string>();
  const providers = new Set(services.map((service) => service.Provider));
  return [
    ...services.flatMap((service) => {
      const key = `${service.Name}+${service.PortLabel}`;
      const known = seen.has(key);
      seen.add(key);
      return [
        ...nest(`service "${service.Name}" validation failed`, validateService(service, group, task)),
        ...problems([known, `Service "${service.Name}" is defined twice for the same port "${service.PortLabel}"`]),
      ];
    }),
    ...problems([providers.size > 1, 'All services of a group must use the same provider']),
  ];
}

function validateService(service: Service, group: TaskGroup, task: Task | null): readonly string[] {
  const groupModes = ['alloc', 'alloc_ipv6'];
  const modes = ['auto', 'host', 'driver', ...groupModes];
  const numeric = /^\d+$/.test(service.PortLabel);
  const name = service.Name.replace(/\$\{[^}]*\}/g, 'ENV');
  return [
    ...problems(
      [
        !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(name),
        `Service name "${service.Name}" is no DNS label (RFC 1123): letters, digits and dashes, at most 63`,
      ],
      [
        !modes.includes(service.AddressMode),
        `Service address_mode must be one of ${modes.join(', ')}; not "${service.AddressMode}"`,
      ],
      [
        task !== null && groupModes.includes(service.AddressMode),
        `address_mode "${service.AddressMode}" is for group services only`,
      ],
      [
        task === null && service.AddressMode === 'driver' && service.TaskName === '',
        'address_mode "driver" is for services of a task',
      ],
      [service.Address !== '' && service.AddressMode !== 'auto', 'Service address needs address_mode "auto"'],
      [
        !['consul', 'nomad'].includes(service.Provider),
        `Service provider must be "consul" or "nomad"; not "${service.Provider}"`,
      ],
      [
        numeric && service.AddressMode === 'host',
        `Service port is numeric ("${service.PortLabel}") but address_mode is "host"`,
      ],
      [
        service.Provider === 'nomad' && service.Connect !== null,
        'Service with provider nomad cannot include Connect blocks',
      ],
      [task !== null && service.Connect !== null, 'Connect is possible in a group service only'],
      [
        service.TaskName !== '' && task === null && !group.Tasks.some(({ Name }) => Name === service.TaskName),
        `Service names the task "${service.TaskName}", which is not in the group`,
      ],
      [
        !['require_healthy', 'ignore_warnings', 'ignore'].includes(service.OnUpdate),
        `Service on_update must be require_healthy, ignore_warnings or ignore; not "${service.OnUpdate}"`,
      ],
    ),
    ...checkNames(service),
    ...((service.Checks ?? []).some(({ Expose }) => Expose) ? exposeProblems(service, group, task) : []),
    ...(service.Checks ?? []).flatMap((check) => firstProblem(check, service)),
  ];
}

/** A check is exposed by the sidecar of its service, in the one bridge that both are in. */
function exposeProblems(service: Service, group: TaskGroup, task: Task | null): readonly string[] {
  const networks = group.Networks ?? [];
  const [network] = networks;
  return problems(
    [
      task !== null || !service.Connect?.SidecarService,
      'a check with expose needs a group service with connect { sidecar_service {} }',
    ],
    [
      networks.length !== 1 || network?.Mode !== 'bridge',
      `a check with expose needs the group "${group.Name}" to have one network, of mode "bridge"`,
    ],
    [
      localPort(service.PortLabel, network) === undefined,
      `a check with expose needs the service's port to be a number or a static port, not "${service.PortLabel}"`,
    ],
  ).slice(0, 1);
}

function checkNames(service: Service): readonly string[] {
  const names = (service.Checks ?? []).map((check) => check.Name);
  return names.flatMap((name, index) =>
    problems([names.indexOf(name) !== index, `Check name "${name}" is used twice`]),
  );
}

/** A check is told its first problem only: the later ones mostly follow from it. */
function firstProblem(check: ServiceCheck, service: Service): readonly string[] {
  const said = checkProblems(check, service)[0];
  return said === undefined ? [] : [`check ${check.Name} invalid: ${said}`];
}

function checkProblems(check: ServiceCheck, service: Service): readonly string[] {
  const types = service.Provider === 'nomad' ? ['http', 'tcp'] : ['http', 'tcp', 'grpc', 'script'];
  const restart = check.CheckRestart;
  return problems(
    [!types.includes(check.Type), `type "${check.Type}" is not one of ${types.join(', ')}`],
    [check.Type === 'http' && check.Path === '', 'http checks need a path'],
    [check.Type === 'http' && /^[a-z][a-z0-9+.-]*:/i.test(check.Path), 'the path of an http check is relative'],
    [check.Type === 'script' && check.Command === '', 'script checks need a command'],
    [check.Interval < second, 'interval is missing or below 1s'],
    [check.Timeout < second, 'timeout is missing or below 1s'],
    [
      !['', 'passing', 'warning', 'critical'].includes(check.InitialStatus),
      `initial status "${check.InitialStatus}" is none`,
    ],
    [
      !['', 'host', 'driver', 'alloc', 'alloc_ipv6'].includes(check.AddressMode),
      `address_mode "${check.AddressMode}" is not possible for a check`,
    ],
    [check.Notes.length > 255, 'notes are longer than 255 characters'],
    [
      check.SuccessBeforePassing < 0 || check.FailuresBeforeCritical < 0 || check.FailuresBeforeWarning < 0,
      'counts of successes and failures must not be negative',
    ],
    [
      check.SuccessBeforePassing > 0 && check.Type === 'script',
      'success_before_passing is not possible for script checks',
    ],
    [
      restart !== null && (restart.Limit < 0 || restart.Grace < 0),
      'check_restart limit and grace must not be negative',
    ],
    [check.OnUpdate === 'ignore' && restart !== null, 'on_update "ignore" and check_restart exclude each other'],
    [
      check.OnUpdate === 'ignore_warnings' && restart !== null && !restart.IgnoreWarnings,
      'on_update "ignore_warnings" needs check_restart.ignore_warnings',
    ],
    [check.Expose && !['http', 'grpc'].includes(check.Type), 'expose is possible for http and grpc checks only'],
  );
}
