/**
 * Plugins that lie. The program is a shell script that says where it listens; the services behind it are served by the test itself, so
 * that sixty of them cost one process. What a lie does not say is done as a good plugin does it.
 */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Server, ServerCredentials, type ServiceDefinition, status } from '@grpc/grpc-js';
import {
  BasePlugin,
  ConfigSchemaResponseSchema,
  PluginInfoResponseSchema,
  SetConfigResponseSchema,
} from '../../src/driver/gen/nomad/base_pb.ts';
import * as wire from '../../src/driver/gen/nomad/driver_pb.ts';
import { type Spec, SpecSchema } from '../../src/driver/gen/nomad/hclspec_pb.ts';
import { EmptySchema, GRPCController } from '../../src/driver/gen/plugin/plugin_pb.ts';
import { channelOptions, serviceDefinition } from '../../src/driver-kit/rpc.ts';

/** What a call answers: a message or bytes, nothing ever, a status, or the death of the process. */
export type Answer =
  | { readonly message: unknown }
  | { readonly bytes: Uint8Array }
  | 'hangs'
  | 'dies'
  | { readonly status: number; readonly details: string };

/** What a stream sends; `end`: then it ends. */
export interface Sent {
  readonly messages: readonly Answer[];
  readonly end: boolean;
}

export interface Lie {
  readonly says: string;
  /** Named in the health of its driver. */
  readonly fault: RegExp;
  /** Shell text in place of the honest one; `$SOCKET` is where the services are. */
  readonly program?: string;
  /** The file's whole text. */
  readonly file?: string;
  /** Merged into its plugin block. */
  readonly block?: Readonly<Record<string, unknown>>;
  readonly calls?: Readonly<Record<string, Answer>>;
  readonly streams?: Readonly<Record<string, Sent>>;
  /** A task of it is started; then one of these is asked of it. */
  readonly task?: 'start' | 'stop' | 'stats' | 'signal' | 'exec';
}

export const message = (of: unknown): Answer => ({ message: of });
export const rubbish: Answer = { bytes: Buffer.from('0affffffffffffffffff0f08', 'hex') };

type SpecInit = MessageInitShape<typeof SpecSchema>;
export const spec = (block: SpecInit['block']): Spec => create(SpecSchema, { block } as SpecInit);

export const info = (more: MessageInitShape<typeof PluginInfoResponseSchema>): Answer =>
  message(
    create(PluginInfoResponseSchema, {
      type: 2,
      pluginApiVersions: ['v0.1.0'],
      pluginVersion: '0.1.0',
      name: 'evil',
      ...more,
    }),
  );
export const taskSchema = (of: Spec): Answer => message(create(wire.TaskConfigSchemaResponseSchema, { spec: of }));
export const configSchema = (of: Spec): Answer => message(create(ConfigSchemaResponseSchema, { spec: of }));
export const report = (more: MessageInitShape<typeof wire.FingerprintResponseSchema>): Answer =>
  message(create(wire.FingerprintResponseSchema, { health: 2, healthDescription: 'Healthy', ...more }));
export const started = (more: MessageInitShape<typeof wire.StartTaskResponseSchema>): Answer =>
  message(
    create(wire.StartTaskResponseSchema, {
      handle: create(wire.TaskHandleSchema, { version: 1, state: 1 }),
      ...more,
    } as MessageInitShape<typeof wire.StartTaskResponseSchema>),
  );

const empty = spec({ case: 'object', value: { attributes: {} } } as never);

function honestCalls(name: string): Record<string, Answer> {
  return {
    pluginInfo: info({ name }),
    configSchema: message(create(ConfigSchemaResponseSchema)),
    setConfig: message(create(SetConfigResponseSchema)),
    init: { status: status.UNIMPLEMENTED, details: 'unknown method Init' },
    taskConfigSchema: taskSchema(empty),
    capabilities: message(create(wire.CapabilitiesResponseSchema, { capabilities: { sendSignals: true, exec: true } })),
    startTask: started({}),
    recoverTask: message(create(wire.RecoverTaskResponseSchema)),
    waitTask: 'hangs',
    stopTask: message(create(wire.StopTaskResponseSchema)),
    destroyTask: message(create(wire.DestroyTaskResponseSchema)),
    inspectTask: message(create(wire.InspectTaskResponseSchema, { task: { state: 1 } })),
    signalTask: message(create(wire.SignalTaskResponseSchema)),
    execTask: message(create(wire.ExecTaskResponseSchema)),
    createNetwork: { status: status.UNIMPLEMENTED, details: 'no networks' },
    destroyNetwork: message(create(wire.DestroyNetworkResponseSchema)),
  };
}

