import { second } from '../lib/duration.ts';
import type { ConsulConnect, ConsulGateway, ConsulSidecarService } from './connect.ts';
import { withoutNulls } from './fill.ts';
import type { NetworkResource, Port } from './network.ts';
import type { Input } from './schema.ts';
import type { Service } from './service.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';

type GroupInput = Input<TaskGroup>;
type TaskInput = Input<Task>;
type ServiceInput = Input<Service>;

/**
 * A group with what its services' `connect` blocks imply: a proxy task per sidecar or gateway and the port it listens on, and the
 * kind of a task that speaks Connect itself. What is there already is not added again.
 */
export function withConnect(group: GroupInput): GroupInput {
  return (group.Services ?? []).reduce<GroupInput>(
    (so, service) => (service.Connect ? connected(so, service, service.Connect) : so),
    group,
  );
}

function connected(group: GroupInput, service: ServiceInput, connect: Input<ConsulConnect>): GroupInput {
  if (connect.Native) return markNative(group, service);
  if (connect.SidecarService) return withSidecar(group, service, connect);
  return connect.Gateway ? withGateway(group, service, connect.Gateway) : group;
}

function markNative(group: GroupInput, service: ServiceInput): GroupInput {
  const tasks = group.Tasks ?? [];
  const own = tasks.filter(({ Kind }) => !/^connect-(?!native:)/.test(Kind ?? ''));
  const native = service.TaskName
    ? own.find(({ Name }) => Name === service.TaskName)
    : own.length === 1
      ? own[0]
      : undefined;
  return {
    ...group,
    Tasks: tasks.map((task) => (task === native ? { ...task, Kind: `connect-native:${service.Name}` } : task)),
  };
}

function withSidecar(group: GroupInput, service: ServiceInput, connect: Input<ConsulConnect>): GroupInput {
  const name = `connect-proxy-${service.Name}`;
  const given = connect.SidecarTask;
  const sidecar: ConsulConnect['SidecarTask'] | Input<ConsulConnect['SidecarTask']> = given
    ? { ...given, KillTimeout: given.KillTimeout ?? 5 * second, LogConfig: given.LogConfig ?? {} }
    : null;
  const overrides = Object.entries(withoutNulls(sidecar ?? {})).filter(([, value]) => value !== '');
  const task: TaskInput = {
    ...proxyTask(name, `connect-proxy:${service.Name}`, 'sidecar_image'),
    Lifecycle: { Hook: 'prestart', Sidecar: true },
    ...(given ? { ShutdownDelay: 0 } : {}),
    ...Object.fromEntries(overrides),
  };
  const settled = { ...connect, SidecarTask: sidecar, SidecarService: sidecarService(connect.SidecarService!) };
  const services = (group.Services ?? []).map((other) => (other === service ? { ...other, Connect: settled } : other));
  return addTask(addPort({ ...group, Services: services } as GroupInput, name), task);
}

/** An upstream says how it crosses meshes even where its author did not. */
function sidecarService(given: Input<ConsulSidecarService>): Input<ConsulSidecarService> {
  const proxy = given.Proxy;
  if (!proxy?.Upstreams) return given;
  return {
    ...given,
    Proxy: {
      ...proxy,
      Upstreams: proxy.Upstreams.map((upstream) => ({ ...upstream, MeshGateway: upstream.MeshGateway ?? {} })),
    },
  };
}

function withGateway(group: GroupInput, service: ServiceInput, gateway: Input<ConsulGateway>): GroupInput {
  const kind = gateway.Ingress ? 'ingress' : gateway.Terminating ? 'terminating' : 'mesh';
  const name = `connect-${kind}-${service.Name}`;
  const bridge = group.Networks?.[0]?.Mode === 'bridge';
  const proxy = bridge
    ? { ...gateway.Proxy, EnvoyGatewayNoDefaultBind: true, EnvoyGatewayBindAddresses: bindAddresses(gateway, service) }
    : (gateway.Proxy ?? {});
  const services = (group.Services ?? []).map((other) =>
    other === service ? { ...other, Connect: { ...other.Connect, Gateway: { ...gateway, Proxy: proxy } } } : other,
  );
  const ported =
    kind === 'mesh' && bridge
      ? addPort({ ...group, Services: services } as GroupInput, `${name}-lan`)
      : { ...group, Services: services };
  return addTask(ported as GroupInput, proxyTask(name, `connect-${kind}:${service.Name}`, 'gateway_image'));
}

/** Inside a bridge a gateway listens on every address of its own network. */
function bindAddresses(
  gateway: Input<ConsulGateway>,
  service: ServiceInput,
): Input<{ [name: string]: { Address: string; Port: number } }> {
  const given = gateway.Proxy?.EnvoyGatewayBindAddresses;
  if (given && Object.keys(given).length > 0)
    return given as Input<{ [name: string]: { Address: string; Port: number } }>;
  const open = { Address: '0.0.0.0', Port: -1 };
  if (gateway.Ingress) {
    const listeners = (gateway.Ingress.Listeners ?? []).flatMap(({ Port, Services }) =>
      (Services ?? []).map(({ Name }) => [String(Name), { Address: '0.0.0.0', Port: Port ?? 0 }] as const),
    );
    return Object.fromEntries(listeners);
  }
  if (gateway.Terminating) return { default: { Address: '0.0.0.0', Port: Number(service.PortLabel) || -1 } };
  return { lan: open, wan: open };
}

function proxyTask(name: string, kind: string, image: string): TaskInput {
  return {
    Name: name,
    Kind: kind,
    Driver: 'docker',
    Config: {
      image: `\${meta.connect.${image}}`,
      args: [
        '-c',
        '${NOMAD_SECRETS_DIR}/envoy_bootstrap.json',
        '-l',
        '${meta.connect.log_level}',
        '--concurrency',
        '${meta.connect.proxy_concurrency}',
        '--disable-hot-restart',
      ],
    },
    ShutdownDelay: 5 * second,
    LogConfig: { MaxFiles: 2, MaxFileSizeMB: 2 },
    Resources: { CPU: 250, MemoryMB: 128 },
    Constraints: [
      { LTarget: '${attr.consul.version}', RTarget: '>= 1.8.0', Operand: 'semver' },
      { LTarget: '${attr.consul.grpc}', RTarget: '0', Operand: '>' },
    ],
  };
}

function addTask(group: GroupInput, task: TaskInput): GroupInput {
  const tasks = group.Tasks ?? [];
  return tasks.some(({ Kind }) => Kind === task.Kind) ? group : { ...group, Tasks: [...tasks, task] };
}

/** A port that is the same inside and outside, in the group's first network. */
function addPort(group: GroupInput, label: string): GroupInput {
  const [first, ...rest] = group.Networks ?? [];
  if (first === undefined) return group;
  const port: Input<Port> = { Label: label, To: -1 };
  const ports = first.DynamicPorts ?? [];
  if (ports.some(({ Label }) => Label === label)) return group;
  const network: Input<NetworkResource> = { ...first, DynamicPorts: [...ports, port] };
  return { ...group, Networks: [network, ...rest] };
}
