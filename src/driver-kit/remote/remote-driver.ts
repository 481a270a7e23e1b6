/** A driver behind the plugin protocol, as an engine driver: every hook is one call, every capability what the plugin says it has. */
import { create, toBinary } from '@bufbuild/protobuf';
import { type DurationSchema, durationFromMs } from '@bufbuild/protobuf/wkt';
import { Client, credentials, Metadata } from '@grpc/grpc-js';
import type {
  DriverInfo,
  EngineDriver,
  ExecRequest,
  NetworkIsolation,
  StartedTask,
  TaskConfig,
  TaskHandleState,
} from '../../driver/contract.ts';
import { Rehearsals, RehearseRequestSchema } from '../../driver/gen/drover/rehearsals_pb.ts';
import { BasePlugin, PluginInfoRequestSchema, SetConfigRequestSchema } from '../../driver/gen/nomad/base_pb.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { EmptySchema, GRPCController } from '../../driver/gen/plugin/plugin_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import { shortenedAll } from '../../driver/said-text.ts';
import {
  exitFromWire,
  fingerprintFromWire,
  infoFromWire,
  overrideFromWire,
  statsFromWire,
  statusFromWire,
} from '../../driver/wire-driver.ts';
import { createdNetworkFromWire, networkToWire, taskToWire } from '../../driver/wire-task.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { hostChannelOptions } from '../plugin-tls.ts';
import { receivingOptions, unary } from '../rpc.ts';
import { encodeValue } from '../wire-config.ts';
import { defaultLimits, engineMs, PluginCalls } from './plugin-calls.ts';
import { PluginFaults } from './plugin-faults.ts';
import { remoteExec } from './remote-exec.ts';

export interface RemoteOptions {
  /** `unix:/run/plugin123` or `127.0.0.1:10000` */
  readonly target: string;
  /** The operator's options, decoded. */
  readonly config: unknown;
}

/** Connects, configures, asks what the driver can do. */
export async function openRemoteDriver(options: RemoteOptions, signal: AbortSignal): Promise<EngineDriver> {
  const connect = (): Client => new Client(options.target, credentials.createInsecure(), receivingOptions);
  const calls = new PluginCalls(connect, defaultLimits, new PluginFaults(), new AbortController().signal);
  try {
    const info = await calls.ask(BasePlugin.method.pluginInfo, create(PluginInfoRequestSchema), signal);
    const configure = create(SetConfigRequestSchema, {
      msgpackConfig: encodeValue(options.config),
      pluginApiVersion: apiVersion,
    });
    await calls.ask(BasePlugin.method.setConfig, configure, signal, null);
    const { capabilities } = await calls.ask(method.capabilities, create(wire.CapabilitiesRequestSchema), signal);
    return remoteDriver(calls, infoFromWire(info.name, info.pluginVersion, capabilities), capabilities);
  } catch (error) {
    calls.client.close();
    throw error;
  }
}

/** Tells the plugin's process to end; its tasks stay. */
export async function shutDownPlugin(
  target: string,
  signal: AbortSignal,
  channel = credentials.createInsecure(),
): Promise<void> {
  const client = new Client(target, channel, hostChannelOptions);
  try {
    const limit = new Date(Date.now() + 2000);
    await unary(client, GRPCController.method.shutdown, create(EmptySchema), signal, new Metadata(), limit);
  } finally {
    client.close();
  }
}

/** The hooks of a connected, configured plugin; closing it closes the connection. */
export function remoteDriver(
  calls: PluginCalls,
  info: DriverInfo,
  capabilities: wire.DriverCapabilities | undefined,
): EngineDriver {
  return {
    info,
    ...lifecycle(calls),
    ...questions(calls),
    rehearse: (task, signal) => rehearsed(calls, task, signal),
    ...(capabilities?.sendSignals === true ? { signal: signalling(calls) } : {}),
    ...(capabilities?.exec === true
      ? {
          exec: (taskId: string, request: ExecRequest, signal: AbortSignal) =>
            remoteExec(calls, taskId, request, signal),
        }
      : {}),
    ...(capabilities?.mustCreateNetwork === true ? networks(calls) : {}),
    close: async () => calls.client.close(),
  };
}

