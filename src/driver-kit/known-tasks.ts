import { Fault } from '../lib/fault.ts';

/** The tasks of an engine by id: an id is taken from the first moment of a start or recovery to the end of its `destroy`. */
export class KnownTasks<T> {
  readonly #tasks = new Map<string, T>();
  readonly #busy = new Set<string>();

  get(taskId: string): T | undefined {
    return this.#tasks.get(taskId);
  }

  /** Faults: `not_found`. */
  find(taskId: string): T {
    const task = this.#tasks.get(taskId);
    if (task === undefined) throw new Fault('not_found', `no task ${taskId}`);
    return task;
  }

  /** As `find`, with the fault as a rejection. */
  async with<R>(taskId: string, use: (task: T) => Promise<R> | R): Promise<R> {
    return use(this.find(taskId));
  }

  /** A start: of a task that is not known yet, nor being started. Faults: `exists`. */
  async start<R>(taskId: string, work: () => Promise<R>): Promise<R> {
    if (this.#tasks.has(taskId)) throw new Fault('exists', `task ${taskId} is already known`);
    return this.alone(taskId, work);
  }

  /** One start or recovery of a task at a time. Faults: `exists`. */
  async alone<R>(taskId: string, work: () => Promise<R>): Promise<R> {
    if (this.#busy.has(taskId)) throw new Fault('exists', `task ${taskId} is being started`);
    this.#busy.add(taskId);
    try {
      return await work();
    } finally {
      this.#busy.delete(taskId);
    }
  }

  keep(taskId: string, task: T): void {
    this.#tasks.set(taskId, task);
  }

  forget(taskId: string): void {
    this.#tasks.delete(taskId);
  }

  clear(): void {
    this.#tasks.clear();
  }

  /** True also of one that is being started. */
  holds(taskId: string): boolean {
    return this.#tasks.has(taskId) || this.#busy.has(taskId);
  }

  /** Also those that are being started. */
  ids(): readonly string[] {
    return [...new Set([...this.#tasks.keys(), ...this.#busy])];
  }

  values(): readonly T[] {
    return [...this.#tasks.values()];
  }
}
