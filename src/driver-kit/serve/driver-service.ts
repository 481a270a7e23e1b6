/** A driver as the plugin protocol's `Driver` service. One driver at a time: SetConfig makes a new one, and tasks of the old stay its own. */
import { once } from 'node:events';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import type { ServerUnaryCall, ServerWritableStream, sendUnaryData, UntypedServiceImplementation } from '@grpc/grpc-js';
import type { EngineDriver, TaskHandleState } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { specOf } from '../../driver/hclspec.ts';
import {
  capabilitiesToWire,
  exitErrorText,
  exitToWire,
  fingerprintToWire,
  overrideToWire,
  statsToWire,
  statusToWire,
  timeToWire,
} from '../../driver/wire-driver.ts';
import { networkFromWire, networkToWire, taskFromWire } from '../../driver/wire-task.ts';
import { Fault } from '../../lib/fault.ts';
import type { DriverPlugin } from '../driver-plugin.ts';
import { decodeValue } from '../wire-config.ts';
import { errorToWire } from '../wire-faults.ts';
import { collectExec, serveExec } from './exec-stream.ts';

export interface Served {
  readonly plugin: DriverPlugin;
  /** `Fault('unavailable')` before the first SetConfig. */
  driver(): EngineDriver;
}

type Unary<Q, A> = (call: ServerUnaryCall<Q, A>, callback: sendUnaryData<A>) => void;

/** An answer, or a fault as a status; the signal fires when the caller gives up. */
export function unaryHandler<Q, A>(work: (request: Q, signal: AbortSignal) => Promise<A>): Unary<Q, A> {
  return (call, callback) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    work(call.request, gone.signal).then(
      (answer) => callback(null, answer),
      (error: unknown) => callback(errorToWire(error)),
    );
  };
}

/** Held open until the caller goes, even when nothing more comes: hosts open it again at once, for ever. */
export function streamHandler<Q, A>(work: (request: Q, signal: AbortSignal) => AsyncIterable<A>) {
  return (call: ServerWritableStream<Q, A>): void => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    call.on('error', () => gone.abort());
    const run = async (): Promise<void> => {
      try {
        for await (const message of work(call.request, gone.signal)) {
          if (gone.signal.aborted) return;
          if (!call.write(message)) await once(call, 'drain', { signal: gone.signal });
        }
      } catch (error) {
        if (!gone.signal.aborted) call.emit('error', errorToWire(error));
      }
    };
    void run();
  };
}

export function driverService(served: Served): UntypedServiceImplementation {
  return {
    ...descriptions(served),
    ...lifecycle(served),
    ...questions(served),
    ...streams(served),
  } as UntypedServiceImplementation;
}

function descriptions({ plugin, driver }: Served) {
  return {
    init: unaryHandler(async () => create(wire.InitResponseSchema)),
    shutdown: unaryHandler(async () => create(wire.ShutdownResponseSchema)),
    taskConfigSchema: unaryHandler(async () =>
      create(wire.TaskConfigSchemaResponseSchema, { spec: specOf(plugin.taskSchema) }),
    ),
    capabilities: unaryHandler(async () =>
      create(wire.CapabilitiesResponseSchema, { capabilities: capabilitiesToWire(driver()) }),
    ),
    createNetwork: unaryHandler(async ({ allocId, hostname }: wire.CreateNetworkRequest, signal) => {
      const made = await driver().createNetwork?.(allocId, hostname, signal);
      if (made === undefined) throw new Fault('unsupported', 'this driver makes no networks');
      const isolationSpec = networkToWire(made.network);
      return create(wire.CreateNetworkResponseSchema, { isolationSpec, created: made.created });
    }),
    destroyNetwork: unaryHandler(async ({ allocId, isolationSpec }: wire.DestroyNetworkRequest, signal) => {
      // hosts in Go do not tell it without a network
      if (isolationSpec !== undefined) await driver().destroyNetwork?.(allocId, networkFromWire(isolationSpec), signal);
      return create(wire.DestroyNetworkResponseSchema);
    }),
  };
}

export function taskOf(plugin: DriverPlugin, task: wire.TaskConfig | undefined) {
  if (task === undefined) throw new Fault('invalid', 'the request holds no task');
  return taskFromWire(task, decodeValue(plugin.taskSchema, task.msgpackDriverConfig));
}

