/** The server half: the commands that the API calls, and the door for nodes of this and other agents. */
import { createHash, randomUUID, timingSafeEqual } from 'node:crypto';
import type { NodeGate } from '../api/routes/internal-node.ts';
import type { ServerConnection } from '../client/server-connection.ts';
import { millisecond } from '../lib/duration.ts';
import type { Log } from '../lib/log.ts';
import { createSchedule } from '../scheduler/schedule.ts';
import type { ServerCommands } from '../server/commands.ts';
import type { NodeConnection } from '../server/node-connection.ts';
import { createServer } from '../server/server.ts';
import type { ServerStore } from '../state/server-tables.ts';
import type { AgentConfig } from './config.ts';
import type { Opened } from './opened.ts';

export interface ServerHalf {
  readonly commands: ServerCommands;
  /** For the client half of this agent. */
  readonly connection: ServerConnection;
  /** For client halves of other agents. */
  readonly nodes: NodeGate;
}

export async function openServerHalf(
  config: AgentConfig,
  store: ServerStore,
  nodes: NodeConnection,
  log: Log,
  opened: Opened,
): Promise<ServerHalf> {
  const options = config.server!;
  const ms = (ns: number): number => ns / millisecond;
  const server = createServer({
    store,
    nodes,
    region: config.region,
    log: log.child('server'),
    schedule: createSchedule(),
    newId: randomUUID,
    random: Math.random,
    schedulers: options.numSchedulers,
    heartbeat: { minTtlMs: ms(options.minHeartbeatTtl), graceMs: ms(options.heartbeatGrace) },
    garbage: {
      intervalMs: ms(options.jobGcInterval),
      jobMs: ms(options.jobGcThreshold),
      evalMs: ms(options.evalGcThreshold),
      batchEvalMs: ms(options.batchEvalGcThreshold),
      deploymentMs: ms(options.deploymentGcThreshold),
      nodeMs: ms(options.nodeGcThreshold),
    },
  });
  await server.start();
  opened.add(() => server.close());
  return {
    commands: server,
    connection: server.connection({ mayJoin: true }),
    nodes: { connection: server.connection({ mayJoin: true }), admits: (token) => admits(options.joinToken, token) },
  };
}

/** Without a token of its own a server lets nobody join. Compared by digest: neither length nor content leaks by time. */
function admits(expected: string, given: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return expected !== '' && timingSafeEqual(digest(expected), digest(given));
}
