/**
 * Run inside the guest: what attacks get of real tasks of exec there, and whether limits hold. Writes a line of JSON for each result to the
 * file it is given.
 *
 *     node inside.mjs root FILE some|all PROGRAM     as root; plants the attacks, tries their control, and calls itself for the ordinary user
 *     node inside.mjs user FILE some|all PLANT
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { IsolationReport, TaskConfig } from '../../src/driver/contract.ts';
import { openDriver } from '../../src/driver-kit/driver-plugin.ts';
import { openScratchHost, type ScratchHost } from '../../src/driver-kit/scratch-host.ts';
import { exec } from '../../src/drivers/exec/index.ts';
import { attempts, buildAttacks, excess, ordinaryUser, startCanary } from '../security/attack-program.ts';
import { type Found, type GuestPlace, type GuestRung, triedRungs } from './results.ts';

const [who, file, which, given] = process.argv.slice(2) as ['root' | 'user', string, 'some' | 'all', string];
/** With everything emulated a rung takes a minute. */
const rungsTried = triedRungs(who, which);
const allRungs: readonly GuestRung[] = who === 'root' ? ['container', 'sandbox', 'process'] : ['sandbox', 'process'];
const never = new AbortController().signal;
const mib = 1 << 20;
const none = { mode: 'none', path: '', labels: {} } as const;
const resources = { cpuShares: 200, cpusetCpus: '', memoryMb: 128, memoryMaxMb: 0, percentTicks: 0.01, ports: [] };

const tell = (found: Found): void => appendFileSync(file, `${JSON.stringify(found)}\n`);

async function check(name: string, look: () => Promise<void>): Promise<void> {
  const from = Date.now();
  const why = await look().then(
    () => '',
    (error: Error) => error.message,
  );
  tell({ kind: 'check', name: `${name}, as ${who}`, why, ms: Date.now() - from });
}

function same(found: unknown, wanted: unknown, what: string): void {
  const [a, b] = [found, wanted].map((each) => JSON.stringify(each));
  if (a !== b) throw new Error(`${what} is ${a}, not ${b}`);
}

async function until(what: string, test: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < 600; attempt++) {
    if (test()) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`it never came that ${what}`);
}

interface Running {
  readonly task: TaskConfig;
  readonly report: IsolationReport;
  readonly group: string;
  /** A file of its group. */
  read(file: string): string;
  wait(): Promise<{ exitCode: number; oomKilled: boolean }>;
}

class Inside {
  readonly host: ScratchHost;

  constructor(host: ScratchHost) {
    this.host = host;
  }

  /** Starts it, hands it over, and ends it whatever happens. */
  async with(
    rung: GuestRung,
    config: Record<string, unknown>,
    more: Partial<TaskConfig>,
    use: (task: Running) => Promise<void>,
  ): Promise<void> {
    const { host } = this;
    const driver = openDriver(exec, { pids_limit: 256, isolation: { prefer: rung } }, host.deps);
    try {
      const task = await host.task(driver, config, { network: rung === 'container' ? none : null, resources, ...more });
      const started = await driver.engine.start(task, never);
      const group = join(host.deps.isolation.cgroups.hierarchies[0]!.parent, task.id.replaceAll('/', '.'));
      try {
        await use({
          task,
          report: started.isolation!,
          group,
          read: (name) => readFileSync(join(group, name), 'utf8').trim(),
          wait: () => driver.engine.wait(task.id, never),
        });
      } finally {
        await driver.engine.destroy(task.id, { force: true }, never);
      }
      if (existsSync(group)) throw new Error('its cgroup is left');
    } finally {
      await driver.engine.close();
    }
  }

  shell(
    rung: GuestRung,
    script: string,
    use: (task: Running) => Promise<void>,
    more: Partial<TaskConfig> = {},
  ): Promise<void> {
    return this.with(rung, { command: '/bin/sh', args: ['-c', script] }, more, use);
  }

  async attack(plant: string, rung: GuestRung): Promise<void> {
    const from = Date.now();
    // of the same user as this program
    const canary = await startCanary(plant, 0);
    const place: GuestPlace = { who, rung };
    const seesHost = rung === 'process';
    const at = seesHost ? plant : '/plant';
    const words = [`plant=${at}`, `scratch=${'${NOMAD_TASK_DIR}'}`, ...excess, ...canary.words];
    const mounts = seesHost ? [] : [{ taskPath: '/plant', hostPath: plant, readOnly: false, propagation: '' as const }];
    // what the job file would have interpolated
    const config = (local: string, logs: string) => ({
      command: `${at}/attack`,
      args: [
        'run',
        ...words.map((word) => word.replace('${NOMAD_TASK_DIR}', local)),
        `logs=${logs}`,
        ...(seesHost ? ['apart=yes'] : []),
      ],
    });
    try {
      await this.with(
        rung,
        config(seesHost ? '/tmp' : '/local', seesHost ? '/tmp' : '/alloc/logs'),
        { mounts },
        async ({ task, report, wait }) => {
          await wait();
          const text = readFileSync(join(task.directories.logs, `${task.name}.stdout.0`), 'utf8');
          tell({ kind: 'attacks', place, report, attempts: attempts(text), ms: Date.now() - from });
        },
      );
    } catch (error) {
      tell({
        kind: 'check',
        name: `attacks at rung ${rung}, as ${who}`,
        why: (error as Error).message,
        ms: Date.now() - from,
      });
    } finally {
      await canary.stop();
    }
  }
}

