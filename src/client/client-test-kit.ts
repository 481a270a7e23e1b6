/** For tests of the client: servers that keep what they are told, a machine whose tasks outlive driver and agent, jobs in a line. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { appendFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type {
  EngineDriver,
  Fingerprint,
  StartedTask,
  TaskConfig,
  TaskExit,
  TaskHandleState,
} from '../driver/contract.ts';
import { abortable } from '../lib/abortable.ts';
import { Fault } from '../lib/fault.ts';
import { createLog, formatLogLine } from '../lib/log.ts';
import type { Allocation } from '../model/allocation.ts';
import { canonicalJob } from '../model/canonical.ts';
import type { Job } from '../model/job.ts';
import type { Node } from '../model/node.ts';
import type { Input } from '../model/schema.ts';
import type { Task } from '../model/task.ts';
import { FakeDisk, fakeJournal } from '../state/fake-journal.ts';
import { lmdbJournal } from '../state/lmdb-journal.ts';
import { openStore } from '../state/open-store.ts';
import { removeAllocationDirectory } from './alloc-dir.ts';
import { type Client, createClient } from './client.ts';
import { type ClientStore, clientTables } from './client-tables.ts';
import { type ClientConfig, clientDefaults } from './config.ts';
import type { DriverProgram } from './driver-programs.ts';
import type { AllocationUpdate, AllocationWatch, NodeCredentials, ServerConnection } from './server-connection.ts';

interface Running {
  readonly config: TaskConfig;
  readonly instance: number;
  exit: TaskExit | null;
  readonly signals: string[];
  readonly ended: Promise<TaskExit>;
  readonly end: (exit: TaskExit) => void;
}

export function exit(exitCode: number, signal = 0): TaskExit {
  return { exitCode, signal, oomKilled: false };
}

/** The processes: they stay when the agent goes. `starts` counts instances per allocation and task. */
class Machine {
  readonly tasks = new Map<string, Running>();
  readonly starts: string[] = [];
  /** What its driver was told, in order: `expect`, `start` and `destroy` of tasks by name. */
  readonly told: string[] = [];
  refuseStart: Fault | null = null;
  /** Waited for in each start. */
  hold: Promise<void> = Promise.resolve();
  /** Waited for by each start once its task runs. */
  answer: Promise<void> = Promise.resolve();
  /** The driver can tell of a start whose answer nobody heard. */
  recalls = false;
  /** By allocation; null: its driver makes none. */
  networks: Set<string> | null = null;
  /** Waited for before a network goes. */
  holdNetwork: Promise<void> = Promise.resolve();
  /** How tasks take a stop; default: end at once by signal 2. */
  onStop: (task: Running, timeoutMs: number) => void = (task) => task.end(exit(130, 2));

  live(): readonly Running[] {
    return [...this.tasks.values()].filter((task) => task.exit === null);
  }

  find(task: string): Running {
    const found = [...this.tasks.values()].filter((running) => running.config.name === task && running.exit === null);
    if (found.length !== 1) throw new Error(`${found.length} live instances of ${task}`);
    return found[0]!;
  }
}

/** A driver over the machine; a new one (as after a restart) knows only what it is told to recover. */
class MachineDriver implements EngineDriver {
  readonly info = {
    name: 'machine',
    version: '1.0.0',
    filesystem: 'none',
    networkModes: ['host'] as EngineDriver['info']['networkModes'],
    mounts: true,
  } as const;
  readonly #machine: Machine;
  readonly #known = new Set<string>();
  readonly createNetwork?: NonNullable<EngineDriver['createNetwork']>;
  readonly destroyNetwork?: NonNullable<EngineDriver['destroyNetwork']>;

  constructor(machine: Machine) {
    this.#machine = machine;
    const { networks } = machine;
    if (networks === null) return;
    this.info = { ...this.info, networkModes: ['host', 'group', 'none'] };
    this.createNetwork = async (allocId) => {
      const created = !networks.has(allocId);
      networks.add(allocId);
      return { created, network: { mode: 'group', path: `/run/${allocId}`, labels: {} } };
    };
    this.destroyNetwork = async (allocId) => {
      await machine.holdNetwork;
      networks.delete(allocId);
    };
  }

  async *fingerprint(): AsyncIterable<Fingerprint> {
    yield { health: 'healthy', description: 'Healthy', attributes: { 'driver.machine': 'true' } };
  }

  expect(config: TaskConfig): void {
    this.#machine.told.push(`expect ${config.name}`);
  }

