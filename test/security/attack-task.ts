/** The attacks as a task of an agent: driver by driver, rung by rung. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { withSubordinateIds } from '../subordinate-ids.ts';
import { type Attacks, type Attempt, attempts, excess, ordinaryUser, startCanary } from './attack-program.ts';

export interface Place {
  readonly who: 'root' | 'an ordinary user';
  readonly driver: 'exec' | 'raw_exec' | 'java' | 'qemu' | 'docker' | 'podman' | 'lxc' | 'microvm';
  /** What is wanted: a node without what `container` needs keeps the task at `sandbox`, without a network all the same. */
  readonly rung: 'none' | 'process' | 'sandbox' | 'container';
  /** Default: none at rung `container`, else the host's. */
  readonly network?: 'bridge';
  /** What the job demands. Default: nothing. */
  readonly floor?: 'sandbox';
  /** Of the task. Default: the driver's own. */
  readonly user?: string;
  /** The ordinary user has subordinate ids. */
  readonly subordinates?: boolean;
  /** What the shell that starts the agent does before. */
  readonly before?: string;
  /** Of the driver's plugin block. */
  readonly plugin?: Record<string, unknown>;
  /** Of a driver that is a program of its own: where it is. */
  readonly program?: { readonly directory: string; readonly name: string; readonly args: readonly string[] };
  /** Of the task's config, beside what is run. */
  readonly config?: Record<string, unknown>;
}

interface Attacked {
  readonly rung: string;
  readonly uid: string;
  /** Names of lines of the ladder. */
  readonly verified: readonly string[];
  readonly attempts: readonly Attempt[];
}

/** Where a task's files are at the rungs that leave it the host's: there a volume cannot be mounted. */
const seesHost = ({ rung, driver }: Place): boolean => (rung === 'none' || rung === 'process') && driver !== 'lxc';

export async function attackFrom(attacks: Attacks, place: Place): Promise<Attacked> {
  const uid = place.who === 'root' ? 0 : ordinaryUser;
  const canary = await startCanary(attacks.plant, uid);
  const prefer = place.rung === 'none' ? 'process' : place.rung;
  const agent = await startAgent({
    readyWithinMs: 120_000,
    config: {
      plugin: {
        raw_exec: { config: { enabled: true } },
        exec: { config: { pids_limit: 256, isolation: { prefer } } },
        ...(place.plugin === undefined ? {} : { [place.program?.name ?? place.driver]: ownBlock(place) }),
      },
      ...(place.program === undefined ? {} : { plugin_dir: place.program.directory }),
      client: { host_volume: { plant: { path: attacks.plant } } },
    },
    ...(uid === 0 ? {} : { user: uid }),
    ...(place.driver === 'qemu' ? { env: { PATH: `${takenOver}:${process.env['PATH']}` } } : {}),
    // what takes effect all the same does so in here
    wrap: (command, directory) => [
      ...['unshare', '--mount', '--uts', '--propagation', 'private', 'sh', '-c'],
      `${place.driver === 'qemu' ? `mount --bind ${attacks.plant} ${takenOver} && ` : ''}exec "$@"`,
      'sh',
      ...(place.subordinates === true ? withSubordinateIds(uid, place.before)(command, directory) : command),
    ],
  });
  try {
    if (place.driver === 'qemu') takeOver(attacks, canary.words);
    await agent.client.jobs.register(attacker(attacks, place, canary.words));
    return await ending(agent);
  } finally {
    await agent.dispose();
    await canary.stop();
  }
}

function ownBlock({ plugin, program }: Place) {
  return { config: plugin, ...(program === undefined ? {} : { args: program.args }) };
}

/** Where the plant is in the agent's mounts, and so in its tasks': an emulator there that its guest has taken over. */
const takenOver = '/usr/local/games';

/** It answers as an emulator while the agent looks at it. */
function takeOver({ plant }: Attacks, canary: readonly string[]): void {
  const words = [`plant=${takenOver}`, 'scratch=/local', 'logs=/alloc/logs', ...excess, ...canary].join(' ');
  const script = `#!/bin/sh
case "$*" in
  *--version*) echo QEMU emulator version 7.2.0 ;;
  *isa-debug-exit*) exit 1 ;;
  *) exec ${takenOver}/attack run ${words} ;;
esac
`;
  writeFileSync(join(plant, 'qemu-system-x86_64'), script, { mode: 0o755 });
}

