/**
 * Tries everything in `attacks/` from inside a task, driver by driver and rung by rung, under an agent of root and under one of an ordinary
 * user. Control: the same attacks where nothing protects.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  lackingForDaemon,
  lackingForPodman,
  ScratchDaemon,
  type ScratchEngine,
  scratchImage,
} from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { drover } from '../agent-process.ts';
import { noSystemd, type SystemdMachine, startSystemd } from '../e2e/systemd-machine.ts';
import { type Attacks, attempts, buildAttacks, excess, ordinaryUser, startCanary } from './attack-program.ts';
import { allowed, attackFrom, judge, type Place, record, recordBeside } from './attack-task.ts';

const root = process.getuid?.() === 0;
let attacks: Attacks;
beforeAll(() => {
  if (root) attacks = buildAttacks();
});
afterAll(() => attacks?.remove());

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
      const { attempts: tried, rung } = await attackFrom(attacks, place);
      record(attacks, place, rung, tried);
      if (place.who === 'root' && place.rung in allowed) expect(rung).toBe(place.rung);
      judge(place, tried);
    },
  );
});

const java = root && ['/usr/bin/java', '/usr/bin/ecj'].every((path) => existsSync(path));

describe.skipIf(!java)('a task of java', () => {
  beforeAll(() => {
    const source = join(attacks.plant, 'Attack.java');
    writeFileSync(
      source,
      'public class Attack { public static void main(String[] a) throws Exception { System.exit(new ProcessBuilder(a).inheritIO().start().waitFor()); } }',
    );
    execFileSync('ecj', ['-17', '-proc:none', '-nowarn', '-d', attacks.plant, source]);
  });

  it('gets nothing that its rung does not allow', async () => {
    const place = {
      who: 'root',
      driver: 'java',
      rung: 'sandbox',
      plugin: { pids_limit: 256 },
      config: { jvm_options: ['-Xmx64m'] },
    } as const;
    const { attempts: tried, rung } = await attackFrom(attacks, place);
    record(attacks, place, rung, tried);
    expect(rung).toBe('sandbox');
    // the virtual machine that started the program is of the same task
    judge(
      place,
      tried.filter(({ name }) => name !== "see other programs' processes"),
    );
  });
});

const engines: readonly { readonly driver: ScratchEngine; readonly lacking: readonly string[] }[] = [
  { driver: 'docker', lacking: lackingForDaemon },
  { driver: 'podman', lacking: lackingForPodman },
];

describe.each(engines)('a task of $driver', ({ driver, lacking }) => {
  let daemon: ScratchDaemon;
  const possible = root && lacking.length === 0;
  beforeAll(async () => {
    if (possible) daemon = await ScratchDaemon.open({ engine: driver });
  });
  afterAll(() => daemon?.close());

  const plugin = () => (driver === 'docker' ? { endpoint: daemon.endpoint } : { socket_path: daemon.endpoint });
  // podman wants limits that its runtime may set here
  const config =
    driver === 'docker'
      ? { image: scratchImage }
      : { image: `localhost/${scratchImage}`, ulimit: [{ nofile: '1024:1024', nproc: '1024:1024' }] };

  // what a job gets that asks for nothing is the engine's own default; its report must not promise more than that
  it.skipIf(!possible)('gets nothing that the rung of its report does not allow', async () => {
    const place = { who: 'root', driver, rung: 'container', plugin: plugin(), config } as const;
    const { attempts: tried, rung } = await attackFrom(attacks, place);
    record(attacks, place, rung, tried);
    judge({ ...place, rung: rung as Place['rung'] }, tried);
  });

  it.skipIf(!possible)(
    'that its job holds at sandbox gets nothing that sandbox does not allow',
    { timeout: 300_000 },
    async () => {
      const strict = { user: '65534', config: { ...config, cap_drop: ['all'], pids_limit: 256 } };
      const place = { who: 'root', driver, rung: 'sandbox', floor: 'sandbox', plugin: plugin(), ...strict } as const;
      const { attempts: tried, rung } = await attackFrom(attacks, place);
      record(attacks, place, rung, tried);
      expect(rung).toBe('sandbox');
      // docker opens low ports in the network of a container, which is its own
      judge(
        place,
        tried.filter(({ name }) => driver !== 'docker' || name !== 'CAP_NET_BIND_SERVICE: listen on a low port'),
      );
    },
  );
});

const lxc = root && spawnSync('lxc-execute', ['--version']).status === 0;

/** The package of `examples/`, as a program of its own. Drover checks nothing of what it does, so its report says `none`: lxc's own work is measured. */
describe.skipIf(!lxc)('a container of lxc', () => {
  const folder = mkdtempSync(join(tmpdir(), 'drover-attack-lxc-'));
  beforeAll(() => {
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, 'plugins'));
    const source = join(import.meta.dirname, '../../examples/plugins/lxc/driver.js');
    const built = spawnSync(drover, ['driver', 'build', '-o', join(folder, 'plugins/nomad-driver-lxc'), source], {
      encoding: 'utf8',
    });
    expect(built.stderr).toBe('');
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('writes in its own root file system alone, and sees no process or device of the host', async () => {
    const place = {
      who: 'root',
      driver: 'lxc',
      rung: 'none',
      program: {
        directory: join(folder, 'plugins'),
        name: 'nomad-driver-lxc',
        args: [join(folder, 'state')],
      },
      plugin: { lxc_path: join(folder, 'containers'), pids_limit: 256 },
      config: { template: 'busybox', network_mode: 'none', volumes: [`${attacks.plant}:plant`] },
    } as const;
    const { attempts: tried, rung } = await attackFrom(attacks, place);
    record(attacks, place, rung, tried);
    judge(place, tried);
    // root of a container is somebody there, and nobody to the host: what its own namespaces give it is its own
    const own = ['identity', 'capabilities', 'namespaces and mounts', 'system calls', 'network', 'resources'];
    const out = tried.filter(({ outcome, harm }) => outcome === 'through' && harm !== 'self');
    expect(out.filter(({ kind }) => !own.includes(kind)).map(({ name }) => name)).toEqual([
      'write to /usr/bin',
      'write to /etc',
      'write to its own logs',
    ]);
    expect(out.map(({ name }) => name)).not.toContain('make processes without end');
  });
});