  async start(config: TaskConfig): Promise<StartedTask> {
    this.#machine.told.push(`start ${config.name}`);
    await this.#machine.hold;
    if (this.#machine.refuseStart !== null) throw this.#machine.refuseStart;
    const alive = this.#machine
      .live()
      .find((task) => task.config.allocId === config.allocId && task.config.name === config.name);
    if (alive !== undefined) throw new Error(`two instances of ${config.name}`);
    let end: (value: TaskExit) => void = () => undefined;
    const ended = new Promise<TaskExit>((resolve) => {
      end = resolve;
    });
    const running: Running = {
      config,
      instance: this.#machine.starts.push(`${config.allocId}/${config.name}`),
      exit: null,
      signals: [],
      ended,
      end(value) {
        running.exit ??= value;
        end(running.exit);
      },
    };
    this.#machine.tasks.set(config.id, running);
    this.#known.add(config.id);
    if (!config.log.disabled)
      await appendFile(join(config.directories.logs, `${config.name}.stdout.0`), `${config.name} runs\n`);
    await this.#machine.answer;
    return { state: { version: 1, id: config.id } };
  }

  async recoverStart(config: TaskConfig): Promise<StartedTask | null> {
    if (!this.#machine.recalls || !this.#machine.tasks.has(config.id)) return null;
    this.#known.add(config.id);
    return { state: { version: 1, id: config.id } };
  }

  async recover(config: TaskConfig, state: TaskHandleState): Promise<StartedTask> {
    if (!this.#machine.tasks.has(config.id)) throw new Fault('not_found', 'gone');
    this.#known.add(config.id);
    return { state };
  }

  #running(id: string): Running {
    const running = this.#machine.tasks.get(id);
    if (running === undefined || !this.#known.has(id)) throw new Fault('not_found', `no task ${id}`);
    return running;
  }

  async wait(id: string, signal: AbortSignal): Promise<TaskExit> {
    return abortable(this.#running(id).ended, signal);
  }

  async stop(id: string, options: { readonly timeoutMs: number }): Promise<void> {
    const running = this.#running(id);
    this.#machine.onStop(running, options.timeoutMs);
    await running.ended;
  }

  async destroy(id: string, options: { readonly force: boolean }): Promise<void> {
    this.#machine.told.push(`destroy ${id.split('/')[1]}`);
    const running = this.#machine.tasks.get(id);
    if (running === undefined) throw new Fault('not_found', `no task ${id}`);
    if (running.exit === null && !options.force) throw new Fault('conflict', 'it runs');
    running.end(exit(137, 9));
    this.#machine.tasks.delete(id);
    this.#known.delete(id);
  }

  async inspect(): Promise<never> {
    throw new Fault('unsupported', 'not asked for here');
  }

  async signal(id: string, name: string): Promise<void> {
    this.#running(id).signals.push(name);
  }

  async close(): Promise<void> {}
}

/** Servers in a few lines: rows, an index, the reports in the order they came. */
export class TestServer implements ServerConnection {
  readonly allocations = new Map<string, Allocation>();
  readonly history: AllocationUpdate[] = [];
  readonly nodes = new Map<string, Node>();
  index = 10;
  /** Refuses every call while set. */
  down = false;
  #wake: (() => void)[] = [];

  change(edit: () => void): void {
    this.index++;
    edit();
    for (const wake of this.#wake.splice(0)) wake();
  }

  put(alloc: Allocation): void {
    this.change(() =>
      this.allocations.set(alloc.ID, { ...alloc, AllocModifyIndex: this.index, ModifyIndex: this.index }),
    );
  }

  edit(id: string, fields: Partial<Allocation>): void {
    this.put({ ...this.allocations.get(id)!, ...fields });
  }

  #answer(): void {
    if (this.down) throw new Fault('unavailable', 'the servers are away');
  }

  async register(node: Node): Promise<{ index: number; heartbeatTtlMs: number }> {
    this.#answer();
    this.nodes.set(node.ID, node);
    return { index: this.index, heartbeatTtlMs: 10_000 };
  }

  async heartbeat(who: NodeCredentials): Promise<{ heartbeatTtlMs: number }> {
    this.#answer();
    if (!this.nodes.has(who.nodeId)) throw new Fault('not_found', 'node not found');
    return { heartbeatTtlMs: 10_000 };
  }

  async watchAllocations(_: NodeCredentials, index: number, signal: AbortSignal): Promise<AllocationWatch> {
    this.#answer();
    while (this.index <= index && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve);
        signal.addEventListener('abort', () => resolve(), { once: true });
      });
    }
    this.#answer();
    const rows = [...this.allocations.values()].map((alloc) => [alloc.ID, alloc.AllocModifyIndex] as const);
    return { index: this.index, allocations: Object.fromEntries(rows) };
  }

  async readAllocations(_: NodeCredentials, ids: readonly string[]): Promise<readonly Allocation[]> {
    this.#answer();
    return ids.flatMap((id) => this.allocations.get(id) ?? []);
  }

  async updateAllocations(_: NodeCredentials, updates: readonly AllocationUpdate[]): Promise<void> {
    this.#answer();
    for (const update of updates) {
      this.history.push(update);
      const row = this.allocations.get(update.ID);
      if (row !== undefined) this.allocations.set(update.ID, { ...row, ...update });
    }
  }

  async readJob(): Promise<Job | null> {
    return null;
  }

  last(id: string): AllocationUpdate | undefined {
    return this.history.findLast((update) => update.ID === id);
  }
}

export type TestTask = Input<Task> & { readonly Name: string };

/** A job with one group `g`; tasks run on the machine. */
export function testJob(id: string, tasks: readonly TestTask[], more: { type?: string; group?: object } = {}): Job {
  const full = tasks.map((task) => ({ Driver: 'machine', ...task }));
  const input = {
    ID: id,
    Name: id,
    Type: more.type ?? 'batch',
    Datacenters: ['dc1'],
    TaskGroups: [{ Name: 'g', Tasks: full, ...more.group }],
  };
  return canonicalJob(input as Input<Job>, { namespace: 'default', region: 'global' });
}

let counter = 0;

export function testAllocation(job: Job, fields: Partial<Allocation> = {}): Allocation {
  const id = `aaaaaaaa-0000-4000-8000-${String(++counter).padStart(12, '0')}`;
  return {
    ID: id,
    Namespace: job.Namespace,
    Name: `${job.ID}.g[0]`,
    NodeID: 'node',
    JobID: job.ID,
    Job: job,
    TaskGroup: 'g',
    DesiredStatus: 'run',
    DesiredDescription: '',
    DesiredTransition: {
      Migrate: null,
      Reschedule: null,
      ForceReschedule: null,
      NoShutdownDelay: null,
      MigrateDisablePlacement: null,
    },
    ClientStatus: 'pending',
    PreviousAllocation: '',
    DeploymentID: '',
    DeploymentStatus: null,
    AllocatedResources: { Tasks: {}, Shared: { DiskMB: 10, Networks: null, Ports: null }, TaskLifecycles: null },
    ...fields,
  } as Allocation;
}

/** A node that can be crashed and begun again over the same disk, machine and servers. */
export class TestNode {
  readonly allocDir = mkdtempSync(join(tmpdir(), 'drover-client-'));
  readonly disk = new FakeDisk();
  readonly machine = new Machine();
  readonly server = new TestServer();
  readonly logged: string[] = [];
  /** Where the state is kept in a real file; `""`: in the fake journal. */
  lmdbDirectory = '';
  #store: ClientStore | null = null;
  failDisk: () => 'no' | 'lost' | 'unsure' = () => 'no';
  now = (): number => Date.now();
  #client: Client | null = null;