/** Daemons with an empty environment, each in a session of its own. */
const spreading = "for i in 1 2 3; do setsid env -i sh -c 'sleep 67 & sleep 68' & done; sleep 600";

async function limits(inside: Inside): Promise<void> {
  await check('version 2 is alone here, and each controller was tried and works', async () => {
    const { probes, cgroups } = inside.host.deps.isolation;
    same(cgroups.mode, 'v2', 'the mode');
    for (const name of ['memory', 'pids', 'cpu', 'kill'].map((each) => `cgroup.${each}`))
      if (probes.get(name)?.ok !== true) throw new Error(`${name}: ${probes.get(name)?.evidence}; ${cgroups.reason}`);
  });
  for (const rung of which === 'all' ? allRungs : rungsTried)
    await check(`a task at rung ${rung} is held by its limits, and all of it ends as one`, () =>
      inside.shell(rung, spreading, async ({ read, group }) => {
        same(read('memory.max'), String(128 * mib), 'memory.max');
        same(read('memory.swap.max'), '0', 'memory.swap.max');
        same(read('pids.max'), '256', 'pids.max');
        if (!(Number(read('cpu.weight')) > 1)) throw new Error(`cpu.weight is ${read('cpu.weight')}`);
        await until('all of its processes are there', () => Number(read('pids.current')) >= 10);
        if (!existsSync(join(group, 'cgroup.kill'))) throw new Error('no cgroup.kill');
      }),
    );
  await check('memory_max is the limit, and what was reserved is kept under pressure', () =>
    inside.shell(
      'sandbox',
      'sleep 600',
      async ({ read }) =>
        same(
          [read('memory.max'), read('memory.low')],
          [96, 32].map((each) => String(each * mib)),
          'memory.max and .low',
        ),
      { resources: { ...resources, memoryMb: 32, memoryMaxMb: 96 } },
    ),
  );
  await check('what takes more memory than it may is killed, and its end says why', () =>
    inside.shell('sandbox', 'exec tail /dev/zero', async ({ wait }) => {
      const { exitCode, oomKilled } = await wait();
      same({ exitCode, oomKilled }, { exitCode: 137, oomKilled: true }, 'its end');
    }),
  );
  if (which === 'all')
    await check('a task is held to its part of a core', () =>
      inside.with(
        'sandbox',
        { command: '/bin/sh', args: ['-c', 'while :; do :; done'], cpu_hard_limit: true },
        {},
        async ({ read }) => {
          if (!/^\d+ 100000$/.test(read('cpu.max'))) throw new Error(`cpu.max is ${read('cpu.max')}`);
          await until('it was held back', () => /^nr_throttled [1-9]/m.test(read('cpu.stat')));
        },
      ),
    );
  if (who === 'root')
    await check('a task with cores of its own keeps to them', () =>
      inside.shell(
        'sandbox',
        'sleep 600',
        async ({ read }) => same(read('cpuset.cpus.effective'), '1', 'cpuset.cpus.effective'),
        {
          resources: { ...resources, cpusetCpus: '1' },
        },
      ),
    );
}

/** As systemd's `Delegate=yes` gives one. */
function asOrdinaryUser(plant: string): void {
  const subtree = '/sys/fs/cgroup/delegated';
  mkdirSync(subtree);
  for (const name of ['', 'cgroup.procs', 'cgroup.threads', 'cgroup.subtree_control'])
    chownSync(join(subtree, name), ordinaryUser, ordinaryUser);
  const own = [
    'setpriv',
    `--reuid=${ordinaryUser}`,
    `--regid=${ordinaryUser}`,
    '--clear-groups',
    process.execPath,
    process.argv[1]!,
    'user',
    file,
    which,
    plant,
  ];
  execFileSync('sh', ['-c', `echo 0 >${subtree}/cgroup.procs; exec "$@"`, 'sh', ...own], { stdio: 'inherit' });
}

const host = await openScratchHost({ isolation: true });
// an emulated machine reads every program for the first time so slowly that probes give up
const late = (): boolean =>
  [...host.deps.isolation.probes.values()].some(({ evidence }) => evidence.startsWith('no answer within'));
for (let round = 0; round < 3 && late(); round++) await host.deps.isolation.refresh();
const inside = new Inside(host);
tell({ kind: 'probes', who, probes: [...host.deps.isolation.probes.values()] });
await limits(inside);
if (who === 'root') {
  const attacks = buildAttacks((program) => {
    copyFileSync(given, program);
    chmodSync(program, 0o755);
  });
  tell({ kind: 'control', proven: [...attacks.proven] });
  for (const rung of rungsTried) await inside.attack(attacks.plant, rung);
  chmodSync(file, 0o666);
  asOrdinaryUser(attacks.plant);
} else for (const rung of rungsTried) await inside.attack(given, rung);
await check('no group is left', async () => same(await host.leftGroups(), [], 'what is left'));
await host.close();