const { method } = wire.Driver;

type Lifecycle = Pick<EngineDriver, 'start' | 'recover' | 'wait' | 'stop' | 'destroy'>;

function lifecycle(calls: PluginCalls): Lifecycle {
  return {
    start: (task, signal) => startRemote(calls, task, signal),
    recover: async (task, state, signal) => {
      const request = create(wire.RecoverTaskRequestSchema, recovery(task, state));
      await calls.ask(method.recoverTask, request, signal, engineMs(calls.limits));
      return { state };
    },
    wait: async (taskId, signal) => {
      const answer = await calls.ask(method.waitTask, create(wire.WaitTaskRequestSchema, { taskId }), signal, null);
      if (answer.result !== undefined || answer.err !== '')
        return exitFromWire({ result: answer.result, err: calls.said('WaitTask', answer.err) });
      calls.fault('WaitTask: the answer has no result', true);
      return { exitCode: 0, signal: 0, oomKilled: false, unknown: 'the plugin told no exit result' };
    },
    stop: async (taskId, { timeoutMs, killSignal }, signal) => {
      const request = create(wire.StopTaskRequestSchema, { taskId, timeout: duration(timeoutMs), signal: killSignal });
      await calls.ask(method.stopTask, request, signal, timeoutMs + engineMs(calls.limits));
    },
    destroy: async (taskId, { force }, signal) => {
      const request = create(wire.DestroyTaskRequestSchema, { taskId, force });
      await calls.ask(method.destroyTask, request, signal, engineMs(calls.limits));
    },
  };
}

type Questions = Pick<EngineDriver, 'fingerprint' | 'inspect'> & Required<Pick<EngineDriver, 'stats' | 'events'>>;

function questions(calls: PluginCalls): Questions {
  const { questionMs } = calls.limits;
  return {
    async *fingerprint(signal) {
      let reports = 0;
      const request = create(wire.FingerprintRequestSchema);
      for await (const message of calls.stream(method.fingerprint, request, signal, engineMs(calls.limits))) {
        reports++;
        const { report, problem } = fingerprintFromWire(message);
        if (problem !== null) calls.fault(`Fingerprint: ${problem}`, true);
        yield report;
      }
      if (signal.aborted) return;
      if (reports === 0) throw calls.wrong('Fingerprint: the stream ended without a report');
      calls.fault('Fingerprint: the stream ended', false);
    },
    inspect: async (taskId, signal) => {
      const answer = await calls.ask(method.inspectTask, create(wire.InspectTaskRequestSchema, { taskId }), signal);
      if (answer.task === undefined) calls.fault('InspectTask: the answer has no task', true);
      return statusFromWire(answer);
    },
    stats: async (taskId, signal) => {
      const request = create(wire.TaskStatsRequestSchema, { taskId, collectionInterval: duration(1000) });
      for await (const { stats } of calls.stream(method.taskStats, request, signal, questionMs)) {
        if (stats !== undefined) return statsFromWire(stats);
      }
      signal.throwIfAborted();
      throw calls.wrong('TaskStats: the stream ended without a sample');
    },
    async *events(signal) {
      for await (const event of calls.stream(method.taskEvents, create(wire.TaskEventsRequestSchema), signal, null)) {
        const { taskId, message, annotations } = event;
        yield { taskId, message: calls.said('TaskEvents', message), annotations: shortenedAll(annotations) };
      }
    },
  };
}

const mostRefusals = 32;

/** Of a service that not every plugin has. `Fault('unsupported')`: this one does not tell. */
async function rehearsed(calls: PluginCalls, task: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
  const wireTask = taskToWire(task, configBytes(task.config));
  const request = create(RehearseRequestSchema, {
    task: wireTask,
    filesCome: task.rehearsal?.filesCome ?? true,
  });
  try {
    const { refusals } = await calls.ask(Rehearsals.method.rehearse, request, signal);
    return refusals.slice(0, mostRefusals).map((text) => calls.said('Rehearse', text));
  } catch (error) {
    if (!isFault(error, 'unsupported')) throw error;
    throw new Fault('unsupported', 'its plugin does not tell before a start', { cause: error });
  }
}

