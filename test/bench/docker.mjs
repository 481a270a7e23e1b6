/** Figures about the drivers of container engines: what it costs above the engine's own client, and what containers cost the agent. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, cpuSeconds, live, memoryKb, quantile, sleep } from './agent.mjs';
import { submitToRunning } from './tasks.mjs';

const image = { docker: 'drover-test/busybox:1', podman: 'localhost/drover-test/busybox:1' };
const samples = 10;
const count = 100;
// the same thing, said to the engine's own client
const asked = ['--cap-drop', 'all', '--security-opt', 'no-new-privileges', '--pids-limit', '4096', '--network', 'none', '-m', '10m'];

export const docker = (report) => measured(report, 'docker');
/** The same of podman, whose client speaks to the same service. */
export const podman = (report) => measured(report, 'podman');

async function measured(report, engine) {
  // built by then
  const { lackingForDaemon, lackingForPodman, ScratchDaemon } = await import('../../dist/driver-kit/container-engine/scratch-daemon.js');
  const ownClient = engine === 'podman' || spawnSync('docker', ['--version']).status === 0 ? [] : ["docker's client"];
  const missing = [...(engine === 'podman' ? lackingForPodman : lackingForDaemon), ...ownClient];
  if (missing.length > 0) throw new Error(`not here: ${missing.join(', ')}`);
  const daemon = await ScratchDaemon.open({ engine });
  const closing = { dispose: () => daemon.close() };
  live.add(closing);
  const where = engine === 'podman' ? { socket_path: daemon.endpoint } : { endpoint: daemon.endpoint };
  const agent = await Agent.start(['-server', '-client'], { plugin: { [engine]: { config: where } } });
  try {
    await tried(agent, engine);
    await latency(report, agent, daemon);
    await many(report, agent, engine);
  } finally {
    await agent.dispose();
    await daemon.close();
    live.delete(closing);
  }
}

// podman's own default limits may be more than this host gives
const more = { docker: {}, podman: { ulimit: [{ nofile: '1024:1024', nproc: '1024:1024' }] } };
/** A node's containers are tried from inside once a boot, in the first seconds of its agent: not what is measured here. */
async function tried(agent, driver) {
  await agent.untilDriver(driver);
  const [{ ID }] = await agent.get('/v1/nodes');
  for (let at = 0; at < 600 && (await agent.get(`/v1/node/${ID}`)).Attributes[`driver.${driver}.isolation`] === undefined; at++) await sleep(100);
}

const taskOf = (driver) => ({
  driver,
  config: { image: image[driver], command: 'sleep', args: ['100000'], network_mode: 'none', cap_drop: ['all'], ...more[driver] },
});

/** The engine's own client, told where it listens. */
const client = ({ engine, endpoint }) => (engine === 'podman' ? ['podman', '--url', endpoint] : ['docker', '-H', endpoint]);
const limits = { docker: [], podman: ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=1024:1024'] };

/** In turns, so that both meet the same machine. */
async function latency(report, agent, daemon) {
  const { engine } = daemon;
  const [program, ...words] = client(daemon);
  const task = taskOf(engine);
  const [theirs, ours] = [[], []];
  for (let at = 0; at < samples + 2; at++) {
    const from = performance.now();
    const made = [...words, 'run', '-d', '--name', `by-hand-${at}`, ...asked, ...limits[engine], image[engine], 'sleep', '100000'];
    const run = spawnSync(program, made, { env: { PATH: process.env.PATH, HOME: daemon.root }, encoding: 'utf8' });
    if (run.status !== 0) throw new Error(run.stderr);
    const between = performance.now();
    const own = await submitToRunning(agent, `one-${at}`, task);
    if (at >= 2) {
      theirs.push(between - from);
      ours.push(own);
    }
    spawnSync(program, [...words, 'rm', '-f', `by-hand-${at}`], { env: { PATH: process.env.PATH, HOME: daemon.root } });
    await agent.stopJobs();
  }
  const byHand = quantile(theirs, 0.5);
  report(`${engine} run -d, p50`, byHand, 'ms');
  report(`${engine}, submit → running p50`, quantile(ours, 0.5), 'ms', { most: byHand * 1.2, note: "1.2 × the engine's own client" });
}

async function many(report, agent, engine) {
  const from = performance.now();
  await agent.register('hundred', { ...taskOf(engine), count });
  await agent.untilRunning(count);
  report(`${engine}, ${count} containers at once`, (performance.now() - from) / 1000, 's');
  await sleep(10_000);
  const before = cpuSeconds(agent.child.pid);
  await sleep(15_000);
  report(`agent with ${count} containers, processor`, ((cpuSeconds(agent.child.pid) - before) / 15) * 100, '% of a core', { most: 5 });
  report(`agent with ${count} containers, RSS`, memoryKb(agent.child.pid).rss / 1024, 'MB');
  const [collector, ...others] = collectors(agent.directory);
  if (collector === undefined || others.length > 0) throw new Error('there is not one log collector');
  report('log collector, RSS for each container', memoryKb(collector).rss / count, 'kB');
}

function collectors(directory) {
  return readdirSync('/proc').filter((pid) => {
    try {
      const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      return line.includes('log-collector/main.js') && line.includes(directory);
    } catch {
      return false;
    }
  });
}
