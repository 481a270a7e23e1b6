/** The first conversation with a plugin's process: who it is, which options it takes, its configuration, what it can do. */
import { create, type DescMessage, type DescMethodUnary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import { type ChannelCredentials, Client } from '@grpc/grpc-js';
import { decodeThroughSpec } from '../../driver/config-chain.ts';
import type { EngineDriver } from '../../driver/contract.ts';
import * as base from '../../driver/gen/nomad/base_pb.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { type Spec, SpecSchema } from '../../driver/gen/nomad/hclspec_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import { readSpec, type SpecNode } from '../../driver/spec-tree.ts';
import { infoFromWire } from '../../driver/wire-driver.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { hostChannelOptions } from '../plugin-tls.ts';
import { receivingOptions } from '../rpc.ts';
import { hostTopology } from './host-topology.ts';
import { type CallLimits, PluginCalls } from './plugin-calls.ts';
import type { PluginFaults } from './plugin-faults.ts';
import { remoteDriver } from './remote-driver.ts';

export interface OpenPlugin {
  readonly driver: EngineDriver;
  /** What a task's `config {}` is decoded by. */
  readonly taskSpec: SpecNode;
  /** The same as the plugin sent it, for the servers. */
  readonly taskSchema: Spec | undefined;
}

export interface OpenPluginOptions {
  readonly target: string;
  readonly credentials: ChannelCredentials;
  /** The operator's options as they were written; checked here against the plugin's own specification. */
  readonly config: unknown;
  /** A plugin found again keeps the configuration it has. */
  readonly configured: boolean;
  readonly limits: CallLimits;
  readonly faults: PluginFaults;
  /** Hears which call is waited for. */
  readonly asking?: (method: string) => void;
}

/** A driver may look at its engine first: no short limit. */
const configureMs = 300_000;

/** `Fault('unsupported')`: no driver, or of another protocol; `Fault('invalid')`: its specification or the operator's options are wrong. */
export async function openPlugin(options: OpenPluginOptions, signal: AbortSignal): Promise<OpenPlugin> {
  const { limits } = options;
  const channel = { ...receivingOptions, ...hostChannelOptions };
  const connect = (): Client => new Client(options.target, options.credentials, channel);
  const calls = new PluginCalls(connect, limits, options.faults, signal);
  const ask: Ask = (method, request, limitMs = limits.questionMs) => {
    options.asking?.(method.name);
    return calls.ask(method, request, signal, limitMs).catch((error: unknown) => {
      throw isFault(error) ? new Fault(error.kind, `${method.name}: ${error.message}`, { cause: error }) : error;
    });
  };
  try {
    const info = await ask(base.BasePlugin.method.pluginInfo, create(base.PluginInfoRequestSchema));
    checkInfo(info);
    const msgpackConfig = await configBytes(ask, info.name, options.config);
    if (!options.configured) {
      const request = create(base.SetConfigRequestSchema, {
        msgpackConfig,
        pluginApiVersion: apiVersion,
        nomadConfig: { driver: { ClientMinPort: 14_000, ClientMaxPort: 14_512, Topology: await hostTopology() } },
      });
      await ask(base.BasePlugin.method.setConfig, request, Math.min(configureMs, limits.startMs));
    }
    await ask(wire.Driver.method.init, create(wire.InitRequestSchema)).catch((error: unknown) => {
      // plugins older than the call do not know it
      if (!isFault(error, 'unsupported')) throw error;
    });
    const { spec } = await ask(wire.Driver.method.taskConfigSchema, create(wire.TaskConfigSchemaRequestSchema));
    const { capabilities } = await ask(wire.Driver.method.capabilities, create(wire.CapabilitiesRequestSchema));
    return {
      driver: remoteDriver(calls, infoFromWire(info.name, info.pluginVersion, capabilities), capabilities),
      taskSpec: specified(spec, `the options of tasks of ${info.name}`) ?? { kind: 'object', fields: new Map() },
      taskSchema: spec,
    };
  } catch (error) {
    calls.client.close();
    throw error;
  }
}

type Ask = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageShape<I>,
  limitMs?: number,
) => Promise<MessageShape<O>>;

/** What jobs and attributes call a driver by. */
const properName = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$/;

const quoted = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text);

/** Found in plugin_dir like a driver, but this version hands out no devices. */
export class DevicePlugin extends Fault {
  readonly device: string;

  constructor(name: string) {
    super('unsupported', `${JSON.stringify(name)} is a device plugin: devices are not supported by this version`);
    this.device = name;
  }
}

function checkInfo(info: base.PluginInfoResponse): void {
  const { type, pluginApiVersions: versions, name, pluginVersion } = info;
  if (type === base.PluginType.DEVICE) throw new DevicePlugin(name);
  if (type !== base.PluginType.DRIVER) throw new Fault('unsupported', `${JSON.stringify(name)} is no driver plugin`);
  if (name === '') throw new Fault('invalid', 'the plugin has no name');
  if (!properName.test(name)) throw new Fault('invalid', `the plugin's name ${quoted(name)} is none`);
  if (!/^v?\d{1,9}(\.\d{1,9})*/.test(pluginVersion) || pluginVersion.length > 128)
    throw new Fault('invalid', `the plugin's version ${quoted(pluginVersion)} is none`);
  if (!versions.some((version) => version.replace(/^v/, '') === apiVersion.replace(/^v/, ''))) {
    const said = versions.length === 0 ? 'none' : versions.join(', ').slice(0, 200);
    throw new Fault('unsupported', `the plugin speaks the interface versions ${said}, not ${apiVersion}`);
  }
}

async function configBytes(ask: Ask, name: string, config: unknown): Promise<Uint8Array> {
  const { spec } = await ask(base.BasePlugin.method.configSchema, create(base.ConfigSchemaRequestSchema));
  const node = specified(spec, `the options of plugin ${name}`);
  if (node === null) {
    if (isEmpty(config)) return new Uint8Array();
    throw new Fault('invalid', `plugin ${JSON.stringify(name)} takes no options`);
  }
  const decoded = decodeThroughSpec(config ?? {}, node, null);
  if (!decoded.ok) throw new Fault('invalid', `plugin ${JSON.stringify(name)}: ${decoded.problems.join(' ')}`);
  return decoded.msgpack;
}

/** Servers keep it with each node. */
const largestSpec = 256 * 1024;

function specified(spec: Spec | undefined, whose: string): SpecNode | null {
  if (spec === undefined || spec.block.case === undefined) return null;
  const { length } = toBinary(SpecSchema, spec);
  if (length > largestSpec)
    throw new Fault('invalid', `${whose}: the specification has ${length} bytes, more than ${largestSpec}`);
  try {
    return readSpec(spec);
  } catch (error) {
    throw isFault(error) ? new Fault('invalid', `${whose}: ${error.message}`, { cause: error }) : error;
  }
}

function isEmpty(config: unknown): boolean {
  return config === null || config === undefined || (typeof config === 'object' && Object.keys(config).length === 0);
}