function signalling(calls: PluginCalls): NonNullable<EngineDriver['signal']> {
  return async (taskId, name, signal) => {
    await calls.ask(method.signalTask, create(wire.SignalTaskRequestSchema, { taskId, signal: name }), signal);
  };
}

function networks(calls: PluginCalls): Required<Pick<EngineDriver, 'createNetwork' | 'destroyNetwork'>> {
  return {
    createNetwork: async (allocId, hostname, signal) => {
      const request = create(wire.CreateNetworkRequestSchema, { allocId, hostname });
      const { isolationSpec, created } = await calls.ask(
        method.createNetwork,
        request,
        signal,
        10 * calls.limits.questionMs,
      );
      if (isolationSpec === undefined) throw calls.wrong('CreateNetwork: the answer has no network');
      const length = toBinary(wire.NetworkIsolationSpecSchema, isolationSpec).length;
      if (length > largestNetwork)
        throw calls.wrong(`CreateNetwork: the network has ${length} bytes, more than ${largestNetwork}`);
      return createdNetworkFromWire(isolationSpec, created);
    },
    destroyNetwork: async (allocId, network: NetworkIsolation, signal) => {
      const request = create(wire.DestroyNetworkRequestSchema, { allocId, isolationSpec: networkToWire(network) });
      await calls.ask(method.destroyNetwork, request, signal, engineMs(calls.limits));
    },
  };
}

/** It is stored with its allocation and given to each of its tasks. */
const largestNetwork = 64 * 1024;

function duration(ms: number): ReturnType<typeof create<typeof DurationSchema>> {
  return durationFromMs(Math.max(0, Math.round(ms)));
}

/** Options that were decoded by the plugin's own specification are bytes already. */
function configBytes(config: unknown): Uint8Array {
  return config instanceof Uint8Array ? config : encodeValue(config);
}

/** It is stored with every step of the task. */
const largestState = 1024 * 1024;

async function startRemote(calls: PluginCalls, task: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
  const request = create(wire.StartTaskRequestSchema, { task: taskToWire(task, configBytes(task.config)) });
  const limit = Date.now() + calls.limits.startMs;
  let answered = false;
  try {
    const answer = await calls.ask(method.startTask, request, signal, calls.limits.startMs);
    answered = answer.result === wire.StartTaskResponse_Result.SUCCESS;
    return startedFromWire(calls, answer);
  } catch (error) {
    // whatever it started cannot be followed: it must not run on
    if ((answered || Date.now() >= limit) && !signal.aborted) await endUnfollowed(calls, task.id, signal);
    throw error;
  }
}

function startedFromWire(calls: PluginCalls, answer: wire.StartTaskResponse): StartedTask {
  const { handle, networkOverride, result, driverErrorMsg } = answer;
  if (result !== wire.StartTaskResponse_Result.SUCCESS)
    throw new Fault('unavailable', calls.said('StartTask', driverErrorMsg) || 'the driver could not start the task', {
      recoverable: result === wire.StartTaskResponse_Result.RETRY,
    });
  if (handle === undefined) throw calls.wrong('StartTask: the answer has no task handle');
  const { length } = handle.driverState;
  if (length > largestState)
    throw calls.wrong(`StartTask: the state of the task has ${length} bytes, more than ${largestState}`);
  const network = networkOverride === undefined ? undefined : overrideFromWire(networkOverride);
  if (network === null) throw calls.wrong('StartTask: the network has a port or an address that is none');
  return {
    state: { version: handle.version, driverState: Buffer.from(handle.driverState).toString('base64') },
    ...(network === undefined ? {} : { network }),
  };
}

async function endUnfollowed(calls: PluginCalls, taskId: string, signal: AbortSignal): Promise<void> {
  try {
    const request = create(wire.DestroyTaskRequestSchema, { taskId, force: true });
    await calls.ask(method.destroyTask, request, signal, engineMs(calls.limits));
  } catch (error) {
    if (!isFault(error, 'not_found'))
      calls.fault('DestroyTask: a task that has no handle could not be ended and may run on', true);
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
