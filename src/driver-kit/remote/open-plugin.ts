/** The first conversation with a plugin's process: who it is, which options it takes, its configuration, what it can do. */
import { create, type DescMessage, type DescMethodUnary, type MessageShape } from '@bufbuild/protobuf';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import { decodeThroughSpec } from '../../driver/config-chain.ts';
import type { EngineDriver } from '../../driver/contract.ts';
import * as base from '../../driver/gen/nomad/base_pb.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import type { Spec } from '../../driver/gen/nomad/hclspec_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import { readSpec, type SpecNode } from '../../driver/spec-tree.ts';
import { infoFromWire } from '../../driver/wire-driver.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { channelOptions, unary } from '../rpc.ts';
import { errorFromWire } from '../wire-faults.ts';
import { remoteDriver } from './remote-driver.ts';

export interface OpenPlugin {
  readonly driver: EngineDriver;
  /** What a task's `config {}` is decoded by. */
  readonly taskSpec: SpecNode;
}

export interface OpenPluginOptions {
  readonly target: string;
  /** The operator's options as they were written; checked here against the plugin's own specification. */
  readonly config: unknown;
  /** A plugin found again keeps the configuration it has. */
  readonly configured: boolean;
}

const answerMs = 10_000;
/** A driver may look at its engine first. */
const configureMs = 300_000;

/** `Fault('unsupported')`: no driver, or of another protocol; `Fault('invalid')`: its specification or the operator's options are wrong. */
export async function openPlugin(options: OpenPluginOptions, signal: AbortSignal): Promise<OpenPlugin> {
  const client = new Client(options.target, credentials.createInsecure(), channelOptions);
  const ask = asking(client, signal);
  try {
    const info = await ask(base.BasePlugin.method.pluginInfo, create(base.PluginInfoRequestSchema));
    checkInfo(info);
    const msgpackConfig = await configBytes(ask, info.name, options.config);
    if (!options.configured) {
      const request = create(base.SetConfigRequestSchema, {
        msgpackConfig,
        pluginApiVersion: apiVersion,
        nomadConfig: { driver: { ClientMinPort: 14_000, ClientMaxPort: 14_512 } },
      });
      await ask(base.BasePlugin.method.setConfig, request, configureMs);
    }
    await ask(wire.Driver.method.init, create(wire.InitRequestSchema)).catch((error: unknown) => {
      // plugins older than the call do not know it
      if (!isFault(error, 'unsupported')) throw error;
    });
    const { spec } = await ask(wire.Driver.method.taskConfigSchema, create(wire.TaskConfigSchemaRequestSchema));
    const { capabilities } = await ask(wire.Driver.method.capabilities, create(wire.CapabilitiesRequestSchema));
    return {
      driver: remoteDriver(client, infoFromWire(info.name, info.pluginVersion, capabilities), capabilities),
      taskSpec: specified(spec, `the options of tasks of ${info.name}`) ?? { kind: 'object', fields: new Map() },
    };
  } catch (error) {
    client.close();
    throw error;
  }
}

type Ask = <I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  request: MessageShape<I>,
  limitMs?: number,
) => Promise<MessageShape<O>>;

function asking(client: Client, signal: AbortSignal): Ask {
  return async (method, request, limitMs = answerMs) => {
    try {
      return await unary(client, method, request, signal, new Metadata(), new Date(Date.now() + limitMs));
    } catch (error) {
      throw errorFromWire(error);
    }
  };
}

function checkInfo(info: base.PluginInfoResponse): void {
  const { type, pluginApiVersions: versions, name, pluginVersion } = info;
  if (type === base.PluginType.DEVICE)
    throw new Fault('unsupported', `${JSON.stringify(name)} is a device plugin; devices are not supported`);
  if (type !== base.PluginType.DRIVER) throw new Fault('unsupported', `${JSON.stringify(name)} is no driver plugin`);
  if (name === '') throw new Fault('invalid', 'the plugin has no name');
  if (!/^v?\d+(\.\d+)*/.test(pluginVersion))
    throw new Fault('invalid', `the plugin's version ${JSON.stringify(pluginVersion)} is none`);
  if (!versions.some((version) => version.replace(/^v/, '') === apiVersion.replace(/^v/, ''))) {
    const said = versions.length === 0 ? 'none' : versions.join(', ');
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

function specified(spec: Spec | undefined, whose: string): SpecNode | null {
  if (spec === undefined || spec.block.case === undefined) return null;
  try {
    return readSpec(spec);
  } catch (error) {
    throw isFault(error) ? new Fault('invalid', `${whose}: ${error.message}`, { cause: error }) : error;
  }
}

function isEmpty(config: unknown): boolean {
  return config === null || config === undefined || (typeof config === 'object' && Object.keys(config).length === 0);
}
