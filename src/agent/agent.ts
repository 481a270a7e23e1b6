/**
 * Puts an agent together and takes it apart again, in order.
 *
 *   lock data dir → server store → server → API listens → client store → drivers → client → ready
 *   stop: API closed → client detached (dev: its tasks ended) → drivers, helper closed → server stopped → stores closed → lock released
 */
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { type Api, createApi } from '../api/server.ts';
import { type Client, createClient } from '../client/client.ts';
import { clientTables } from '../client/client-tables.ts';
import type { ServerConnection } from '../client/server-connection.ts';
import { Fault } from '../lib/fault.ts';
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
import { createLogSink, type LogSink } from './log-sink.ts';
import { loadSigningKey } from './signing-key.ts';

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
