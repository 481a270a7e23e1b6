/** What a group asks of the network, and who makes it: decided here, made by what the agent hands in. */
import type { DriverInfo, EngineDriver, NetworkIsolation } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import type { Allocation } from '../model/allocation.ts';
import type { AllocNetworkStatus, NetworkResource } from '../model/network.ts';
import type { TaskGroup } from '../model/task-group.ts';

export interface AllocationNetwork {
  /** A file that stands for the namespace. */
  readonly path: string;
  /** Inside: `"eth0"`; empty where there is nothing but loopback. */
  readonly interfaceName: string;
  readonly address: string;
  /** What was seen of the egress policy from inside. */
  readonly egress: string;
  /** Made by a driver, and handed to the group's tasks as it gave it. */
  readonly own?: NetworkIsolation;
}

export interface NetworkWish {
  readonly allocId: string;
  /** `loopback`: nothing but that, shared by the group's tasks. */
  readonly kind: 'bridge' | 'loopback';
  readonly ports: readonly {
    readonly label: string;
    readonly port: number;
    readonly to: number;
    /** `""`: every address of the host. */
    readonly hostIp: string;
  }[];
}

/** Makes networks and owns them: they outlive the agent. */
export interface AllocationNetworks {
  /** Faults say why not; a `recoverable` one may go well a little later. */
  ensure(wish: NetworkWish): Promise<AllocationNetwork>;
  find(allocId: string): AllocationNetwork | null;
  release(allocId: string): Promise<void>;
  sweep(known: ReadonlySet<string>): Promise<readonly string[]>;
  mend(): Promise<readonly string[]>;
}

/** Null: the group's tasks need no network made for them. `wildcard`: ports are published on every address of the host. */
export function networkWish(alloc: Allocation, group: TaskGroup, wildcard: boolean): NetworkWish | null {
  const mode = modeOf(group);
  if (mode === 'none' && (group.Tasks?.length ?? 0) > 1) return { allocId: alloc.ID, kind: 'loopback', ports: [] };
  if (mode !== 'bridge') return null;
  const ports = (alloc.AllocatedResources?.Shared.Ports ?? []).map((port) => ({
    label: port.Label,
    port: port.Value,
    to: port.To > 0 ? port.To : port.Value,
    hostIp: wildcard ? '' : port.HostIP,
  }));
  return { allocId: alloc.ID, kind: 'bridge', ports };
}

/** Throws `Fault('unsupported')` for what this node, or a task's driver, does not serve. */
function refuseUnserved(group: TaskGroup, infoOf: (driver: string) => DriverInfo | undefined): void {
  const mode = modeOf(group);
  if (mode === 'host') return;
  if (mode !== 'none' && mode !== 'bridge' && mode !== 'driver')
    throw new Fault('unsupported', `network mode "${mode}" is not served yet: use "host", "bridge" or "none"`);
  const wanted = { bridge: ['group'], none: ['group', 'none'], driver: ['task'] }[mode];
  for (const task of group.Tasks ?? []) {
    const info = infoOf(task.Driver);
    if (info !== undefined && !info.networkModes.some((each) => wanted.includes(each)))
      throw new Fault(
        'unsupported',
        `task "${task.Name}": driver "${task.Driver}" does not support network mode "${mode}"`,
      );
  }
}

/**
 * The driver that makes the group's network itself, where one of its tasks has such a driver; null: the node does. Faults: there are two,
 * or the network is to be on the bridge, which those of drivers cannot be put on yet.
 */
export function networkMaker(group: TaskGroup, makes: (driver: string) => boolean): string | null {
  const mode = modeOf(group);
  if (mode === 'host') return null;
  const makers = [...new Set((group.Tasks ?? []).map((task) => task.Driver).filter(makes))];
  const [maker = null, second] = makers;
  if (second !== undefined)
    throw new Fault('unsupported', `drivers "${maker}" and "${second}" both make the network of their group: one can`);
  if (maker !== null && mode === 'bridge')
    throw new Fault('unsupported', `driver "${maker}" makes its networks itself, which are not put on the bridge yet`);
  if (maker === null && mode === 'driver')
    throw new Fault('unsupported', 'network mode "driver": no driver of the group makes networks');
  return maker;
}

/** Who makes the network of a group, and what: one of its drivers, or the node. */
export type NetworkWay =
  | { readonly by: 'driver'; readonly driver: string }
  | { readonly by: 'node'; readonly wish: NetworkWish };

interface NetworkAbility {
  /** The node makes networks. */
  readonly makes: boolean;
  /** Ports are published on every address of the host. */
  readonly wildcard: boolean;
  engine(driver: string): Pick<EngineDriver, 'info' | 'createNetwork'> | undefined;
}

/** Null: the group's tasks need none made for them. `Fault('unsupported')`: what is not served here. `tasksRun`: with one that was made before. */
export function networkWay(
  alloc: Allocation,
  group: TaskGroup,
  { makes, wildcard, engine }: NetworkAbility,
  tasksRun = false,
): NetworkWay | null {
  refuseUnserved(group, (driver) => engine(driver)?.info);
  const driver = networkMaker(group, (name) => engine(name)?.createNetwork !== undefined);
  if (driver !== null) return { by: 'driver', driver };
  const wish = networkWish(alloc, group, wildcard);
  // each task has a loopback of its own then, which is no less strict
  if (wish === null || (!makes && (tasksRun || wish.kind === 'loopback'))) return null;
  if (!makes)
    throw new Fault(
      'unsupported',
      'this node makes no networks for allocations: its attribute isolation.network.bridge says why',
    );
  return { by: 'node', wish };
}

function modeOf(group: TaskGroup): string {
  return group.Networks?.[0]?.Mode || 'host';
}

/** What drivers are told. */
export function networkIsolation(
  group: TaskGroup,
  made: AllocationNetwork | null,
  interpolated: (text: string) => string,
): NetworkIsolation | null {
  const mode = modeOf(group);
  if (made?.own !== undefined) return made.own;
  if (made === null) return mode === 'none' ? { mode: 'none', path: '', labels: {} } : null;
  const hosts =
    made.address === ''
      ? {}
      : { hosts: { hostname: interpolated(group.Networks?.[0]?.Hostname ?? ''), address: made.address } };
  return { mode: 'group', path: made.path, labels: { egress_policy: made.egress }, ...hosts };
}

/** What the API shows. */
export function networkStatus(
  network: NetworkResource | undefined,
  made: AllocationNetwork | null,
): AllocNetworkStatus {
  const { interfaceName = '', address = '' } = made ?? {};
  return {
    InterfaceName: interfaceName,
    Address: address,
    AddressIPv6: '',
    DNS: address === '' ? null : (network?.DNS ?? null),
  };
}
