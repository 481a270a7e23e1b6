/** What must hold after every fault (docs/design, "supervision"). Each check throws with what it found. */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AllocationStub } from '../../src/api-client/allocations.ts';
import { Innocents, type Resources, resources } from '../../src/supervise/invariants.ts';
import type { AgentProcess } from '../agent-process.ts';
import { cgroupsBelow, type Instance, instances, mountsBelow } from '../processes.ts';

/**
 * A task that can be checked: each start writes numbered lines under a tag of its own and then notes the number it has written; it holds
 * a lock for its life, and says so where another start of the same task holds it.
 */
export const ledgerScript = `
d="$NOMAD_ALLOC_DIR/data"; tag=$(cat /proc/sys/kernel/random/uuid)
exec 9>>"$d/lock.$NOMAD_TASK_NAME"; flock -n 9 || { echo "$tag" >> "$d/double"; exit 99; }
i=0
while :; do i=$((i+1)); echo "$tag $i"; echo $i > "$d/ledger.$tag.new"; mv "$d/ledger.$tag.new" "$d/ledger.$tag"; sleep 0.02 9>&-; done`;

const terminal = new Set(['complete', 'failed', 'lost']);

export class Invariants {
  readonly #innocents = new Innocents();
  readonly #cgroupParent: string;
  readonly #statuses = new Map<string, string>();
  readonly #acknowledged = new Set<string>();
  readonly #exempt = new Set<string>();
  #index = 0;
  #before: Resources | null = null;

  constructor(cgroupParent: string) {
    this.#cgroupParent = cgroupParent;
  }

  /** Processes that look like tasks, two of them in cgroups beside those of tasks. */
  startInnocents(): void {
    const script = `while :; do sleep 1; done # ${ledgerScript.slice(0, 40)}`;
    for (let at = 0; at < 4; at++) {
      const pid = this.#innocents.start(script);
      if (at < 2) this.#intoCgroup(pid, `innocent-${at}`);
    }
  }

  #intoCgroup(pid: number, name: string): void {
    for (const parent of cgroupsBelow(this.#cgroupParent).filter((path) => path.endsWith(this.#cgroupParent))) {
      try {
        mkdirSync(join(parent, name), { recursive: true });
        writeFileSync(join(parent, name, 'cgroup.procs'), String(pid));
      } catch {
        // a hierarchy that needs settings first (cpuset)
      }
    }
  }

  endInnocents(): void {
    this.#innocents.end();
  }

  acknowledge(job: string): void {
    this.#acknowledged.add(job);
  }

  forget(job: string): void {
    this.#acknowledged.delete(job);
  }

  /** 1, by what runs now, and by what the tasks themselves noticed at any time. */
  async oneInstance(agent: AgentProcess): Promise<void> {
    // a process that ends between two looks at /proc can seem to be two: what is really twice stays so
    const ours = new Set(allocationsIn(agent));
    const twice = doubles(ours);
    if (twice.length > 0) await new Promise((resolve) => setTimeout(resolve, 200));
    const still = doubles(ours).filter((found) => twice.includes(found));
    if (still.length > 0) throw new Error(`invariant 1: running twice: ${still.join(', ')}`);
    for (const allocId of allocationsIn(agent)) {
      const double = join(agent.directory, 'data/alloc', allocId, 'alloc/data/double');
      if (existsSync(double))
        throw new Error(`invariant 1: a second instance of ${allocId} ran: ${readFileSync(double, 'utf8')}`);
    }
  }

  /** 2: no end has an invented code. */
  truthfulEnds(rows: readonly AllocationStub[]): void {
    for (const row of rows)
      for (const event of Object.values(row.TaskStates ?? {}).flatMap((state) => state.Events ?? [])) {
        if (event.Type !== 'Terminated') continue;
        const known = /^Exit Code: \d+/.test(event.DisplayMessage) && event.Details?.['exit_code'] !== undefined;
        const unknown =
          /^Exit unknown: [a-z-]+/.test(event.DisplayMessage) && event.Details?.['exit_code'] === undefined;
        if (!known && !unknown) throw new Error(`invariant 2: ${row.ID} ended as ${JSON.stringify(event)}`);
      }
  }

