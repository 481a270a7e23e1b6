/**
 * Run inside the guest by its systemd, as root: an ordinary user without control groups asks the doctor, what it says is carried out, and a task
 * of the agent that is started so says what it has. Once where the user has no systemd of its own, and once where a login has started it.
 * Writes a line of JSON for each to the file it is given.
 *
 *     node systemd.mjs FILE LOOK      LOOK: the program of look.ts
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { appendFileSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect } from '../../src/api-client/index.ts';
import { httpTransport } from '../../src/lib/node/http-transport.ts';
import type { IsolationReport } from '../../src/model/isolation-report.ts';
import { eventually } from '../agent-process.ts';
import { shellJob } from '../e2e/jobs.ts';
import type { Look } from './look.ts';
import { systemdHosts, systemdUser } from './systemd-hosts.ts';

const [file = '', look = ''] = process.argv.slice(2);
const { name, uid } = systemdUser;
const minutesMs = 8 * 60_000;
/** On the console, for whoever looks why it takes so long. */
const say = (what: string): void => console.info(`${Math.round(performance.now() / 1000)} s: ${what}`);
const until = <T>(attempt: () => Promise<T>): Promise<T> => eventually(attempt, minutesMs, 500);
const quoted = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;

/** What the test judges. */
export interface SystemdSight {
  readonly name: string;
  readonly found: Look['found'];
  /** Of a task on a network of its own, once what the doctor advises was done; null: it advised nothing. */
  readonly report: IsolationReport | null;
}

type Place = (script: string) => readonly string[];

/** As of a program that somebody else starts for the user: nobody has logged in. */
const withoutLogin: Place = (script) => [
  ...['systemd-run', '--scope', '--quiet', `--slice=user-${uid}.slice`, `--uid=${uid}`, `--gid=${uid}`],
  ...['--setenv=XDG_RUNTIME_DIR=', '--', 'sh', '-c', script],
];

const byLogin: Place = (script) => ['su', '-l', name, '-c', script];

function doctor(place: Place, title: string): Look {
  const answer = `/run/drover-look-${title.replaceAll(' ', '-')}`;
  writeFileSync(answer, '');
  chownSync(answer, uid, uid);
  const [program = '', ...args] = place([process.execPath, look, title, answer].map(quoted).join(' '));
  execFileSync(program, args, { stdio: 'inherit', cwd: '/' });
  return JSON.parse(readFileSync(answer, 'utf8')) as Look;
}

/** As printed, but for the agent's own arguments. */
async function taskOf(place: Place, command: string, title: string, port: number): Promise<IsolationReport> {
  const directory = `/run/drover-${title.replaceAll(' ', '-')}`;
  for (const path of [directory, join(directory, 'data')]) {
    mkdirSync(path, { mode: 0o755 });
    chownSync(path, uid, uid);
  }
  const config = join(directory, 'agent.json');
  const client = { enabled: true, options: { 'driver.allowlist': 'exec' } };
  const server = { enabled: true };
  writeFileSync(
    config,
    JSON.stringify({ name: 'node1', data_dir: join(directory, 'data'), ports: { http: port }, client, server }),
  );
  const [program = '', ...args] = place(command.replace('…', `-config ${config}`));
  const child = spawn(program, args, { stdio: 'inherit', cwd: '/' });
  const api = connect({ transport: httpTransport({ address: `http://127.0.0.1:${port}` }) });
  try {
    await until(async () => (await api.agent.health()).value);
    say(`${title}: the agent is ready`);
    await until(async () => {
      const [node] = (await api.nodes.list()).value;
      const { Attributes } = (await api.nodes.read(node!.ID)).value;
      if (Attributes?.['driver.exec.isolation'] === undefined) throw new Error('exec has not told what it gives');
    });
    await api.jobs.register(
      shellJob('held', 'exec sleep 3000', { driver: 'exec', group: { Networks: [{ Mode: 'none' }] } }),
    );
    const report = await until(async () => {
      const [row] = (await api.jobs.allocations('held')).value;
      if (row?.ClientStatus !== 'running') throw new Error(JSON.stringify(row?.TaskStates));
      return (await api.allocations.isolation(row.ID)).value['t']!;
    });
    await api.jobs.deregister('held', { purge: true });
    return report;
  } finally {
    api.close();
    child.kill('SIGINT');
  }
}

async function sight(title: string, place: Place, port: number): Promise<void> {
  const { found } = doctor(place, title);
  const command = found.Climbs[0]?.Remedies[0]?.Command;
  say(`${title}: ${command}`);
  const report = command === undefined ? null : await taskOf(place, command, title, port);
  say(`${title}: ${report?.rung}`);
  appendFileSync(file, `${JSON.stringify({ name: title, found, report } satisfies SystemdSight)}\n`);
}

const [before, after] = systemdHosts;
await sight(before.name, withoutLogin, 4701);
// what it left is no group of a login
spawnSync('systemctl', ['kill', `user-${uid}.slice`]);
await sight(after.name, byLogin, 4702);
