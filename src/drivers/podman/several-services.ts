/** Several services of podman behind one driver: a task names its own by `socket`, and stays with it. */
import type {
  DriverEvent,
  EngineDriver,
  ExecRequest,
  Fingerprint,
  StartedTask,
  TaskConfig,
  TaskHandleState,
} from '../../driver/contract.ts';
import { AsyncQueue } from '../../driver-kit/async-queue.ts';
import { refusalsOf } from '../../driver-kit/rehearsal.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import type { TaskOptions } from './options.ts';

/** The one of tasks that name none. */
export const usualService = 'default';

export class SeveralServices implements EngineDriver {
  readonly info: EngineDriver['info'];
  readonly #services: ReadonlyMap<string, EngineDriver>;
  readonly #ofTask = new Map<string, EngineDriver>();

  /** `services`: by name, one at least. */
  constructor(services: ReadonlyMap<string, EngineDriver>) {
    this.#services = services;
    this.info = [...services.values()][0]!.info;
  }

  async *fingerprint(signal: AbortSignal): AsyncIterable<Fingerprint> {
    const changes = new AsyncQueue<readonly [string, Fingerprint]>();
    signal.addEventListener('abort', () => changes.end(), { once: true });
    for (const [name, engine] of this.#services) void forward(name, engine.fingerprint(signal), changes);
    const last = new Map<string, Fingerprint>();
    for await (const [name, report] of changes) {
      last.set(name, report);
      if (last.size === this.#services.size) yield together(last);
    }
  }

  async rehearse(task: TaskConfig, signal: AbortSignal): Promise<readonly string[]> {
    const wrong = await refusalsOf(signal, async () => this.#named(task));
    return wrong.length > 0 ? wrong : this.#named(task).rehearse!(task, signal);
  }

  async start(task: TaskConfig, signal: AbortSignal): Promise<StartedTask> {
    const engine = this.#named(task);
    const started = await engine.start(task, signal);
    this.#ofTask.set(task.id, engine);
    return started;
  }

  async recover(task: TaskConfig, state: TaskHandleState, signal: AbortSignal): Promise<StartedTask> {
    const engine = this.#named(task);
    const found = await engine.recover(task, state, signal);
    this.#ofTask.set(task.id, engine);
    return found;
  }

  /** A start whose state never reached the client may be with any of them. */
  async destroy(taskId: string, options: { readonly force: boolean }, signal: AbortSignal): Promise<void> {
    const known = this.#ofTask.get(taskId);
    let missing: unknown = null;
    for (const engine of known === undefined ? this.#services.values() : [known])
      try {
        await engine.destroy(taskId, options, signal);
        this.#ofTask.delete(taskId);
        return;
      } catch (error) {
        if (!isFault(error, 'not_found')) throw error;
        missing = error;
      }
    throw missing;
  }

  wait = async (taskId: string, signal: AbortSignal) => this.#of(taskId).wait(taskId, signal);
  inspect = async (taskId: string, signal: AbortSignal) => this.#of(taskId).inspect(taskId, signal);
  stats = async (taskId: string, signal: AbortSignal) => this.#of(taskId).stats!(taskId, signal);
  isolation = async (taskId: string, signal: AbortSignal) => this.#of(taskId).isolation!(taskId, signal);
  signal = async (taskId: string, name: string, signal: AbortSignal) => this.#of(taskId).signal!(taskId, name, signal);
  exec = async (taskId: string, request: ExecRequest, signal: AbortSignal) =>
    this.#of(taskId).exec!(taskId, request, signal);
  stop = async (taskId: string, options: Parameters<EngineDriver['stop']>[1], signal: AbortSignal) =>
    this.#of(taskId).stop(taskId, options, signal);

  async *events(signal: AbortSignal): AsyncIterable<DriverEvent> {
    const all = new AsyncQueue<readonly [string, DriverEvent]>();
    signal.addEventListener('abort', () => all.end(), { once: true });
    for (const [name, engine] of this.#services) void forward(name, engine.events!(signal), all);
    for await (const [, event] of all) yield event;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#services.values()].map((each) => each.close()));
    this.#ofTask.clear();
  }

  #named(task: TaskConfig): EngineDriver {
    const { socket } = task.config as TaskOptions;
    const found = this.#services.get(socket || usualService);
    if (found !== undefined) return found;
    const names = [...this.#services.keys()].map((each) => JSON.stringify(each)).join(', ');
    throw new Fault('invalid', `socket ${JSON.stringify(socket || usualService)} is none of this node's: ${names}`);
  }

  #of(taskId: string): EngineDriver {
    const found = this.#ofTask.get(taskId);
    if (found === undefined) throw new Fault('not_found', `no task ${taskId}`);
    return found;
  }
}

async function forward<T>(name: string, from: AsyncIterable<T>, to: AsyncQueue<readonly [string, T]>): Promise<void> {
  try {
    for await (const each of from) to.push([name, each]);
  } catch (error) {
    to.end(error);
  }
}

/** Undetected where none answers; unhealthy where some do not, for a task of theirs would wait. */
function together(reports: ReadonlyMap<string, Fingerprint>): Fingerprint {
  const bad = [...reports].filter(([, { health }]) => health !== 'healthy');
  const attributes = Object.assign({}, ...[...reports].map(([name, report]) => named(name, report.attributes)));
  if (bad.length === 0) return { health: 'healthy', description: 'Healthy', attributes };
  const told = bad.map(([name, { description }]) => (reports.size === 1 ? description : `${name}: ${description}`));
  const none = bad.every(([, { health }]) => health === 'undetected') && bad.length === reports.size;
  return { health: none ? 'undetected' : 'unhealthy', description: told.join('; '), attributes };
}

/** `driver.podman.version` → `driver.podman.<name>.version`; of the usual one as it is. */
function named(service: string, attributes: Fingerprint['attributes']): Fingerprint['attributes'] {
  if (service === usualService) return attributes;
  const own = service.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return Object.fromEntries(
    Object.entries(attributes).map(([name, value]) => [
      name.replace(/^driver\.podman\./, `driver.podman.${own}.`),
      value,
    ]),
  );
}
