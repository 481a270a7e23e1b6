/** The client half: its store, its drivers, and where its servers are. */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from '../api/forward.ts';
import { type Client, createClient } from '../client/client.ts';
import { type ClientStore, type ClientTables, clientTables } from '../client/client-tables.ts';
import { type HttpServerConnection, httpServerConnection } from '../client/http-server-connection.ts';
import type { ServerConnection } from '../client/server-connection.ts';
import { taskId } from '../client/task-config.ts';
import type { Phase } from '../client/task-decide.ts';
import { openNetworks } from '../isolation/network/open-networks.ts';
import { starvedProbe } from '../isolation/process-room.ts';
import { isolationAttributes } from '../isolation/rungs.ts';
import { messageOf } from '../lib/fault.ts';
import type { Log } from '../lib/log.ts';
import { type BuiltInDrivers, openBuiltInDrivers } from './built-in-drivers.ts';
import { clientConfigOf, networkOptions } from './client-setup.ts';
import type { AgentConfig, TlsConfig } from './config.ts';
import { openTables } from './open-tables.ts';
import type { Opened } from './opened.ts';

export interface ClientHalf {
  readonly client: Client;
  readonly drivers: BuiltInDrivers;
  /** `"exec: sandbox, raw_exec: process"`: what each driver can give here. */
  isolationSummary(): string;
  /** Probes the host anew; node attributes, drivers and running tasks follow. */
  lookAgain(): Promise<void>;
  /** Where an agent that is no server passes on what needs one; null on a server. */
  serverPeer(): Peer | null;
}

export interface ClientHalfOptions {
  readonly config: AgentConfig;
  /** As last read from the files. */
  readonly current: () => AgentConfig;
  readonly version: string;
  /** The server half of this agent; null: the servers are elsewhere. */
  readonly connection: ServerConnection | null;
  /** Where this agent's API is reached. */
  readonly address: string;
  readonly log: Log;
  readonly opened: Opened;
}

export async function openClientHalf(options: ClientHalfOptions): Promise<ClientHalf> {
  const { config, log, opened } = options;
  const directory = config.client!.stateDir || join(config.dataDir, 'client');
  // an allocation and the first of its tasks' states are one commit: a start waits for the disk once less
  const gathers = { gathers: true };
  const store = await openTables<ClientTables>(directory, clientTables, log.child('client'), opened, gathers);
  const found = openNetworks(networkOptions(config, options.address, directory));
  const drivers = await openBuiltInDrivers(config, directory, log.child('driver'));
  opened.add(() => drivers.close());
  const remote = options.connection === null ? remoteServers(config, opened) : null;
  const { networks, probes, refresh: networksAgain } = await found;
  // before anything new is started: what the store does not know now, nobody will ask for again
  await drivers.sweep(knownStarts(store));
  const proven = [...drivers.isolation.probes, ...probes.map((each) => [each.name, each] as const)];
  const attributes: Record<string, string> = {
    ...isolationAttributes(new Map(proven)),
    ...deviceAttributes(drivers.devices),
  };
  const client = await createClient({
    config: clientConfigOf(config, {
      httpAddress: options.address,
      version: options.version,
      attributes,
    }),
    networks,
    disks: drivers.isolation.disk,
    passIds: (from, to) => drivers.isolation.passIds(from, to),
    plugins: drivers.programs(options.current),
    store,
    drivers: drivers.drivers,
    server: options.connection ?? remote!,
    log: log.child('client'),
    now: Date.now,
    random: Math.random,
    newId: randomUUID,
  });
  drivers.follow({
    added: client.addDriver,
    removed: client.removeDriver,
    renewed: client.driverRenewed,
    // told with the driver that it was taken for
    device: (name) => Object.assign(attributes, deviceAttributes([name])),
  });
  opened.add(() => client.stop({ endTasks: config.dev }));
  const lookAgain = async (): Promise<void> => {
    const [lost, again] = await Promise.all([drivers.isolation.refresh(), networksAgain()]);
    const named = again.map((each) => [each.name, each] as const);
    Object.assign(attributes, isolationAttributes(new Map([...drivers.isolation.probes, ...named])));
    const evidenceOf = (name: string): string => drivers.isolation.probes.get(name)?.evidence ?? '';
    for (const name of lost) log.warn('a mechanism of isolation is lost', { name, evidence: evidenceOf(name) });
    await client.hostChanged(lost.map((name) => ({ name, evidence: evidenceOf(name) })));
  };
  opened.add(whileStarved(drivers, lookAgain, log));
  return {
    client,
    drivers,
    isolationSummary: () => isolationSummary(client),
    lookAgain,
    serverPeer: () => remote?.current() ?? null,
  };
}

const starvedPeriodMs = 10_000;

/** A host on which no process could be started to find out what it gives is asked again until there is room: nobody need say when. Returns its end. */
function whileStarved({ isolation }: BuiltInDrivers, lookAgain: () => Promise<void>, log: Log): () => Promise<void> {
  let looking: Promise<void> | null = null;
  const look = async (): Promise<void> => {
    try {
      await lookAgain();
    } catch (error) {
      log.warn('the host could not be looked at again', { reason: messageOf(error) });
    } finally {
      looking = null;
    }
  };
  const timer = setInterval(() => {
    if (looking === null && starvedProbe(isolation.probes) !== null) looking = look();
  }, starvedPeriodMs);
  return async () => {
    clearInterval(timer);
    await looking;
  };
}

/** `plugin.device.nvidia-gpu`: why a job that asks for a device is not placed here. */
function deviceAttributes(devices: readonly string[]): Record<string, string> {
  return Object.fromEntries(devices.map((name) => [`plugin.device.${name}`, 'not supported']));
}

/** What the client will look for again. An ended start that its driver was not yet told to free is none of them. */
function knownStarts(store: ClientStore): readonly string[] {
  const looksAgain: ReadonlySet<Phase> = new Set(['preparing', 'starting', 'running', 'recovering']);
  return [...store.snapshot().scan('tasks')]
    .filter(({ Run }) => looksAgain.has(Run.phase))
    .map(({ AllocID, Task, Run }) => taskId(AllocID, Task, Run.generation));
}

function remoteServers(config: AgentConfig, opened: Opened): HttpServerConnection {
  const { tls } = config;
  const connection = httpServerConnection({
    servers: config.client!.servers,
    joinToken: config.client!.joinToken,
    tls: tls === null ? null : tlsTexts(tls),
  });
  opened.add(async () => connection.close());
  return connection;
}

/** Certificates and key, for connections to other agents; `""` for what is not set. */
export function tlsTexts(tls: TlsConfig): { readonly ca: string; readonly cert: string; readonly key: string } {
  const text = (path: string): string => (path === '' ? '' : readFileSync(path, 'utf8'));
  return { ca: text(tls.caFile), cert: text(tls.certFile), key: text(tls.keyFile) };
}

function isolationSummary(client: Client): string {
  const { Attributes, Drivers } = client.api.node();
  return Object.keys(Drivers ?? {})
    .filter((name) => Drivers?.[name]?.Healthy === true && Attributes?.[`driver.${name}.isolation`] !== undefined)
    .sort()
    .map((name) => `${name}: ${Attributes?.[`driver.${name}.isolation`]}`)
    .join(', ');
}
