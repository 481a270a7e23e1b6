/**
 * Makes an engine driver of a container driver: images, starts, ends, logs, stats, signals, exec, recovery over one container engine.
 * The containers belong to the engine: they outlive the agent, and where the engine allows it also the engine's own restart.
 */
import { setMaxListeners } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type {
  DriverEvent,
  EngineDriver,
  ExecRequest,
  ExecSession,
  Fingerprint,
  IsolationReport,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
  TaskStats,
  TaskStatus,
} from '../../driver/contract.ts';
import { cgroupName } from '../../isolation/cgroup/task-cgroup.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { AsyncQueue } from '../async-queue.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { KnownTasks } from '../known-tasks.ts';
import { refusalsOf } from '../rehearsal.ts';
import { signalNumber } from '../signals.ts';
import { coreMhz, statsOf, type UsageAt } from '../task-stats.ts';
import { containerAbility } from './container-ability.ts';
import type { ContainerDriver, ContainerRules } from './container-driver.ts';
import { containerExec } from './container-exec.ts';
import { containerNow } from './container-isolation.ts';
import {
  ownerLabel,
  ownerOf,
  removeContainer,
  type StartContext,
  startContainer,
  taskLabel,
} from './container-start.ts';
import { ContainerTask, exitOf, readHandle } from './container-task.ts';
import { type ContainerTrials, containerTrials } from './container-trial.ts';
import { removeDangling } from './dangling.ts';
import type { EndpointTls } from './endpoint.ts';
import { containerState, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { EngineHealth } from './engine-health.ts';
import { checkNames } from './engine-names.ts';
import { usageOf } from './engine-stats.ts';
import { watchEngine } from './engine-watch.ts';
import { Images, unknownImage } from './images.ts';
import { kernelLackedMemory } from './kernel-log.ts';
import { LogCollector } from './log-collector/log-collector.ts';
import { NetworkHolders } from './network-holder.ts';
import { OwnSources } from './own-sources.ts';

/** An ended task's last output is waited for, but not for ever: the engine may be gone. */
const drainLimitMs = 5_000;
const oomLateMs = 1_000;
const askAgainMs = 1_000;

export interface EngineOptions {
  readonly client: EngineClient;
  readonly rules: ContainerRules;
  /** For the log collector, which makes a connection of its own. */
  readonly tls: EndpointTls | null;
  readonly prefix: string;
}

export function containerEngine(driver: ContainerDriver, options: EngineOptions, deps: DriverDeps): EngineDriver {
  return new ContainerEngine(driver, options, deps);
}

class ContainerEngine implements EngineDriver {
  readonly info: EngineDriver['info'];
  readonly #driver: ContainerDriver;
  readonly #options: EngineOptions;
  readonly #client: EngineClient;
  readonly #deps: DriverDeps;
  readonly #log: Log;
  readonly #health: EngineHealth;
  readonly #images: Images;
  readonly #collector: LogCollector;
  readonly #holders: NetworkHolders;
  readonly #sources: OwnSources;
  readonly #trials: ContainerTrials;
  readonly #tasks = new KnownTasks<ContainerTask>();
  readonly #listeners = new Set<AsyncQueue<DriverEvent>>();
  readonly #life = new AbortController();
  #watching = false;
  /** The engine's events are heard: whenever that begins, all tasks are looked at. */
  #heard = false;

  constructor(driver: ContainerDriver, options: EngineOptions, deps: DriverDeps) {
    const { client, rules } = options;
    this.info = driver.info;
    this.#driver = driver;
    // every task waits on it
    setMaxListeners(0, this.#life.signal);
    this.#options = options;
    this.#client = client;
    this.#deps = deps;
    this.#log = deps.log;
    const trials = containerTrials(rules.engine, client, deps);
    this.#trials = trials;
    const own = {
      label: `${ownerLabel}=${ownerOf(deps)}`,
      running: (ids: ReadonlySet<string>) => this.#running(ids),
      attributes: () => this.#sources.attributes(driver.info.name),
    };
    this.#health = new EngineHealth(client, driver, rules, own, (facts) =>
      containerAbility(driver, client, deps, trials, facts),
    );
    this.#images = new Images(client, { removeAfterMs: rules.removeImagesAfterMs, log: deps.log });
    this.#holders = new NetworkHolders(client, ownerOf(deps));
    const pins = join(deps.stateDirectory, '..', `${rules.engine}-mounts`);
    this.#sources = new OwnSources(client, ownerOf(deps), pins, deps.log);
    this.#collector = new LogCollector(join(deps.stateDirectory, '..', `${rules.engine}-logs`), deps.log);
  }

  fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    return this.#health.fingerprint(AbortSignal.any([signal, this.#life.signal]));
  }

  /** What the engine itself would refuse is not asked, but for what it knows: it makes what it looks at. */
  rehearse(config: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    return refusalsOf(signal, async () => {
      const facts = await this.#health.facts(signal);
      const shared = config.network?.mode === 'group';
      const network = this.#driver.joins === 'path' ? `ns:${config.network?.path}` : `container:${config.id}`;
      const plan = await this.#driver.plan(config, facts, shared ? network : null);
      const body = plan.create(await this.#images.known(plan.image, signal));
      await checkNames(this.#client, facts, body, signal);
    });
  }

  async start(config: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    signal.throwIfAborted();
    const starting = this.#tasks.start(config.id, async () => {
      const facts = await this.#health.facts(signal);
      const plan = await this.#driver.plan(config, facts, await this.#network(config, signal));
      await checkNames(this.#client, facts, plan.create(unknownImage), signal);
      this.#watch();
      const say = (message: string, annotations: Readonly<Record<string, string>>): void =>
        this.#say(config.id, message, annotations);
      const image = await this.#images.acquire(config.id, plan.image, say, signal);
      try {
        const context: StartContext = {
          ...{ client: this.#client, rules: this.#options.rules, deps: this.#deps, sources: this.#sources, facts },
          follow: this.#collector.follow.bind(this.#collector),
          trial: (body, root, plan) => this.#trials.of(body, root, facts, plan),
          endpoint: {
            endpoint: this.#client.endpoint.address,
            tls: this.#options.tls,
            prefix: this.#options.prefix,
          },
        };
        const { handle, state } = await startContainer(context, config, plan, image, signal);
        const task = this.#keep(new ContainerTask(config, handle, state.pid));
        if (!state.running) await this.#ended(task, exitOf(state, false));
        // what ended since it was looked at was told of while nobody knew the task
        else if (!existsSync(`/proc/${state.pid}`)) void this.#lookAt(task);
        return this.#started(task);
      } catch (error) {
        this.#images.release(config.id);
        await this.#collector.forget(cgroupName(config.id));
        throw error;
      }
    });
    return starting.catch(async (error: unknown) => {
      await this.#releaseNetwork(config);
      throw error;
    });
  }

  /** A daemon that is away is no reason to give a task up: it is looked at when the daemon is back. */
  async recover(config: TaskConfig, state: TaskHandleState, signal: AbortSignal): Promise<StartedTask> {
    signal.throwIfAborted();
    const known = this.#tasks.get(config.id);
    if (known !== undefined) return this.#started(known);
    return this.#tasks.alone(config.id, async () => {
      const task = new ContainerTask(config, readHandle(state), 0);
      const { containerId, imageId, tty } = task.handle;
      const found = await this.#inspect(containerId, signal).catch((error: unknown) => {
        if (isFault(error, 'not_found'))
          throw new Fault('not_found', `task ${config.id}: its container ${containerId} is gone`);
        if (signal.aborted) throw error;
        this.#log.warn('a task is taken on trust until the engine answers', {
          task: config.id,
          error: messageOf(error),
        });
        return null;
      });
      task.pid = found?.pid ?? 0;
      this.#images.hold(config.id, imageId);
      if (this.#options.rules.collectLogs && !config.log.disabled) await this.#followAgain(config, containerId, tty);
      this.#keep(task);
      this.#watch();
      if (found !== null && !found.running) await this.#ended(task, exitOf(found, false));
      return this.#started(task);
    });
  }

  async #followAgain(config: TaskConfig, containerId: string, tty: boolean): Promise<void> {
    const { log, directories, name } = config;
    await this.#collector
      .follow({
        ...{ key: cgroupName(config.id), engine: this.#options.rules.engine, containerId, tty },
        ...{ endpoint: this.#client.endpoint.address, tls: this.#options.tls, prefix: this.#options.prefix },
        ...{ directory: directories.logs, stdout: `${name}.stdout`, stderr: `${name}.stderr` },
        ...{ maxFiles: Math.max(1, log.maxFiles), maxBytes: Math.max(1, log.maxFileSizeMb) * 1024 * 1024 },
        fifos: log.fifos,
      })
      .catch((error: unknown) =>
        this.#log.error("a task's output is not kept any more", { task: config.id, error: messageOf(error) }),
      );
  }

  wait(taskId: string, signal: AbortSignal): Promise<TaskExit> {
    return this.#tasks.with(taskId, (task) => task.wait(signal));
  }

  async stop(
    taskId: string,
    options: { readonly timeoutMs: number; readonly killSignal: string },
    signal: AbortSignal,
  ): Promise<void> {
    const task = this.#tasks.find(taskId);
    if (task.exit !== null) return;
    await this.#kill(task, options.killSignal || task.handle.stopSignal || 'SIGTERM', signal);
    const limit = new AbortController();
    const timer = setTimeout(() => limit.abort(), options.timeoutMs);
    try {
      await task.wait(AbortSignal.any([signal, limit.signal]));
    } catch (error) {
      if (signal.aborted) throw error;
      await this.#kill(task, 'SIGKILL', signal);
      await task.wait(signal);
    } finally {
      clearTimeout(timer);
    }
  }

  async destroy(taskId: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return this.#destroyUnknown(taskId, options.force, signal);
    if (task.exit === null && !options.force) throw new Fault('conflict', `task ${taskId} is still running`);
    if (task.exit === null || this.#options.rules.removeContainers)
      await removeContainer(this.#client, task.handle.containerId);
    await this.#collector.forget(cgroupName(taskId));
    this.#images.release(taskId);
    task.settle({ exitCode: 137, signal: 9, oomKilled: false });
    this.#tasks.forget(taskId);
    await this.#releaseNetwork(task.config);
  }

  /** A start whose state never reached the client is known by its label alone. */
  async #destroyUnknown(taskId: string, force: boolean, signal: AbortSignal): Promise<void> {
    const label = [`${taskLabel}=${taskId}`, `${ownerLabel}=${ownerOf(this.#deps)}`];
    const query = { all: 'true', filters: JSON.stringify({ label }) };
    const rows = await this.#client.json('GET', '/containers/json', { query, signal });
    const found = Array.isArray(rows) ? rows : [];
    if (found.length === 0) throw new Fault('not_found', `no task ${taskId}`);
    for (const row of found) {
      if (textAt(row, 'State') === 'running' && !force) throw new Fault('conflict', `task ${taskId} is still running`);
      await removeContainer(this.#client, textAt(row, 'Id'));
    }
  }

  async inspect(taskId: string): Promise<TaskStatus> {
    return this.#tasks.find(taskId).status();
  }

  async stats(taskId: string, signal: AbortSignal): Promise<TaskStats> {
    const task = this.#tasks.find(taskId);
    const id = task.requireRunning();
    const query = { stream: 'false', 'one-shot': 'true' };
    const answer = await this.#client.json('GET', `/containers/${id}/stats`, { query, signal });
    const now: UsageAt = { at: BigInt(Date.now()) * 1_000_000n, usage: usageOf(answer) };
    const before = task.lastUsage;
    task.lastUsage = now;
    return statsOf(before, now, coreMhz());
  }

  async signal(taskId: string, signalName: string, signal: AbortSignal): Promise<void> {
    const task = this.#tasks.find(taskId);
    if (signalNumber(signalName) === null)
      throw new Fault('invalid', `${JSON.stringify(signalName)} is no signal of this system`);
    task.requireRunning();
    await this.#kill(task, signalName, signal);
  }

  exec(taskId: string, request: ExecRequest, signal: AbortSignal): Promise<ExecSession> {
    return this.#tasks.with(taskId, (task) => containerExec(this.#client, task.requireRunning(), request, signal));
  }

  async isolation(taskId: string): Promise<IsolationReport> {
    const { handle, pid, exit } = this.#tasks.find(taskId);
    const { cgroups } = this.#deps.isolation;
    return exit === null ? containerNow(handle.isolation, handle.checks, { pid, cgroups }) : handle.isolation;
  }

  async *events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    const queue = new AsyncQueue<DriverEvent>();
    const end = (): void => queue.end();
    if (signal.aborted) return;
    this.#listeners.add(queue);
    signal.addEventListener('abort', end, { once: true });
    try {
      yield* queue;
    } finally {
      signal.removeEventListener('abort', end);
      this.#listeners.delete(queue);
    }
  }

  /** Containers and the log collector stay. */
  async close(): Promise<void> {
    this.#life.abort();
    this.#images.close();
    this.#collector.close();
    for (const queue of this.#listeners) queue.end();
    this.#tasks.clear();
  }

  /** The engine's name for the network that the tasks of the allocation share. */
  async #network(config: TaskConfig, signal: AbortSignal): Promise<string | null> {
    const { network } = config;
    if (network?.mode !== 'group') return null;
    if (this.#driver.joins === 'path') return `ns:${network.path}`;
    return `container:${await this.#holders.hold(config, network.path, signal)}`;
  }

  /** The last task of an allocation takes along what stood for its network. */
  async #releaseNetwork({ network, allocId }: TaskConfig): Promise<void> {
    if (network?.mode !== 'group' || this.#driver.joins === 'path' || this.#uses(allocId)) return;
    await this.#holders
      .release(allocId)
      .catch((error: unknown) => this.#log.warn("a group's network container stays", { error: messageOf(error) }));
  }

  #uses(allocId: string): boolean {
    return this.#tasks.ids().some((id) => id.startsWith(`${allocId}/`));
  }

  #say(taskId: string, message: string, annotations: Readonly<Record<string, string>> = {}): void {
    for (const queue of this.#listeners) queue.push({ taskId, message, annotations });
  }

  #started(task: ContainerTask): StartedTask {
    const { handle } = task;
    return {
      state: handle,
      isolation: handle.isolation,
      ...(handle.network === null ? {} : { network: handle.network }),
    };
  }

  #keep(task: ContainerTask): ContainerTask {
    this.#tasks.keep(task.config.id, task);
    return task;
  }

  /** From the first task on. */
  #watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    const { signal } = this.#life;
    const owner = ownerOf(this.#deps);
    void watchEngine(
      this.#client,
      `${ownerLabel}=${owner}`,
      {
        happened: (event) => void this.#happened(event),
        connected: () => {
          this.#heard = true;
          this.#health.lookNow();
          for (const task of this.#tasks.values()) if (task.exit === null) void this.#lookAt(task);
        },
        lost: () => {
          this.#heard = false;
          this.#sources.forget();
          this.#health.lookNow();
        },
      },
      this.#log,
      signal,
    );
    const { dangling } = this.#options.rules;
    const known = (taskId: string): boolean =>
      taskId.endsWith('/network') ? this.#uses(taskId.slice(0, -'/network'.length)) : this.#tasks.holds(taskId);
    if (dangling !== null) void removeDangling(this.#client, owner, dangling, known, this.#log, signal);
  }

  /** An end whose event did not come is found here. */
  #running(ids: ReadonlySet<string>): void {
    for (const task of this.#tasks.values())
      if (task.exit === null && !ids.has(task.handle.containerId)) void this.#lookAt(task);
  }

  async #happened(event: { readonly containerId: string; readonly action: string; readonly exitCode: number | null }) {
    const task = this.#tasks.values().find((each) => each.handle.containerId === event.containerId);
    if (task === undefined || task.exit !== null) return;
    if (event.action === 'oom') task.oomSeen = true;
    else if (event.action.startsWith('health_status'))
      this.#say(
        task.config.id,
        `Container health: ${event.action.slice('health_status'.length).replace(/^[: ]+/, '')}`,
      );
    else if (event.action === 'die' || event.action === 'died') await this.#lookAt(task, event.exitCode);
  }

  /**
   * Settles a task whose container has ended. `told`: the code in the engine's event, should the container be gone already. What an engine
   * cannot say sensibly it is asked again.
   */
  async #lookAt(task: ContainerTask, told: number | null = null): Promise<void> {
    const { signal } = this.#life;
    while (!(await this.#lookOnce(task, told))) {
      await sleep(askAgainMs, undefined, { signal, ref: false }).catch(() => undefined);
      if (!this.#heard || task.exit !== null || signal.aborted) return;
    }
  }

  /** False: the engine did not say. */
  async #lookOnce(task: ContainerTask, told: number | null): Promise<boolean> {
    try {
      const state = await this.#inspect(task.handle.containerId, this.#life.signal);
      // of one taken on trust it was not known
      if (state.running) task.pid ||= state.pid;
      else await this.#ended(task, exitOf(state, task.oomSeen));
    } catch (error) {
      if (!isFault(error, 'not_found')) return false;
      const gone: TaskExit =
        told === null
          ? { exitCode: 0, signal: 0, oomKilled: false, unknown: 'container-removed' }
          : { exitCode: told, signal: 0, oomKilled: task.oomSeen && told === 137 };
      await this.#ended(task, gone);
    }
    return true;
  }

  async #ended(task: ContainerTask, exit: TaskExit): Promise<void> {
    await this.#collector.drained(cgroupName(task.config.id), drainLimitMs);
    const unexplained = exit.exitCode === 137 && !exit.oomKilled && !task.killed;
    task.settle(unexplained && (await this.#lackedMemory(task)) ? { ...exit, oomKilled: true } : exit);
  }

  /** The engine tells it apart from the end: on a busy host after it, or never. */
  async #lackedMemory(task: ContainerTask): Promise<boolean> {
    const { containerId: id, startedAt } = task.handle;
    if (
      task.oomSeen ||
      (this.#client.endpoint.local && kernelLackedMemory({ id, pid: task.pid, startedAt: BigInt(startedAt) }))
    )
      return true;
    await sleep(oomLateMs, undefined, { ref: false });
    return task.oomSeen;
  }

  async #inspect(containerId: string, signal: AbortSignal) {
    return containerState(
      await this.#client.json('GET', `/containers/${containerId}/json`, { signal, timeoutMs: 10_000 }),
      containerId,
    );
  }

  /** A container that ended meanwhile needs no signal; one that somebody paused hears it when it goes on. */
  async #kill(task: ContainerTask, name: string, signal: AbortSignal): Promise<void> {
    const path = `/containers/${task.handle.containerId}`;
    if (signalNumber(name) === 9) task.killed = true;
    const query = { signal: /^\d+$/.test(name) ? name : name.toUpperCase() };
    try {
      await this.#client.text('POST', `${path}/kill`, { query, signal });
      // podman leaves it paused, docker does not; of one that runs it is an error
      await this.#client.text('POST', `${path}/unpause`, { signal }).catch(() => undefined);
    } catch (error) {
      // podman has no status of its own for that
      const looked = await this.#lookOnce(task, null);
      if (!looked || (task.exit === null && !isFault(error, 'conflict'))) throw error;
    }
  }
}
