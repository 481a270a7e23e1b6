/**
 * Tries everything in `attacks/` from inside a task, driver by driver and rung by rung, under an agent of root and under one of an ordinary
 * user. Control: the same attacks where nothing protects.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import {
  type Attacks,
  type Attempt,
  attempts,
  buildAttacks,
  excess,
  ordinaryUser,
  startCanary,
} from './attack-program.ts';

const root = process.getuid?.() === 0;
let attacks: Attacks;
beforeAll(() => {
  if (root) attacks = buildAttacks();
});
afterAll(() => attacks?.remove());

interface Place {
  readonly who: 'root' | 'an ordinary user';
  readonly driver: 'exec' | 'raw_exec';
  /** What is wanted: a node without what `container` needs keeps the task at `sandbox`, without a network all the same. */
  readonly rung: 'none' | 'process' | 'sandbox' | 'container';
}

/** Where a task's files are at the rungs that leave it the host's: there a volume cannot be mounted. */
const seesHost = ({ rung }: Place): boolean => rung === 'none' || rung === 'process';

async function attackFrom(place: Place): Promise<{ readonly rung: string; readonly attempts: readonly Attempt[] }> {
  const uid = place.who === 'root' ? 0 : ordinaryUser;
  const canary = await startCanary(attacks.plant, uid);
  const prefer = place.rung === 'none' ? 'process' : place.rung;
  const agent = await startAgent({
    config: {
      plugin: {
        raw_exec: { config: { enabled: true } },
        exec: { config: { pids_limit: 256, isolation: { prefer } } },
      },
      client: { host_volume: { plant: { path: attacks.plant } } },
    },
    ...(uid === 0 ? {} : { user: uid }),
    // what takes effect all the same does so in here
    wrap: (command) => ['unshare', '--mount', '--uts', '--propagation', 'private', '--', ...command],
  });
  try {
    await agent.client.jobs.register(attacker(place, canary.words));
    return await ending(agent);
  } finally {
    await agent.dispose();
    await canary.stop();
  }
}

function attacker(place: Place, canary: readonly string[]) {
  const plant = seesHost(place) ? attacks.plant : '/plant';
  const volume = { plant: { Name: 'plant', Type: 'host', Source: 'plant' } };
  const words = [`plant=${plant}`, 'scratch=${NOMAD_TASK_DIR}', 'logs=${NOMAD_ALLOC_DIR}/logs', ...excess, ...canary];
  const args = ['run', ...words, ...(seesHost(place) ? ['apart=yes'] : [])];
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
        ...(seesHost(place) ? {} : { Volumes: volume }),
        ...(place.rung === 'container' ? { Networks: [{ Mode: 'none' }] } : {}),
        Tasks: [
          {
            Name: 't',
            Driver: place.driver,
            Config: { command: `${plant}/attack`, args },
            Resources: { CPU: 100, MemoryMB: 128 },
            ...(seesHost(place) ? {} : { VolumeMounts: [{ Volume: 'plant', Destination: '/plant' }] }),
          },
        ],
      },
    ],
  };
}

async function ending(agent: AgentProcess) {
  const stub = await eventually(async () => {
    const { value } = await agent.client.jobs.allocations('attacker');
    if (!['complete', 'failed'].includes(value[0]?.ClientStatus ?? ''))
      throw new Error(`the attacker is ${value[0]?.ClientStatus}: ${JSON.stringify(value[0]?.TaskStates)}`);
    return value[0]!;
  }, 60_000);
  const events = stub.TaskStates?.['t']?.Events ?? [];
  expect(events.map(({ Type }) => Type)).toContain('Started');
  let text = '';
  for await (const frame of agent.client.files.logs(stub.ID, { task: 't', type: 'stdout' }))
    text += Buffer.from(frame.data).toString();
  const { value: reports } = await agent.client.allocations.isolation(stub.ID);
  return { rung: reports['t']?.rung ?? 'none', attempts: attempts(text) };
}

/** What a rung lets through by what it is: a job without a network of its own has the host's. */
const allowed: Readonly<Record<string, readonly Attempt['harm'][]>> = {
  sandbox: ['reach', 'self'],
  container: ['self'],
};

describe('where nothing protects', () => {
  it.skipIf(!root)('at least 120 attacks take effect', () => {
    for (const each of attacks.unproven) console.info(`not shown to take effect here: ${each.name} (${each.error})`);
    expect(attacks.proven.size).toBeGreaterThanOrEqual(120);
  });
});

const places: readonly Place[] = (['root', 'an ordinary user'] as const).flatMap((who) => [
  { who, driver: 'exec', rung: 'sandbox' },
  { who, driver: 'exec', rung: 'container' },
  { who, driver: 'exec', rung: 'process' },
  { who, driver: 'raw_exec', rung: 'none' },
]);

describe.each(places)('a task of $driver at rung $rung under an agent of $who', (place) => {
  it.skipIf(!root)(
    place.rung in allowed ? 'gets nothing that its rung does not allow' : 'is tried for comparison',
    async () => {
      const { attempts: tried, rung } = await attackFrom(place);
      record(place, rung, tried);
      if (place.who === 'root' && place.rung in allowed) expect(rung).toBe(place.rung);
      const through = tried.filter(
        ({ outcome, harm }) =>
          outcome !== 'stopped' && outcome !== 'absent' && !(allowed[place.rung] ?? []).includes(harm),
      );
      if (place.rung in allowed) expect(through.map(({ name, outcome }) => `${name}: ${outcome}`)).toEqual([]);
      else expect(through.length).toBeGreaterThan(0);
    },
  );
});

/** For `docs/isolation-measured.md` (`scripts/isolation-table.mjs`). */
function record(place: Place, rung: string, tried: readonly Attempt[]): void {
  const folder = join(import.meta.dirname, '../../build/attacks');
  mkdirSync(folder, { recursive: true });
  const proven = tried.filter(({ name }) => attacks.proven.has(name));
  const name = `${place.driver}-${place.rung}-${place.who === 'root' ? 'root' : 'user'}.json`;
  writeFileSync(join(folder, name), JSON.stringify({ ...place, wanted: place.rung, rung, attempts: proven }, null, 1));
}
