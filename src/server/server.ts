/**
 * The server half of an agent, put together. Everything it knows is in the store: created on an old store it goes on where it was.
 *
 *   created ──start──▶ serving ──close──▶ closed (the store stays open: who opened it closes it)
 */
import type { ServerConnection } from '../client/server-connection.ts';
import type { Log } from '../lib/log.ts';
import { formatWarnings } from '../model/job-validate.ts';
import type { ServerStore } from '../state/server-tables.ts';
import type { ServerCommands } from './commands.ts';
import { Connections } from './connection.ts';
import { type Clock, serverContext } from './context.ts';
import { deleteEvaluations } from './delete-evaluations.ts';
import {
  failDeploymentByUser,
  pauseDeployment,
  promoteDeployment,
  setAllocationHealth,
} from './deployment-commands.ts';
import { DeploymentWatcher } from './deployment-watcher.ts';
import { dispatchJob, forcePeriodic } from './dispatch-job.ts';
import { Drainer } from './drainer.ts';
import { EventStream } from './event-stream.ts';
import { GarbageCollector, type GarbageOptions } from './garbage-collector.ts';
import { type HeartbeatOptions, Heartbeats } from './heartbeats.ts';
import { putInitialRows } from './initial-rows.ts';
import { evaluateJob, revertJob, setJobStability, stopAllocation } from './job-commands.ts';
import { deregisterJob } from './job-deregister.ts';
import { jobExplanations } from './job-explain.ts';
import { planJob } from './job-plan.ts';
import { checkJob, registerJob } from './job-register.ts';
import { scaleGroup } from './job-scaling.ts';
import { recountSummaries } from './job-status.ts';
import { tagVersion, untagVersion } from './job-tags.ts';
import { deleteNamespace, putNamespace } from './namespace-commands.ts';
import { drainNode, evaluateNode, purgeNode, setEligibility } from './node-commands.ts';
import type { NodeConnection } from './node-connection.ts';
import { deleteNodePool, putNodePool } from './node-pool-commands.ts';
import { Periodic } from './periodic.ts';
import { setSchedulerConfiguration } from './scheduler-configuration.ts';
import { Scheduling } from './scheduling.ts';
import { systemClock } from './system-clock.ts';
import type { Schedule } from './worker.ts';

export interface ServerOptions {
  readonly store: ServerStore;
  readonly region: string;
  readonly log: Log;
  /** The pure scheduler: `schedule` of src/scheduler. */
  readonly schedule: Schedule;
  readonly newId: () => string;
  /** 0 … 1. */
  readonly random: () => number;
  /** How nodes are asked what they would refuse; absent: nobody is. */
  readonly nodes?: NodeConnection;
  /** Default: the machine's. */
  readonly clock?: Clock;
  /** Scheduling workers, each with several decisions on their way to the disk; 0: none. Default: 2. */
  readonly schedulers?: number;
  readonly heartbeat?: HeartbeatOptions;
  readonly garbage?: GarbageOptions;
  /** What is tried again how soon and how often, for tests. */
  readonly retry?: { readonly deliveryLimit?: number; readonly timeoutMs?: number; readonly retryDelayMs?: number };
}

export interface Server extends ServerCommands {
  readonly store: ServerStore;
  /** Writes what every cluster begins with, takes up what was unfinished, begins to schedule. Once. */
  start(): Promise<void>;
  /**
   * What a client calls. `mayJoin`: whether a node that is not known yet may come: true in process, or when the join token of another agent
   * was right. Default: true.
   */
  connection(options?: { readonly mayJoin: boolean }): ServerConnection;
  /** How much is waiting to be scheduled: for metrics. */
  evaluationCounts(): {
    readonly ready: number;
    readonly inWork: number;
    readonly waiting: number;
    readonly blocked: number;
  };
  /** Resolves when nothing of it is at work any more. */
  close(): Promise<void>;
}

/** Decides nothing until `start()`. */
export function createServer(options: ServerOptions): Server {
  const context = serverContext({ ...options, clock: options.clock ?? systemClock });
  const scheduling = new Scheduling(context, {
    schedule: options.schedule,
    workers: options.schedulers ?? 2,
    ...options.retry,
  });
  const heartbeats = new Heartbeats(context, options.heartbeat);
  const connections = new Connections(context, heartbeats);
  const deployments = new DeploymentWatcher(context);
  const drainer = new Drainer(context);
  const periodic = new Periodic(context);
  const events = new EventStream();
  const garbage = new GarbageCollector(context, options.garbage);
  for (const part of [connections, heartbeats, scheduling, deployments, drainer, periodic, events])
    context.listen(part);
  const loops = [heartbeats, deployments, drainer, periodic, garbage];
  return {
    store: options.store,
    start: async () => {
      await putInitialRows(context);
      connections.start();
      scheduling.start();
      for (const loop of loops) loop.start();
    },
    close: async () => {
      for (const loop of loops) loop.stop();
      await scheduling.stop();
    },
    connection: (connect = { mayJoin: true }) => connections.connection(connect),
    evaluationCounts: () => scheduling.counts,
    registerJob: (request) => registerJob(context, request),
    validateJob: async (job) => {
      const { errors, warnings, driverConfig } = checkJob(options.store.snapshot(), options.region, job);
      return { errors, warnings: formatWarnings(warnings), driverConfig };
    },
    ...jobExplanations(context, options.nodes),
    planJob: async (request) => planJob(context, options.schedule, request),
    deregisterJob: (request) => deregisterJob(context, request),
    evaluateJob: (request) => evaluateJob(context, request),
    revertJob: (request) => revertJob(context, request),
    scaleGroup: (request) => scaleGroup(context, request),
    dispatchJob: (request) => dispatchJob(context, request),
    forcePeriodic: (request) => forcePeriodic(context, request),
    tagVersion: (request) => tagVersion(context, request),
    untagVersion: (request) => untagVersion(context, request),
    promoteDeployment: (request) => promoteDeployment(context, request),
    pauseDeployment: (request) => pauseDeployment(context, request),
    failDeployment: (request) => failDeploymentByUser(context, request),
    setAllocationHealth: async (request) => setAllocationHealth(context, request),
    setJobStability: (request) => setJobStability(context, request),
    stopAllocation: (request) => stopAllocation(context, request),
    setEligibility: (request) => setEligibility(context, request),
    drainNode: (request) => drainNode(context, request),
    evaluateNode: (request) => evaluateNode(context, request),
    purgeNode: (request) => purgeNode(context, request),
    putNamespace: (namespace) => putNamespace(context, namespace),
    deleteNamespace: (name) => deleteNamespace(context, name),
    putNodePool: (pool) => putNodePool(context, pool),
    deleteNodePool: (name) => deleteNodePool(context, name),
    followEvents: (from, signal) => events.follow(from, signal),
    setSchedulerConfiguration: (request) => setSchedulerConfiguration(context, request),
    deleteEvaluations: (choice) => deleteEvaluations(context, choice),
    collectGarbage: () => garbage.force(),
    reconcileSummaries: async () => {
      await context.write(recountSummaries);
    },
  };
}