  get client(): Client {
    if (this.#client === null) throw new Error('not started');
    return this.#client;
  }

  async start(config: Partial<ClientConfig> = {}, server: ServerConnection = this.server): Promise<void> {
    const journal =
      this.lmdbDirectory === ''
        ? fakeJournal({ disk: this.disk, fail: () => this.failDisk() })
        : lmdbJournal({ directory: this.lmdbDirectory });
    const { store } = await openStore({ tables: clientTables, journal, freeze: true });
    this.#store = store;
    const log = createLog('client', (entry) => this.logged.push(formatLogLine(entry)), Date.now);
    this.#client = await createClient({
      config: {
        ...clientDefaults,
        name: 'node1',
        allocDir: this.allocDir,
        httpAddress: '127.0.0.1:4646',
        version: '0',
        ...config,
      },
      store,
      drivers: new Map([
        ['machine', { engine: new MachineDriver(this.machine), decodeConfig: (value) => ({ ok: true, value }) }],
      ]),
      plugins: { list: () => [ownProgram('machine'), ownProgram('other')], reload: async () => [] },
      server,
      log,
      now: () => this.now(),
      random: () => 0.5,
      newId: () => crypto.randomUUID(),
    });
  }

  /** The agent goes; the disk has what it had. */
  async crash(): Promise<void> {
    const client = this.client;
    this.#client = null;
    await client.stop();
    await this.#store?.close();
  }

  async end(): Promise<void> {
    await this.#client?.stop({ endTasks: true });
    await this.#store?.close();
    for (const name of readdirSync(this.allocDir)) await removeAllocationDirectory(this.allocDir, name);
    rmSync(this.allocDir, { recursive: true, force: true });
  }
}

/** Waits for something to become true. */
export async function until(what: () => boolean, limitMs = 5_000): Promise<void> {
  for (const end = Date.now() + limitMs; !what(); ) {
    if (Date.now() > end) throw new Error(`not within ${limitMs} ms: ${what.toString()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

export function eventTypes(update: AllocationUpdate | undefined, task: string): readonly string[] {
  return (update?.TaskStates[task]?.Events ?? []).map((event) => event.Type);
}

const ownProgram = (driver: string): DriverProgram => ({
  File: '',
  Driver: driver,
  Version: '0',
  Command: '',
  Checksum: '',
  Pid: 1,
  Problem: '',
  Tasks: 0,
});
