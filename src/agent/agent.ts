/**
 * Puts an agent together and takes it apart again, in order.
 *
 *   lock data dir → server store → server → client store → drivers → client → API listens
 *   stop: API closed → client detached (dev: its tasks ended) → drivers and helper closed → stores closed → lock released
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { OutgoingTls } from '../api/forward.ts';
import type { GuardOptions } from '../api/guard.ts';
import { type Api, createApi } from '../api/server.ts';
import type { ClientNode } from '../client/client-node.ts';
import { givenRanges } from '../isolation/subordinate-rows.ts';
import { defaultTaskUids, rootUidOf } from '../isolation/uids.ts';
import type { IdRange } from '../isolation/users.ts';
import type { LogLevel } from '../lib/log.ts';
import { kernelText } from '../lib/node/kernel-file.ts';
import { lockDataDirectory } from '../state/data-lock.ts';
import { type ServerTables, serverTables } from '../state/server-tables.ts';
import { agentFacts } from './agent-facts.ts';
import { type ClientHalf, openClientHalf, tlsTexts } from './client-half.ts';
import type { AgentConfig } from './config.ts';
import type { LoadedConfig } from './config-load.ts';
import { listenHosts } from './listen-addresses.ts';
import { createLogSink, type LogSink } from './log-sink.ts';
import { nodeConnection } from './node-connection.ts';
import { openTables } from './open-tables.ts';
import { Opened } from './opened.ts';
import { jobParser } from './parse-job-route.ts';
import { openServerHalf } from './server-half.ts';
import { loadSigningKey } from './signing-key.ts';
import { refuseTasks } from './task-peers.ts';

export interface AgentOptions {
  readonly config: AgentConfig;
  readonly version: string;
  /** Log lines, each with its line end. */
  readonly write: (text: string) => void;
  /** Reads the files again. */
  readonly reload: () => LoadedConfig;
}

export interface RunningAgent {
  /** `"http://127.0.0.1:4646"` */
  readonly address: string;
  /** Empty without a client. */
  readonly nodeId: string;
  /** What each driver's tasks get here, e.g. `"exec: sandbox"`; empty without a client. */
  readonly isolation: string;
  /** `native` or `typescript`; empty without a client. */
  readonly supervisor: string;
  reload(): Promise<void>;
  /** Resolves with the number of tasks that keep running. */
  stop(): Promise<number>;
}

/** Faults: `conflict` where another agent holds the data directory, `unavailable` where a port is taken, `invalid` for wrong options. */
export async function startAgent(options: AgentOptions): Promise<RunningAgent> {
  const opened = new Opened();
  try {
    return await assemble(options, opened);
  } catch (error) {
    await opened.close();
    throw error;
  }
}

async function assemble(options: AgentOptions, opened: Opened): Promise<RunningAgent> {
  const { config, version } = options;
  const sink = openSink(options);
  const log = sink.log.child('agent');
  const address = advertised(config);
  await holdDataDirectory(config, opened);

  const serverDirectory = join(config.dataDir, 'server');
  const store =
    config.server === null ? null : await openTables<ServerTables>(serverDirectory, serverTables, log, opened);
  const outgoingTls = outgoing(config);
  let client: ClientNode | null = null;
  const nodes = nodeConnection(() => client, outgoingTls);
  const server = store === null ? null : await openServerHalf(config, store, nodes, sink.log, opened);
  const signingKey = store === null ? null : await loadSigningKey(serverDirectory);
  let current = config;
  const half =
    config.client === null
      ? null
      : await openClientHalf({
          config,
          current: () => (current = newest(options, current)),
          version,
          connection: server?.connection ?? null,
          address,
          log: sink.log,
          opened,
        });
  client = half?.client.api ?? null;

  const reload = reloader(options, sink, half);
  const api = createApi({
    store,
    client,
    agent: agentFacts({
      config,
      version,
      sink,
      store,
      signingKey,
      reload,
      startedAt: new Date().toISOString(),
      ...{ client: () => client, httpAddress: () => address },
    }),
    ...(server === null ? {} : { commands: server.commands, nodes: server.nodes }),
    parseJob: jobParser(config.region),
    responseHeaders: config.responseHeaders,
    guard: guardOptions(config, half),
    serverPeer: () => half?.serverPeer() ?? null,
    outgoingTls,
    log: sink.log.child('http'),
  });
  opened.add(() => api.close());
  await listen(api, config);
  log.info('started', { http: address, server: server !== null, client: client !== null });

  return {
    address: `${config.tls === null ? 'http' : 'https'}://${address}`,
    nodeId: client?.node().ID ?? '',
    isolation: half?.isolationSummary() ?? '',
    supervisor: half?.drivers.supervisor.kind ?? '',
    reload,
    async stop() {
      log.info('stopping');
      const left = client === null || config.dev ? 0 : client.runningTasks();
      await opened.close();
      return left;
    },
  };
}