function lifecycle({ plugin, driver }: Served) {
  return {
    startTask: unaryHandler(async (request: wire.StartTaskRequest, signal) => {
      const { state, network } = await driver().start(taskOf(plugin, request.task), signal);
      const answer: MessageInitShape<typeof wire.StartTaskResponseSchema> = {
        handle: {
          version: state.version,
          state: wire.TaskState.RUNNING,
          driverState: new TextEncoder().encode(JSON.stringify(state)),
          ...(request.task === undefined ? {} : { config: request.task }),
        },
        ...(network === undefined ? {} : { networkOverride: overrideToWire(network) }),
      };
      return create(wire.StartTaskResponseSchema, answer);
    }),
    recoverTask: unaryHandler(async ({ handle }: wire.RecoverTaskRequest, signal) => {
      if (handle === undefined) throw new Fault('invalid', 'the request holds no task handle');
      await driver().recover(taskOf(plugin, handle.config), stateOf(handle), signal);
      return create(wire.RecoverTaskResponseSchema);
    }),
    waitTask: unaryHandler(async ({ taskId }: wire.WaitTaskRequest, signal) => {
      const exit = await driver().wait(taskId, signal);
      return create(wire.WaitTaskResponseSchema, { result: exitToWire(exit), err: exitErrorText(exit) });
    }),
    stopTask: unaryHandler(async ({ taskId, timeout, signal: killSignal }: wire.StopTaskRequest, signal) => {
      const timeoutMs = timeout === undefined ? 0 : Number(timeout.seconds) * 1000 + timeout.nanos / 1e6;
      await driver().stop(taskId, { timeoutMs, killSignal }, signal);
      return create(wire.StopTaskResponseSchema);
    }),
    destroyTask: unaryHandler(async ({ taskId, force }: wire.DestroyTaskRequest, signal) => {
      await driver().destroy(taskId, { force }, signal);
      return create(wire.DestroyTaskResponseSchema);
    }),
  };
}

function stateOf(handle: wire.TaskHandle): TaskHandleState {
  try {
    const state = JSON.parse(new TextDecoder().decode(handle.driverState)) as TaskHandleState;
    if (typeof state === 'object' && state !== null && typeof state.version === 'number') return state;
  } catch {
    // said below
  }
  throw new Fault('not_found', "the task's stored state is not this driver's");
}

function questions({ driver }: Served) {
  return {
    inspectTask: unaryHandler(async ({ taskId }: wire.InspectTaskRequest, signal) =>
      create(wire.InspectTaskResponseSchema, statusToWire(taskId, await driver().inspect(taskId, signal))),
    ),
    signalTask: unaryHandler(async ({ taskId, signal: name }: wire.SignalTaskRequest, signal) => {
      const instance = driver();
      if (instance.signal === undefined) throw new Fault('unsupported', 'this driver sends no signals');
      await instance.signal(taskId, name, signal);
      return create(wire.SignalTaskResponseSchema);
    }),
    execTask: unaryHandler(async (request: wire.ExecTaskRequest, signal) => collectExec(driver(), request, signal)),
  };
}

function streams({ driver }: Served) {
  return {
    fingerprint: streamHandler(async function* (_: wire.FingerprintRequest, signal) {
      for await (const report of driver().fingerprint(signal))
        yield create(wire.FingerprintResponseSchema, fingerprintToWire(report));
      await untilAborted(signal);
    }),
    taskEvents: streamHandler(async function* (_: wire.TaskEventsRequest, signal) {
      for await (const event of driver().events?.(signal) ?? []) {
        const [allocId = '', taskName = ''] = event.taskId.split('/');
        const timestamp = timeToWire(BigInt(Date.now()) * 1_000_000n);
        const { taskId, message, annotations } = event;
        yield create(wire.DriverTaskEventSchema, {
          taskId,
          allocId,
          taskName,
          timestamp,
          message,
          annotations: { ...annotations },
        });
      }
      await untilAborted(signal);
    }),
    taskStats: streamHandler(async function* ({ taskId, collectionInterval }: wire.TaskStatsRequest, signal) {
      const instance = driver();
      if (instance.stats === undefined) throw new Fault('unsupported', 'stats not implemented for driver');
      const everyMs = Number(collectionInterval?.seconds ?? 1n) * 1000 + (collectionInterval?.nanos ?? 0) / 1e6;
      while (!signal.aborted) {
        yield create(wire.TaskStatsResponseSchema, {
          stats: statsToWire(taskId, await instance.stats(taskId, signal)),
        });
        await untilAborted(signal, Math.max(100, everyMs));
      }
    }),
    execTaskStreaming: serveExec(driver),
  };
}

function untilAborted(signal: AbortSignal, timeoutMs?: number): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = timeoutMs === undefined ? undefined : setTimeout(done, timeoutMs);
    signal.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
