import { formatDuration } from '../lib/duration.ts';
import { sha256 } from '../lib/sha256.ts';
import type { ConsulExposePath } from './connect.ts';
import type { NetworkResource } from './network.ts';
import type { Input } from './schema.ts';
import type { Service, ServiceCheck } from './service.ts';
import type { TaskGroup } from './task-group.ts';

type GroupInput = Input<TaskGroup>;
type CheckInput = Input<ServiceCheck>;
type ServiceInput = Input<Service>;

/**
 * A group whose services' exposed checks have what they imply: a dynamic port of the group's bridge where the check names none, and
 * a path of the sidecar's proxy that leads there past the mesh. What is there already is not added again; what cannot be exposed
 * is left as it is, for validation to refuse.
 */
export function withExposedChecks(group: GroupInput): GroupInput {
  return (group.Services ?? []).reduce<GroupInput>((so, service, index) => exposed(so, service, index), group);
}

function exposed(group: GroupInput, service: ServiceInput, at: number): GroupInput {
  const sidecar = service.Connect?.SidecarService;
  const [network, ...others] = group.Networks ?? [];
  const port = localPort(service.PortLabel ?? '', network);
  if (!sidecar || others.length > 0 || network?.Mode !== 'bridge' || port === undefined) return group;
  const ports = [...(network.DynamicPorts ?? [])];
  const paths = [...(sidecar.Proxy?.Expose?.Paths ?? [])];
  const checks = (service.Checks ?? []).map((check, index) => {
    if (!check.Expose || !isExposable(check)) return check;
    const label = check.PortLabel || portLabel(service.Name ?? '', check, index);
    if (!check.PortLabel) ports.push({ Label: label, To: -1, HostNetwork: 'default' });
    const path = { Path: check.Path ?? '', Protocol: check.Protocol ?? '', LocalPathPort: port, ListenerPort: label };
    if (!paths.some((other) => isSamePath(other, path))) paths.push(path);
    return { ...check, PortLabel: label };
  });
  if (checks.every((check, index) => check === service.Checks?.[index])) return group;
  const proxy = { ...sidecar.Proxy, Expose: { ...sidecar.Proxy?.Expose, Paths: paths } };
  const settled = {
    ...service,
    Checks: checks,
    Connect: { ...service.Connect, SidecarService: { ...sidecar, Proxy: proxy } },
  };
  return {
    ...group,
    Networks: [{ ...network, DynamicPorts: ports }],
    Services: (group.Services ?? []).map((other, index) => (index === at ? settled : other)),
  } as GroupInput;
}

/** Whether a proxy can lead a check past the mesh: it asks for a path over HTTP or gRPC. */
export function isExposable(check: CheckInput): boolean {
  return /^(http|grpc)$/i.test(check.Type ?? '') && (check.Path ?? '').startsWith('/');
}

/** What a service listens on inside its bridge: a static port of that label, or the number that the label is. */
export function localPort(label: string, network: Input<NetworkResource> | undefined): number | undefined {
  const value = network?.ReservedPorts?.find(({ Label }) => Label === label)?.Value;
  const port = value && value > 0 ? value : Number(label);
  return Number.isInteger(port) && port > 0 ? port : undefined;
}

/** The same each time the same job is registered, so that it is no change: `svc_web_ck_54c953`. */
function portLabel(service: string, check: CheckInput, index: number): string {
  const headers = Object.entries(check.Header ?? {}).map(([name, values]) => name + (values ?? []).join(''));
  const counts = [
    ['success', check.SuccessBeforePassing],
    ['failures', check.FailuresBeforeCritical],
    ['failures-before-warning', check.FailuresBeforeWarning],
  ].map(([name, count]) => (count ? `${name}:${count}` : ''));
  const parts = [
    `${service}_${index}`,
    check.Name,
    check.Type,
    check.Command,
    ...(check.Args ?? []),
    check.Path,
    check.Protocol,
    formatDuration(check.Interval ?? 0),
    formatDuration(check.Timeout ?? 0),
    check.Method,
    check.Body,
    check.OnUpdate,
    check.Notes,
    check.TLSSkipVerify ? 'true' : '',
    check.TLSServerName,
    ...headers.sort(),
    check.AddressMode,
    check.GRPCService,
    check.GRPCUseTLS ? 'true' : '',
    ...counts,
  ];
  return `svc_${service}_ck_${sha256(parts.join('')).slice(0, 6)}`;
}

function isSamePath(a: Input<ConsulExposePath>, b: Input<ConsulExposePath>): boolean {
  return (
    a.Path === b.Path &&
    (a.Protocol ?? '') === (b.Protocol ?? '') &&
    a.LocalPathPort === b.LocalPathPort &&
    a.ListenerPort === b.ListenerPort
  );
}