const honestStreams: Record<string, Sent> = {
  fingerprint: { messages: [report({})], end: false },
  taskEvents: { messages: [], end: false },
  taskStats: { messages: [message(create(wire.TaskStatsResponseSchema, { stats: {} }))], end: false },
  execTaskStreaming: { messages: [message(create(wire.ExecTaskStreamingResponseSchema, { exited: true }))], end: true },
};

/** Bytes go out as they are. */
function raw(definition: ServiceDefinition): ServiceDefinition {
  return Object.fromEntries(
    Object.entries(definition).map(([name, method]) => [
      name,
      {
        ...method,
        responseSerialize: (value: unknown) =>
          value instanceof Uint8Array ? Buffer.from(value) : method.responseSerialize(value),
      },
    ]),
  ) as ServiceDefinition;
}

const carried = (answer: { readonly message: unknown } | { readonly bytes: Uint8Array }): unknown =>
  'bytes' in answer ? answer.bytes : answer.message;

type Call = {
  write(value: unknown): void;
  end(): void;
  emit(event: 'error', error: unknown): void;
  on(event: string, listener: () => void): void;
  resume?(): void;
};

/** Writes the program and serves what is behind it. `ended`: kills the process of the plugin. */
export async function layPlugin(
  directory: string,
  name: string,
  lie: Lie,
  kill: (name: string) => void,
): Promise<Server> {
  const socket = join(directory, `${name}.sock`);
  const program = lie.program ?? `echo "1|2|unix|$SOCKET|grpc|"; exec sleep 1000`;
  const text = lie.file ?? `#!/bin/sh\nSOCKET='${socket}'\necho $$ > '${join(directory, name)}.pid'\n${program}\n`;
  writeFileSync(join(directory, 'plugins', name), text);
  chmodSync(join(directory, 'plugins', name), 0o755);
  const server = new Server(channelOptions);
  const calls = { ...honestCalls(name), ...lie.calls };
  const streams = { ...honestStreams, ...lie.streams };
  const unary =
    (answer: Answer) =>
    (_: unknown, callback: (error: unknown, value?: unknown) => void): void => {
      if (answer === 'hangs') return;
      if (answer === 'dies') {
        kill(name);
        callback({ code: status.UNAVAILABLE, details: 'connection reset' });
      } else if ('status' in answer) callback({ code: answer.status, details: answer.details });
      else callback(null, carried(answer));
    };
  const stream =
    (sent: Sent) =>
    (call: Call): void => {
      call.on('error', () => {});
      call.resume?.();
      for (const each of sent.messages) {
        if (each === 'hangs') return;
        if (each === 'dies') {
          kill(name);
          call.emit('error', { code: status.UNAVAILABLE, details: 'connection reset' });
          return;
        }
        if ('status' in each) {
          call.emit('error', { code: each.status, details: each.details });
          return;
        }
        call.write(carried(each));
      }
      if (sent.end) call.end();
    };
  const handlers = {
    ...Object.fromEntries(Object.entries(calls).map(([method, answer]) => [method, unary(answer)])),
    ...Object.fromEntries(Object.entries(streams).map(([method, sent]) => [method, stream(sent)])),
    // a good plugin ends when it is told
    shutdown: (_: unknown, callback: (error: null, value: unknown) => void): void => {
      callback(null, create(EmptySchema));
      kill(name);
    },
  };
  for (const service of [BasePlugin, wire.Driver, GRPCController])
    server.addService(raw(serviceDefinition(service)), handlers as never);
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  return server;
}
