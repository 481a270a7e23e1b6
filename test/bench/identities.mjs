/** What a start costs for ids of its own without root, and for Landlock where nothing makes a sandbox: each beside the same without, by turns. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from './agent.mjs';
import { sideBySide } from './tasks.mjs';

/** Of no account, and what it is given. */
const user = 61_240;
const samples = 40;

const inMounts = (script, command) => [
  ...['unshare', '--mount', '--propagation', 'private', 'sh', '-c', `PATH=$PATH:/usr/sbin:/sbin; ${script}; exec "$@"`, 'sh'],
  ...command,
];
const hidden = ['bwrap', 'runc', 'crun', 'unshare']
  .map((name) => `p=$(command -v ${name}) && mount --bind /dev/null "$(readlink -f "$p")" || :`)
  .join('; ');

/** An agent of the user's, whom files of the system in mounts of its own give a name and ids. */
function ofUser(directory, subordinate) {
  const [passwd, ids] = ['passwd', 'ids'].map((name) => join(directory, name));
  writeFileSync(passwd, `${readFileSync('/etc/passwd', 'utf8')}drover-bench:x:${user}:${user}::/:/bin/sh\n`);
  writeFileSync(ids, 'drover-bench:1700000000:65536\n');
  const files = [[passwd, '/etc/passwd'], [ids, '/etc/subuid'], [ids, '/etc/subgid']];
  const script = files.map(([from, to]) => `mount --bind ${from} ${to}`).join(' && ');
  const as = ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--inh-caps=-all', '--'];
  const wrap = (command) => inMounts(script, [...as, ...command]);
  return Agent.start(undefined, { client: { isolation: { subordinate_ids: subordinate } } }, { user, wrap });
}

/** Throws where a task is not isolated as the figure says. */
async function reported(agent, test) {
  await agent.register('look', { driver: 'exec' });
  await agent.untilRunning(1);
  const [{ ID }] = await agent.get('/v1/job/look/allocations');
  const { t } = await agent.get(`/v1/client/allocation/${ID}/isolation`);
  await agent.stopJobs();
  if (!test(t)) throw new Error(`a task has rung ${t.rung}: ${JSON.stringify(t.mechanisms)}`);
}

async function compare(report, pair, names, tests) {
  const agents = [];
  try {
    for (const [at, start] of pair.entries()) {
      agents.push(await start());
      await reported(agents[at], tests[at]);
    }
    const times = await sideBySide(agents, 'exec', samples);
    for (const [at, { p50, p99 }] of times.entries()) {
      report(`${names[at]}: submit → running p50`, p50, 'ms');
      report(`${names[at]}: submit → running p99`, p99, 'ms');
    }
  } finally {
    for (const agent of agents) await agent.dispose();
  }
}

export async function identities(report) {
  if (process.getuid?.() !== 0) throw new Error('it needs root, which starts agents of others');
  const verified = (name, evidence = /./) => ({ mechanisms }) =>
    mechanisms.some((each) => each.name === name && each.state === 'verified' && evidence.test(each.evidence));
  const directory = mkdtempSync(join(tmpdir(), 'drover-bench-ids-'));
  try {
    if (existsSync('/usr/bin/newuidmap'))
      await compare(report, [() => ofUser(directory, false), () => ofUser(directory, true)], ['without root, shared uid', 'without root, own ids'], [
        verified('unique_uid', /shared uid/),
        verified('unique_uid', /^uid 17/),
      ]);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
  const plain = { plugin: { exec: { config: { isolation: { prefer: 'process' } } } } };
  const unmade = { wrap: (command) => inMounts(hidden, command) };
  await compare(report, [() => Agent.start(undefined, plain, unmade), () => Agent.start(undefined, {}, unmade)], ['rung process', 'rung process, Landlock'], [
    ({ rung, mechanisms }) => rung === 'process' && !mechanisms.some(({ name }) => name === 'landlock'),
    verified('landlock'),
  ]);
}