function openSink({ config, write }: AgentOptions): LogSink {
  return createLogSink({
    level: config.logLevel.toLowerCase() as LogLevel,
    json: config.logJson,
    file: config.logFile,
    write,
  });
}

async function holdDataDirectory(config: AgentConfig, opened: Opened): Promise<void> {
  const lock = await lockDataDirectory(config.dataDir, `drover agent (${config.name})`);
  opened.add(() => lock.release());
}

/** As the files are now; as they were, where they cannot be used. */
function newest({ reload }: AgentOptions, before: AgentConfig): AgentConfig {
  const { config, problems } = reload();
  return problems.length > 0 ? before : config;
}

/** What SIGHUP and the reload route do: the files are read again; the log level and what changed in plugins are applied, and the host is probed anew. */
function reloader(options: AgentOptions, sink: LogSink, half: ClientHalf | null): () => Promise<void> {
  const log = sink.log.child('agent');
  return async () => {
    const { config: next, problems } = options.reload();
    for (const problem of problems) log.error('configuration not reloaded', { problem });
    if (problems.length > 0) return;
    sink.setLevel(next.logLevel.toLowerCase() as LogLevel);
    log.info('configuration reloaded', { log_level: next.logLevel });
    await half?.client.api.drivers.reload();
    await half?.lookAgain();
  };
}

/** The uids that tasks have on the host: their own, and those of root inside their user namespaces. */
const taskUids = [defaultTaskUids, { first: rootUidOf(defaultTaskUids.first), last: rootUidOf(defaultTaskUids.last) }];

/** Without root an agent's tasks have its own uid, or one of those that users have for what they isolate. */
function uidsOfTasks(half: ClientHalf | null): readonly IdRange[] {
  const range = half?.drivers.isolation.subordinate?.range;
  const given = process.getuid?.() === 0 ? [] : givenRanges(kernelText('/etc/subuid'));
  return [...taskUids, ...given, ...(range === undefined ? [] : [range])];
}

function guardOptions(config: AgentConfig, half: ClientHalf | null): Partial<GuardOptions> {
  return {
    allowedHosts: config.api.allowedHosts,
    allowedOrigins: config.api.allowedOrigins,
    connectionsPerAddress: config.limits.httpMaxConnsPerClient,
    ...(config.api.allowTasks ? {} : { peerCheck: refuseTasks(() => uidsOfTasks(half)) }),
  };
}

function outgoing({ tls }: AgentConfig): OutgoingTls {
  return tls === null ? {} : withoutEmpty(tlsTexts(tls));
}

const secureVersions = { tls10: 'TLSv1', tls11: 'TLSv1.1', tls12: 'TLSv1.2', tls13: 'TLSv1.3' } as const;

async function listen(api: Api, config: AgentConfig): Promise<void> {
  const { tls } = config;
  const files =
    tls === null
      ? {}
      : {
          tls: {
            cert: readFileSync(tls.certFile, 'utf8'),
            key: readFileSync(tls.keyFile, 'utf8'),
            ...(tls.caFile === '' ? {} : { ca: readFileSync(tls.caFile, 'utf8') }),
            verifyClients: tls.verifyHttpsClient,
            minVersion: secureVersions[tls.minVersion],
          },
        };
  await api.listen(listenHosts(config).map((host) => ({ host, port: config.ports.http, ...files })));
}

function withoutEmpty<T extends { readonly [key: string]: string }>(texts: T): Partial<T> {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== '')) as Partial<T>;
}

/** Where others reach this agent: `"127.0.0.1:4646"`, `"[::1]:4646"`. */
function advertised(config: AgentConfig): string {
  const given = config.advertise.http;
  if (/^(\[.*\]|[^:]*):\d+$/.test(given)) return given;
  const host = given || listenHosts(config)[0]!;
  return `${host.includes(':') ? `[${host}]` : host}:${config.ports.http}`;
}
