/**
 * Puts an agent together and takes it apart again, in order.
 *
 *   lock data dir → server store → server → client store → drivers → client → API listens
 *   stop: API closed → client detached (dev: its tasks ended) → drivers and helper closed → server stopped → stores closed → lock released
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Api, createApi, type ListenAddress } from '../api/server.ts';
import { type Client, createClient } from '../client/client.ts';
import { clientTables } from '../client/client-tables.ts';
import type { ClientLog } from '../client/config.ts';
import { HttpServerConnection } from '../client/http-server-connection.ts';
import type { ServerConnection } from '../client/server-connection.ts';
import type { Log, LogLevel } from '../lib/log.ts';
import { createServer, type Server } from '../server/server.ts';
import { lockDataDirectory } from '../state/data-lock.ts';
import { lmdbJournal } from '../state/lmdb-journal.ts';
import { openStore } from '../state/open-store.ts';
import { type ServerStore, serverTables } from '../state/server-tables.ts';
import type { Schema, Store, TableSpecs } from '../state/store.ts';
import { agentFacts } from './agent-facts.ts';
import { type BuiltInDrivers, openBuiltInDrivers } from './built-in-drivers.ts';
import { clientConfigOf } from './client-setup.ts';
import type { AgentConfig } from './config.ts';
import type { LoadedConfig } from './config-load.ts';
import { listenHosts } from './listen-addresses.ts';
import { createLogSink } from './log-sink.ts';
import { jobParser } from './parse-job-route.ts';
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
  /** The best rung that this node proved, with what gives it; empty without a client. */
  readonly isolation: string;
  readonly supervisor: string;
  reload(): Promise<void>;
  /** Resolves with the number of tasks that keep running. */
  stop(): Promise<number>;
}

/** What has been opened so far, closed in the opposite order: by `stop`, and by a start that does not come to its end. */
class Opened {
  readonly #closers: (() => Promise<void>)[] = [];

  add(close: () => Promise<void>): void {
    this.#closers.push(close);
  }

  async close(): Promise<void> {
    for (const close of this.#closers.reverse()) await close();
    this.#closers.length = 0;
  }
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
  const { config } = options;
  const sink = createLogSink({ level: config.logLevel.toLowerCase() as LogLevel, json: config.logJson, file: config.logFile, write: options.write });
  const log = sink.log.child('agent');
  const { hosts } = listenHosts(config);
  const address = `${bracketed(config.advertise.http || hosts[0]!)}:${config.ports.http}`;
  const lock = await lockDataDirectory(config.dataDir, `drover agent (${config.name})`);
  opened.add(() => lock.release());

  const store = config.server === null ? null : await openTables(join(config.dataDir, 'server'), serverTables, log, opened);
  const server = store === null ? null : await openServer(config, store, sink.log, opened);
  const connection = server?.connection() ?? remoteServers(config, sink.log);
  const client = config.client === null ? null : await openClient(options, { connection, address, log: sink.log, opened });
  const signingKey = store === null ? null : await loadSigningKey(join(config.dataDir, 'server'));

  async function reload(): Promise<void> {
    const { config: next, problems } = options.reload();
    for (const problem of problems) log.error('configuration not reloaded', { problem });
    if (problems.length > 0) return;
    sink.setLevel(next.logLevel.toLowerCase() as LogLevel);
    log.info('configuration reloaded', { log_level: next.logLevel });
  }

  const startedAt = new Date().toISOString();
  const facts = agentFacts({
    ...{ config, version: options.version, sink, store, signingKey, startedAt, reload },
    client: () => client?.client.api ?? null,
    httpAddress: () => address,
  });
  const api = createApi({
    store,
    ...(server === null ? {} : { commands: server, ...server.nodes() }),
    client: client?.client.api ?? null,
    agent: facts,
    parseJob: jobParser(config.region),
    responseHeaders: config.responseHeaders,
    guard: {
      allowedHosts: config.api.allowedHosts,
      allowedOrigins: config.api.allowedOrigins,
      connectionsPerAddress: config.limits.httpMaxConnsPerClient,
      ...(config.api.allowTasks ? {} : { peerCheck: refuseTasks([]) }),
    },
    log: sink.log.child('http'),
  });
  await listen(api, config, hosts);
  opened.add(() => api.close());
  log.info('started', { http: address, server: server !== null, client: client !== null });

  return {
    address: `${config.tls === null ? 'http' : 'https'}://${address}`,
    nodeId: client?.client.api.node().ID ?? '',
    isolation: client === null ? '' : isolationSummary(client.client),
    supervisor: client === null ? '' : client.drivers.supervisor.kind,
    reload,
    async stop() {
      log.info('stopping');
      const left = client === null || config.dev ? 0 : client.client.api.runningTasks();
      await opened.close();
      return left;
    },
  };
}

/** A store over its journal; what could not be read is said. */
async function openTables<S extends Schema<S>>(directory: string, tables: TableSpecs<S>, log: Log, opened: Opened): Promise<Store<S>> {
  const { store, damage } = await openStore({ tables, journal: lmdbJournal({ directory }) });
  for (const { table, id, reason, keptAt } of damage) log.error('state was damaged', { table, id, reason, kept_at: keptAt });
  opened.add(() => store.close());
  return store;
}

function bracketed(host: string): string {
  return host.includes(':') ? `[${host}]` : host;
}
