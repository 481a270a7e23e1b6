/**
 * Serves a driver plugin on a unix socket: for a foreign host as a process of its own, or for tests within one.
 *
 *   cookie checked → socket bound → handshake line on stdout → SetConfig makes the driver → Shutdown
 */
import { writeSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { EngineDriver } from '../../driver/contract.ts';
import { Rehearsals } from '../../driver/gen/drover/rehearsals_pb.ts';
import { BasePlugin } from '../../driver/gen/nomad/base_pb.ts';
import { Driver } from '../../driver/gen/nomad/driver_pb.ts';
import { Health } from '../../driver/gen/plugin/health_pb.ts';
import { GRPCBroker, GRPCController, GRPCStdio } from '../../driver/gen/plugin/plugin_pb.ts';
import { cookie, formatHandshake } from '../../driver/handshake.ts';
import { Fault } from '../../lib/fault.ts';
import type { DriverDeps, DriverPlugin } from '../driver-plugin.ts';
import { connectionCertificate, hostCertificateVariable, pluginCredentials } from '../plugin-tls.ts';
import { channelOptions, serviceDefinition } from '../rpc.ts';
import { decodeValue } from '../wire-config.ts';
import { baseService, controllerService, healthService, openStreams } from './base-service.ts';
import { driverService } from './driver-service.ts';
import { rehearsalService } from './rehearsal-service.ts';

export interface Serving {
  readonly socketPath: string;
  /** For the handshake: base64 of our certificate; empty: the host asked for none. */
  readonly certificate: string;
  /** Resolves when the host asked for the end. */
  readonly ended: Promise<void>;
  close(): Promise<void>;
}

/** `lend` is asked at the first configuration: whoever only asks for name and options costs nothing. */
export async function serveOnSocket(
  plugin: DriverPlugin,
  lend: DriverDeps | (() => Promise<DriverDeps>),
): Promise<Serving> {
  let deps: Promise<DriverDeps> | null = null;
  const directory = await mkdtemp(join(process.env['PLUGIN_UNIX_SOCKET_DIR'] ?? tmpdir(), 'plugin'));
  const socketPath = join(directory, 'driver.sock');
  let driver: EngineDriver | null = null;
  let end = (): void => {};
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const hooks = {
    plugin,
    version: plugin.version ?? '0.1.0',
    configure: async (bytes: Uint8Array) => {
      const options = decodeValue(plugin.configSchema, bytes);
      deps ??= typeof lend === 'function' ? lend() : Promise.resolve(lend);
      const next = plugin.create(options, await deps);
      // hosts send the same options several times: tasks must not be lost over that
      if (driver === null) driver = next;
      else await next.close();
    },
    shutdown: () => end(),
  };
  const server = new Server({ ...channelOptions });
  server.addService(serviceDefinition(BasePlugin), baseService(hooks));
  server.addService(serviceDefinition(GRPCController), controllerService(hooks));
  server.addService(serviceDefinition(Health), healthService());
  server.addService(serviceDefinition(GRPCBroker), openStreams('startStream'));
  server.addService(serviceDefinition(GRPCStdio), openStreams('streamStdio'));
  const served = {
    plugin,
    driver: () => {
      if (driver === null) throw new Fault('unavailable', 'the plugin has not been configured');
      return driver;
    },
  };
  server.addService(serviceDefinition(Driver), driverService(served));
  server.addService(serviceDefinition(Rehearsals), rehearsalService(served));
  const { certificate, credentials } = asked();
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socketPath}`, credentials, (error) => (error === null ? resolve() : reject(error)));
  });
  // whoever connects commands the driver
  await chmod(socketPath, 0o600);
  return {
    socketPath,
    certificate,
    ended,
    close: async () => {
      server.forceShutdown();
      await driver?.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** TLS where the host asks for it, by giving its certificate. */
function asked(): { readonly certificate: string; readonly credentials: ServerCredentials } {
  const hostCertificate = process.env[hostCertificateVariable] ?? '';
  if (hostCertificate === '') return { certificate: '', credentials: ServerCredentials.createInsecure() };
  const own = connectionCertificate(Date.now());
  return {
    certificate: own.der.toString('base64').replace(/=+$/, ''),
    credentials: pluginCredentials(own, hostCertificate),
  };
}

/** The plugin as a program: `await servePlugin(plugin, deps)` is its whole main. Resolves when the host has asked for its end. */
export async function servePlugin(plugin: DriverPlugin, deps: DriverDeps | (() => Promise<DriverDeps>)): Promise<void> {
  if (process.env[cookie.name] !== cookie.value) {
    process.stderr.write(
      `This is the task driver plugin ${plugin.pluginName}. It is not started by hand: put it into the agent's plugin_dir.\n`,
    );
    process.exitCode = 1;
    return;
  }
  // Ctrl-C at the agent's terminal is not meant for us, and a host that died must not take us with it
  process.on('SIGINT', () => {});
  process.stdout.on('error', () => {});
  process.stderr.on('error', () => {});
  const serving = await serveOnSocket(plugin, deps);
  const { socketPath, certificate } = serving;
  const multiplexed = (process.env['PLUGIN_MULTIPLEX_GRPC'] ?? '') !== '';
  // past the stream, which an author may have closed, or filled, by now
  writeSync(1, formatHandshake(socketPath, certificate, multiplexed));
  await serving.ended;
  await serving.close();
}
