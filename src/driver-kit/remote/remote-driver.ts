/** A driver behind the plugin protocol, as an engine driver: every hook is one call, every capability what the plugin says it has. */
import { create } from '@bufbuild/protobuf';
import { type DurationSchema, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type {
  DriverInfo,
  EngineDriver,
  ExecRequest,
  StartedTask,
  TaskConfig,
  TaskHandleState,
} from '../../driver/contract.ts';
import { BasePlugin, PluginInfoRequestSchema, SetConfigRequestSchema } from '../../driver/gen/nomad/base_pb.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { EmptySchema, GRPCController } from '../../driver/gen/plugin/plugin_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import {
  exitFromWire,
  fingerprintFromWire,
  infoFromWire,
  overrideFromWire,
  statsFromWire,
  statusFromWire,
} from '../../driver/wire-driver.ts';
import { taskToWire } from '../../driver/wire-task.ts';
import { Fault } from '../../lib/fault.ts';
import { channelOptions, serverStream, unary } from '../rpc.ts';
import { encodeValue } from '../wire-config.ts';
import { errorFromWire } from '../wire-faults.ts';
import { remoteExec } from './remote-exec.ts';

export interface RemoteOptions {
  /** `unix:/run/plugin123` or `127.0.0.1:10000` */
  readonly target: string;
  /** The operator's options, decoded. */
  readonly config: unknown;
}

/** Connects, configures, asks what the driver can do. */
export async function openRemoteDriver(options: RemoteOptions, signal: AbortSignal): Promise<EngineDriver> {
  const client = new Client(options.target, credentials.createInsecure(), channelOptions);
  const none = new Metadata();
  try {
    const info = await unary(client, BasePlugin.method.pluginInfo, create(PluginInfoRequestSchema), signal, none);
    const configure = create(SetConfigRequestSchema, {
      msgpackConfig: encodeValue(options.config),
      pluginApiVersion: apiVersion,
    });
    await unary(client, BasePlugin.method.setConfig, configure, signal, none);
    const { capabilities } = await unary(
      client,
      wire.Driver.method.capabilities,
      create(wire.CapabilitiesRequestSchema),
      signal,
      none,
    );
    return remoteDriver(client, infoFromWire(info.name, info.pluginVersion, capabilities), capabilities);
  } catch (error) {
    client.close();
    throw errorFromWire(error);
  }
}

/** Tells the plugin's process to end; its tasks stay. */
export async function shutDownPlugin(target: string, signal: AbortSignal): Promise<void> {
  const client = new Client(target, credentials.createInsecure());
  try {
    await unary(
      client,
      GRPCController.method.shutdown,
      create(EmptySchema),
      signal,
      new Metadata(),
      new Date(Date.now() + 2000),
    );
  } finally {
    client.close();
  }
}

/** The hooks of a connected, configured plugin; closing it closes the connection. */
export function remoteDriver(
  client: Client,
  info: DriverInfo,
  capabilities: wire.DriverCapabilities | undefined,
): EngineDriver {
  return {
    info,
    ...lifecycle(client),
    ...questions(client),
    ...(capabilities?.sendSignals === true ? { signal: signalling(client) } : {}),
    ...(capabilities?.exec === true
      ? {
          exec: (taskId: string, request: ExecRequest, signal: AbortSignal) =>
            remoteExec(client, taskId, request, signal),
        }
      : {}),
    close: async () => client.close(),
  };
}

const { method } = wire.Driver;
const none = new Metadata();

/** For calls that have nothing to wait for. Starts, stops and ends take as long as the engine behind the driver does. */
const soon = (): Date => new Date(Date.now() + 30_000);

/** One unary call; a status is a fault again. */
const call: typeof unary = async (...args) => {
  try {
    return await unary(...args);
  } catch (error) {
    throw errorFromWire(error);
  }
};

/** A stream that ends quietly when its reader goes. */
async function* stream<M, T>(
  messages: AsyncIterable<M>,
  each: (message: M) => T,
  signal: AbortSignal,
): AsyncGenerator<T> {
  try {
    for await (const message of messages) yield each(message);
  } catch (error) {
    if (!signal.aborted) throw errorFromWire(error);
  }
}

type Lifecycle = Pick<EngineDriver, 'start' | 'recover' | 'wait' | 'stop' | 'destroy'>;

function lifecycle(client: Client): Lifecycle {
  return {
    start: (task, signal) => startRemote(client, task, signal),
    recover: async (task, state, signal) => {
      await call(
        client,
        method.recoverTask,
        create(wire.RecoverTaskRequestSchema, recovery(task, state)),
        signal,
        none,
      );
      return { state };
    },
    wait: async (taskId, signal) =>
      exitFromWire(await call(client, method.waitTask, create(wire.WaitTaskRequestSchema, { taskId }), signal, none)),
    stop: async (taskId, { timeoutMs, killSignal }, signal) => {
      const request = create(wire.StopTaskRequestSchema, { taskId, timeout: duration(timeoutMs), signal: killSignal });
      await call(client, method.stopTask, request, signal, none);
    },
    destroy: async (taskId, { force }, signal) => {
      await call(client, method.destroyTask, create(wire.DestroyTaskRequestSchema, { taskId, force }), signal, none);
    },
  };
}

type Questions = Pick<EngineDriver, 'fingerprint' | 'inspect'> & Required<Pick<EngineDriver, 'stats' | 'events'>>;

function questions(client: Client): Questions {
  return {
    fingerprint: (signal) =>
      stream(
        serverStream(client, method.fingerprint, create(wire.FingerprintRequestSchema), signal),
        fingerprintFromWire,
        signal,
      ),
    inspect: async (taskId, signal) =>
      statusFromWire(
        await call(client, method.inspectTask, create(wire.InspectTaskRequestSchema, { taskId }), signal, none, soon()),
      ),
    stats: async (taskId, signal) => {
      const request = create(wire.TaskStatsRequestSchema, { taskId, collectionInterval: duration(1000) });
      for await (const sample of stream(
        serverStream(client, method.taskStats, request, signal),
        ({ stats }) => stats,
        signal,
      )) {
        if (sample !== undefined) return statsFromWire(sample);
      }
      throw new Fault('unavailable', 'the plugin gave no sample');
    },
    events: (signal) =>
      stream(
        serverStream(client, method.taskEvents, create(wire.TaskEventsRequestSchema), signal),
        ({ taskId, message, annotations }) => ({ taskId, message, annotations }),
        signal,
      ),
  };
}

function signalling(client: Client): NonNullable<EngineDriver['signal']> {
  return async (taskId, name, signal) => {
    const request = create(wire.SignalTaskRequestSchema, { taskId, signal: name });
    await call(client, method.signalTask, request, signal, none, soon());
  };
}

function duration(ms: number): ReturnType<typeof create<typeof DurationSchema>> {
  return durationFromMs(Math.max(0, Math.round(ms)));
}

/** Options that were decoded by the plugin's own specification are bytes already. */
function configBytes(config: unknown): Uint8Array {
  return config instanceof Uint8Array ? config : encodeValue(config);
}

async function startRemote(client: Client, task: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
  const request = create(wire.StartTaskRequestSchema, { task: taskToWire(task, configBytes(task.config)) });
  try {
    const { handle, networkOverride } = await unary(
      client,
      wire.Driver.method.startTask,
      request,
      signal,
      new Metadata(),
    );
    if (handle === undefined) throw new Fault('unavailable', 'the plugin answered the start without a task handle');
    return {
      state: { version: handle.version, driverState: Buffer.from(handle.driverState).toString('base64') },
      ...(networkOverride === undefined ? {} : { network: overrideFromWire(networkOverride) }),
    };
  } catch (error) {
    throw errorFromWire(error);
  }
}

/** The driver's own state goes back byte for byte. */
function recovery(task: TaskConfig, state: TaskHandleState): { taskId: string; handle: wire.TaskHandle } {
  const driverState =
    typeof state['driverState'] === 'string' ? Buffer.from(state['driverState'], 'base64') : new Uint8Array();
  const handle = create(wire.TaskHandleSchema, {
    version: state.version,
    config: taskToWire(task, configBytes(task.config)),
    state: wire.TaskState.RUNNING,
    driverState,
  });
  return { taskId: task.id, handle };
}