/** What people use without an orchestrator, for `docs/isolation-measured.md`: only that it is seen to protect is judged. @returns how much gets through */
async function besideOurs(title: string, enter: readonly string[], command: readonly string[]): Promise<number> {
  const canary = await startCanary(attacks.plant, enter.length === 0 ? ordinaryUser : 0, enter);
  try {
    const words = ['run', `plant=${attacks.plant}`, 'scratch=/tmp', 'apart=yes', ...excess, ...canary.words];
    const [program = '', ...args] = [...enter, ...command, join(attacks.plant, 'attack'), ...words];
    const { stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', timeout: 100_000 });
    expect(stderr).toBe('');
    const tried = attempts(stdout);
    recordBeside(attacks, title, tried);
    return tried.filter(({ outcome }) => outcome === 'through').length;
  } finally {
    await canary.stop();
  }
}

const bubblewrap = root && spawnSync('bwrap', ['--version']).status === 0;

describe.skipIf(!bubblewrap)('bubblewrap as an ordinary user calls it', () => {
  it('stops most', async () => {
    const user = ['setpriv', `--reuid=${ordinaryUser}`, `--regid=${ordinaryUser}`, '--clear-groups'];
    const view = ['--ro-bind', '/', '/', '--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp'];
    const inside = ['--ro-bind', attacks.plant, attacks.plant, '--unshare-all'];
    const through = await besideOurs('`bwrap --unshare-all`', [], [...user, 'bwrap', ...view, ...inside]);
    expect(through).toBeLessThan(attacks.proven.size / 2);
  });
});

describe.skipIf(noSystemd !== '')(`a unit of systemd${noSystemd === '' ? '' : ` (skipped: ${noSystemd})`}`, () => {
  let machine: SystemdMachine;
  beforeAll(async () => {
    machine = await startSystemd({ shared: [attacks.plant] });
  });
  afterAll(() => machine?.end());

  /** What takes too much memory ends alone there, as in our groups. */
  const limits = ['MemoryMax=128M', 'OOMPolicy=continue', 'TasksMax=256'];
  const hardening = [
    ...['DynamicUser=yes', 'NoNewPrivileges=yes', 'PrivateDevices=yes', 'PrivateTmp=yes'],
    ...['ProtectHome=yes', 'ProtectKernelTunables=yes', 'ProtectSystem=strict'],
  ];
  const unit = (properties: readonly string[]) => [
    ...['systemd-run', '--quiet', '--pipe', '--wait'],
    ...[...properties, `BindPaths=${attacks.plant}`].flatMap((each) => ['-p', each]),
  ];

  it('stops more where it is hardened', async () => {
    const bounded = await besideOurs('`systemd-run`, bounded', machine.enter, unit(limits));
    const hardened = await besideOurs('`systemd-run`, hardened', machine.enter, unit([...limits, ...hardening]));
    expect(hardened).toBeLessThan(bounded / 2);
  });
});