  /** 3: of an allocation that was stopped and collected nothing is there. */
  nothingLeft(agent: AgentProcess, allocId: string): void {
    const left = [
      ...instances()
        .filter((one) => one.allocId === allocId)
        .map((one) => `process ${one.pid}`),
      ...cgroupsBelow(this.#cgroupParent)
        .filter((path) => path.includes(allocId))
        .map((path) => `cgroup ${path}`),
      ...mountsBelow(agent.directory)
        .filter((path) => path.includes(allocId))
        .map((path) => `mount ${path}`),
      ...filesNamed(agent.directory, allocId).map((path) => `file ${path}`),
    ];
    if (left.length > 0) throw new Error(`invariant 3: of ${allocId} is left: ${left.join(', ')}`);
  }

  /** 4 */
  innocentsUntouched(): void {
    this.#innocents.check();
  }

  exemptNewestStart(agent: AgentProcess, allocId: string): void {
    const folder = join(agent.directory, 'data/alloc', allocId, 'alloc/data');
    const times = [...ledgers(folder).keys()].map(
      (tag) => [statSync(join(folder, `ledger.${tag}`)).mtimeMs, tag] as const,
    );
    const newest = times.sort(([a], [b]) => b - a)[0];
    if (newest !== undefined) this.#exempt.add(newest[1]);
  }

  /** 5: what each start wrote is stored, whole and in order; between starts nothing is mixed. */
  logsComplete(agent: AgentProcess, allocId: string): void {
    const folder = join(agent.directory, 'data/alloc', allocId, 'alloc');
    const written = ledgers(join(folder, 'data'));
    const stored = new Map<string, number>();
    for (const line of storedLines(join(folder, 'logs'))) {
      const [tag = '', number = ''] = line.split(' ');
      const next = (stored.get(tag) ?? 0) + 1;
      if (Number(number) !== next)
        throw new Error(`invariant 5: ${allocId}: line ${next} of ${tag} is missing, found "${line}"`);
      stored.set(tag, next);
    }
    if (written.size === 0) throw new Error(`${allocId} has written nothing: nothing was checked`);
    for (const [tag, number] of written) {
      if (!this.#exempt.has(tag) && (stored.get(tag) ?? 0) < number)
        throw new Error(`invariant 5: ${allocId}: ${tag} wrote ${number} lines, stored are ${stored.get(tag) ?? 0}`);
    }
  }

  /** 6 */
  async acknowledgedIsThere(agent: AgentProcess): Promise<void> {
    const { value, index } = await agent.client.jobs.list();
    const there = new Set(value.map((job) => job.ID));
    for (const job of this.#acknowledged)
      if (!there.has(job)) throw new Error(`invariant 6: the acknowledged job ${job} is gone`);
    this.#monotone(index);
  }

  /** 7 */
  #monotone(index: number): void {
    if (index < this.#index) throw new Error(`invariant 7: the index went back from ${this.#index} to ${index}`);
    this.#index = index;
  }

  /** 7: a terminal status is for ever. */
  statesGoForward(rows: readonly AllocationStub[]): void {
    for (const { ID, ClientStatus } of rows) {
      const before = this.#statuses.get(ID) ?? 'pending';
      if (terminal.has(before) && before !== ClientStatus)
        throw new Error(`invariant 7: ${ID} went from ${before} to ${ClientStatus}`);
      this.#statuses.set(ID, ClientStatus);
    }
  }

  /** 9: of the agent, started anew or not; the first look sets the measure. (1,000 cycles of one agent: cycles.test.ts.) */
  backToBaseline({ pid }: AgentProcess): void {
    const now = resources(pid);
    this.#before ??= now;
    const { descriptors, threads, memoryMb } = this.#before;
    if (now.descriptors > descriptors + 20 || now.threads > threads + 4 || now.memoryMb > memoryMb * 1.5 + 60)
      throw new Error(`invariant 9: ${JSON.stringify(this.#before)} became ${JSON.stringify(now)}`);
  }
}

/** `<allocation>/<task>: pid, pid` of what runs more than once. Other agents on this host may run commands inside their tasks: not ours. */
function doubles(ours: ReadonlySet<string>): readonly string[] {
  const byTask = new Map<string, Instance[]>();
  for (const one of instances().filter(({ allocId }) => ours.has(allocId))) {
    const key = `${one.allocId}/${one.task}`;
    byTask.set(key, [...(byTask.get(key) ?? []), one]);
  }
  return [...byTask]
    .filter(([, all]) => all.length > 1)
    .map(([key, all]) => `${key}: ${all.map(({ pid }) => pid).join(', ')}`);
}

function allocationsIn(agent: AgentProcess): readonly string[] {
  const folder = join(agent.directory, 'data/alloc');
  return existsSync(folder) ? readdirSync(folder).filter((name) => name.includes('-')) : [];
}

function ledgers(folder: string): ReadonlyMap<string, number> {
  const names = readdirSync(folder).filter((name) => /^ledger\.[0-9a-f-]{36}$/.test(name));
  return new Map(names.map((name) => [name.slice('ledger.'.length), Number(readFileSync(join(folder, name), 'utf8'))]));
}

function storedLines(folder: string): readonly string[] {
  const files = readdirSync(folder)
    .filter((name) => /^t\.stdout\.\d+$/.test(name))
    .sort((a, b) => Number(a.split('.').at(-1)) - Number(b.split('.').at(-1)));
  const text = files.map((name) => readFileSync(join(folder, name), 'utf8')).join('');
  // the last line may be on its way
  return text
    .slice(0, text.lastIndexOf('\n') + 1)
    .split('\n')
    .filter(Boolean);
}

function filesNamed(directory: string, allocId: string): readonly string[] {
  const folders = ['data/alloc', 'data/client/tasks', 'data/client/uids'].map((name) => join(directory, name));
  return folders
    .filter((folder) => existsSync(folder))
    .flatMap((folder) =>
      readdirSync(folder)
        .filter((name) => name.includes(allocId))
        .map((name) => join(folder, name)),
    );
}
