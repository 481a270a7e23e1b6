/** The services every plugin process has besides its own: who it is, its options, its end. */
import { create } from '@bufbuild/protobuf';
import type { UntypedServiceImplementation } from '@grpc/grpc-js';
import * as base from '../../driver/gen/nomad/base_pb.ts';
import { HealthCheckResponse_ServingStatus, HealthCheckResponseSchema } from '../../driver/gen/plugin/health_pb.ts';
import { EmptySchema } from '../../driver/gen/plugin/plugin_pb.ts';
import { apiVersion } from '../../driver/handshake.ts';
import { specOf } from '../../driver/hclspec.ts';
import type { DriverPlugin } from '../driver-plugin.ts';
import { streamHandler, unaryHandler } from './driver-service.ts';

export interface BaseHooks {
  readonly plugin: DriverPlugin;
  readonly version: string;
  /** May come several times. */
  configure(msgpackConfig: Uint8Array): Promise<void>;
  /** The host wants this process to end. */
  shutdown(): void;
}

export function baseService(hooks: BaseHooks): UntypedServiceImplementation {
  return {
    pluginInfo: unaryHandler(async () =>
      create(base.PluginInfoResponseSchema, {
        type: base.PluginType.DRIVER,
        pluginApiVersions: [apiVersion],
        pluginVersion: hooks.version,
        name: hooks.plugin.pluginName,
      }),
    ),
    configSchema: unaryHandler(async () =>
      create(base.ConfigSchemaResponseSchema, { spec: specOf(hooks.plugin.configSchema) }),
    ),
    setConfig: unaryHandler(async (request: base.SetConfigRequest) => {
      await hooks.configure(request.msgpackConfig);
      return create(base.SetConfigResponseSchema);
    }),
  } as UntypedServiceImplementation;
}

export function controllerService(hooks: BaseHooks): UntypedServiceImplementation {
  return {
    shutdown: unaryHandler(async () => {
      // the answer goes out first
      setImmediate(() => hooks.shutdown());
      return create(EmptySchema);
    }),
  } as UntypedServiceImplementation;
}

export function healthService(): UntypedServiceImplementation {
  const serving = () => create(HealthCheckResponseSchema, { status: HealthCheckResponse_ServingStatus.SERVING });
  return {
    check: unaryHandler(async () => serving()),
    watch: streamHandler(async function* () {
      yield serving();
    }),
  } as UntypedServiceImplementation;
}

/** Streams that hosts open and on which a driver has nothing to say: held open until the host goes. */
export function openStreams(name: string): UntypedServiceImplementation {
  const hold = (call: { on(event: string, listener: () => void): unknown; end(): void; resume?(): unknown }): void => {
    call.on('error', () => {});
    call.on('end', () => call.end());
    if ('read' in call) call.resume?.();
  };
  return { [name]: hold } as unknown as UntypedServiceImplementation;
}
