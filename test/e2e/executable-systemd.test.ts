// The packaged executable under its unit and a real systemd: what tasks survive.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../agent-process.ts';
import { noSystemd, type SystemdMachine, startSystemd } from './systemd-machine.ts';

const root = join(import.meta.dirname, '../..');

const job = (name: string, driver: string): string => `job "${name}" {
  type = "batch"
  group "g" {
    task "t" {
      driver = "${driver}"
      config {
        command = "/bin/sh"
        args    = ["-c", "echo begun; while [ ! -e $NOMAD_TASK_DIR/end ]; do sleep 0.1; done; echo over; exit 3"]
      }
      resources {
        cpu    = 20
        memory = 64
      }
    }
  }
}
`;
const configuration = `server {
  enabled = true
}
client {
  enabled = true
}
data_dir = "/var/lib/drover/data"
plugin "raw_exec" {
  config {
    enabled = true
  }
}
`;
const drivers = ['exec', 'raw_exec'];

describe.skipIf(noSystemd !== '')(`the unit under systemd${noSystemd === '' ? '' : ` (skipped: ${noSystemd})`}`, () => {
  let machine: SystemdMachine;

  beforeAll(async () => {
    const built = spawnSync(process.execPath, ['scripts/package.mjs'], { cwd: root, encoding: 'utf8' });
    expect(built.status, built.stderr).toBe(0);
    machine = await startSystemd({
      files: {
        '/usr/local/bin/drover': { copy: join(root, 'build/package/drover') },
        '/etc/systemd/system/drover.service': { copy: join(root, 'build/package/drover.service') },
        '/etc/drover.d/agent.hcl': { text: configuration },
        ...Object.fromEntries(drivers.map((driver) => [`/root/${driver}.nomad.hcl`, { text: job(driver, driver) }])),
      },
    });
  }, 180_000);
  afterAll(() => machine?.end());

  const must = (...command: string[]): string => {
    const { status, stdout, stderr } = machine.run(...command);
    expect(status, `${command.join(' ')}\n${stdout}${stderr}`).toBe(0);
    return stdout;
  };
  const drover = (...args: string[]): string => must('drover', ...args);
  const ready = () => eventually(() => expect(drover('node', 'status')).toMatch(/ready/), 60_000, 200);
  const allocationOf = (name: string): string =>
    (JSON.parse(drover('operator', 'api', `/v1/job/${name}/allocations`)) as { ID: string }[])[0]?.ID ?? '';
  const isIn = (name: string, text: string) =>
    eventually(() => expect(drover('alloc', 'status', allocationOf(name))).toContain(text), 60_000, 200);
  /** As this machine counts: the shells with a task's own script, without what such a shell has forked and not executed yet. */
  const tasks = (): string[] => {
    const rows = [...must('ps', '-eo', 'pid=,ppid=,args=').matchAll(/^ *(\d+) +(\d+) \/bin\/sh -c echo begun/gm)];
    const shells = new Set(rows.map(([, pid]) => pid));
    return rows.flatMap(([, pid, parent]) => (shells.has(parent) ? [] : [pid!])).sort();
  };
  const mainPid = (): string => must('systemctl', 'show', '-p', 'MainPID', '--value', 'drover').trim();

  it('starts the agent, in a cgroup that is the agent’s to divide', async () => {
    must('systemctl', 'start', 'drover');
    await ready();
    expect(must('cat', `/proc/${mainPid()}/cgroup`)).toMatch(/system\.slice\/drover\.service/);
  });

  it('keeps tasks alive over a restart, a stop and a crash of the agent', async () => {
    for (const driver of drivers) drover('job', 'run', '-detach', `/root/${driver}.nomad.hcl`);
    for (const driver of drivers) await isIn(driver, 'Client Status');
    await eventually(() => expect(tasks()).toHaveLength(drivers.length), 60_000, 200);
    const before = tasks();
    const agents = [mainPid()];
    must('systemctl', 'restart', 'drover');
    expect(tasks()).toEqual(before);
    await ready();
    agents.push(mainPid());
    must('systemctl', 'stop', 'drover');
    expect(must('sh', '-c', 'systemctl is-active drover || true').trim()).toBe('inactive');
    expect(tasks()).toEqual(before);
    must('systemctl', 'start', 'drover');
    await ready();
    agents.push(mainPid());
    must('kill', '-KILL', mainPid());
    await eventually(() => expect(['0', ...agents]).not.toContain(mainPid()), 30_000, 200);
    await ready();
    expect(tasks()).toEqual(before);
    for (const driver of drivers) {
      const id = allocationOf(driver);
      await eventually(() => must('sh', '-c', `: > /var/lib/drover/data/alloc/${id}/t/local/end`), 20_000, 200);
      await isIn(driver, 'Exit Code: 3');
      expect(drover('alloc', 'logs', id, 't')).toBe('begun\nover\n');
    }
  });

  it('reloads without an end, and says nothing that systemd does not understand', () => {
    const before = mainPid();
    must('systemctl', 'reload', 'drover');
    expect(mainPid()).toBe(before);
    expect(must('systemctl', 'is-active', 'drover').trim()).toBe('active');
    expect(existsSync(join(root, 'build/package/drover.service'))).toBe(true);
    expect(machine.run('systemd-analyze', 'verify', '--man=no', '/etc/systemd/system/drover.service').stderr).toBe('');
    expect(readFileSync(`/proc/${machine.pid}/comm`, 'utf8')).toBe('systemd\n');
  });
});