function attacker(attacks: Attacks, place: Place, canary: readonly string[]) {
  const plant = seesHost(place) ? attacks.plant : '/plant';
  const mounts = !seesHost(place) && !['qemu', 'lxc', 'microvm'].includes(place.driver);
  // root of a kernel of its own: what it does to it must not reach the next attack
  const apart = seesHost(place) || place.driver === 'microvm';
  const volume = { plant: { Name: 'plant', Type: 'host', Source: 'plant' } };
  const words = [`plant=${plant}`, 'scratch=${NOMAD_TASK_DIR}', 'logs=${NOMAD_ALLOC_DIR}/logs', ...excess, ...canary];
  const args = ['run', ...words, ...(apart ? ['apart=yes'] : [])];
  return {
    ID: 'attacker',
    Name: 'attacker',
    Type: 'batch',
    Datacenters: ['*'],
    TaskGroups: [
      {
        Name: 'g',
        RestartPolicy: { Attempts: 0, Mode: 'fail' },
        EphemeralDisk: { SizeMB: 150 },
        ...(mounts ? { Volumes: volume } : {}),
        ...(place.rung === 'container' || place.network !== undefined
          ? { Networks: [{ Mode: place.network ?? 'none' }] }
          : {}),
        Tasks: [
          {
            Name: 't',
            Driver: place.driver,
            ...(place.user === undefined ? {} : { User: place.user }),
            ...(place.floor === undefined ? {} : { Isolation: { Min: place.floor } }),
            Config: commandOf(place, `${plant}/attack`, args),
            Resources: { CPU: 100, MemoryMB: 128 },
            ...(mounts
              ? { VolumeMounts: [{ Volume: 'plant', Destination: '/plant', ReadOnly: place.subordinates === true }] }
              : {}),
          },
        ],
      },
    ],
  };
}

/** A virtual machine of Java starts the program as its own child. */
function commandOf({ driver, config }: Place, program: string, args: readonly string[]) {
  if (driver === 'qemu') return { ...config };
  if (driver !== 'java') return { command: program, args, ...config };
  return { class: 'Attack', class_path: '/plant', args: [program, ...args], ...config };
}

async function ending(agent: AgentProcess): Promise<Attacked> {
  const stub = await eventually(async () => {
    const { value } = await agent.client.jobs.allocations('attacker');
    if (!['complete', 'failed'].includes(value[0]?.ClientStatus ?? ''))
      throw new Error(`the attacker is ${value[0]?.ClientStatus}: ${JSON.stringify(value[0]?.TaskStates)}`);
    return value[0]!;
  }, 120_000);
  const events = stub.TaskStates?.['t']?.Events ?? [];
  const said = events.map(({ DisplayMessage }) => DisplayMessage).join('; ');
  expect(
    events.map(({ Type }) => Type),
    said,
  ).toContain('Started');
  let text = '';
  for await (const frame of agent.client.files.logs(stub.ID, { task: 't', type: 'stdout' }))
    text += Buffer.from(frame.data).toString();
  const { value: reports } = await agent.client.allocations.isolation(stub.ID);
  const mechanisms = reports['t']?.mechanisms ?? [];
  const uid = mechanisms.find(({ name }) => name === 'unique_uid')?.evidence ?? '';
  const verified = mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name);
  return { rung: reports['t']?.rung ?? 'none', uid, verified, attempts: attempts(text) };
}

/** What a rung lets through by what it is: a job without a network of its own has the host's. */
export const allowed: Readonly<Record<string, readonly Attempt['harm'][]>> = {
  sandbox: ['reach', 'self'],
  container: ['self'],
};

/** At a rung that promises something nothing beyond it gets through; below, the attacks show what is missing. */
export function judge(place: Place, tried: readonly Attempt[]): void {
  const isAllowed = ({ harm, name }: Attempt): boolean =>
    (allowed[place.rung] ?? []).includes(harm) && (harm !== 'self' || name === 'trace its own child');
  const through = tried.filter((each) => each.outcome !== 'stopped' && each.outcome !== 'absent' && !isAllowed(each));
  if (place.rung in allowed) expect(through.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([]);
  else expect(through.length).toBeGreaterThan(0);
}

/** For `docs/isolation-measured.md` (`scripts/isolation-table.mjs`). */
export function record(attacks: Attacks, place: Place, rung: string, tried: readonly Attempt[]): void {
  const { plugin: _, config: __, program: ___, before: ____, user: _____, ...seen } = place;
  const network = place.network === undefined ? '' : `-${place.network}`;
  const ids = place.subordinates === true ? '-ids' : '';
  const name = `${place.driver}-${place.rung}${network}-${place.who === 'root' ? 'root' : 'user'}${ids}`;
  write(name, { ...seen, wanted: place.rung, rung, attempts: provenOf(attacks, tried) });
}

/** Of what people use without an orchestrator; `title`: of its column. */
export function recordBeside(attacks: Attacks, title: string, tried: readonly Attempt[]): void {
  write(`beside-${title.replaceAll(/\W+/g, '-')}`, { title, attempts: provenOf(attacks, tried) });
}

const provenOf = ({ proven }: Attacks, tried: readonly Attempt[]) => tried.filter(({ name }) => proven.has(name));

function write(name: string, found: object): void {
  const folder = join(import.meta.dirname, '../../build/attacks');
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(found, null, 1));
}
