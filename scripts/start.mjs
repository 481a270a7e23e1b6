#!/usr/bin/env node
// npm start: installs what is missing, builds, brings up a single node, runs the example job and shows its output.
//   npm start -- [-data-dir=DIR] [-port=N]
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { connect } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import { build, ensureCompiler, ensureModules, ensurePackages, isRoot, say } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';

const option = (name, otherwise) => {
  const words = process.argv.slice(2);
  const at = words.findIndex(
    (word) =>
      word === `-${name}` || word === `--${name}` || word.startsWith(`-${name}=`) || word.startsWith(`--${name}=`),
  );
  if (at < 0) return otherwise;
  return words[at].includes('=') ? words[at].slice(words[at].indexOf('=') + 1) : (words[at + 1] ?? otherwise);
};

const dataDir = resolve(option('data-dir', defaultDataDir()));
const port = Number(option('port', '4646'));
const address = `http://127.0.0.1:${port}`;
const drover = join(root, 'bin/drover.js');

ensureModules();
ensureCompiler();
if (isRoot) {
  ensurePackages([
    { program: 'bwrap', package: 'bubblewrap', why: 'tasks of the exec driver run at a lower rung of isolation' },
    { program: 'runc', package: 'runc', why: 'tasks of the exec driver run at a lower rung of isolation' },
  ]);
}
build();
try {
  (await import('../dist/lib/node/directories.js')).makeDirectories(dataDir, 0o755);
} catch (error) {
  say(error.message);
  process.exit(1);
}
// the agent below will say so, and by whom, and end: nothing may be run on whatever answers there
const isTaken = await listens(port);

const agent = spawn(
  process.execPath,
  [drover, 'agent', '-server', '-client', `-data-dir=${dataDir}`, `-http-port=${port}`],
  {
    stdio: ['ignore', 'inherit', 'inherit'],
    detached: true, // Ctrl-C is passed on below, once
  },
);
let agentExit = null;
agent.on('exit', (code, signal) => {
  agentExit = code ?? signal;
});
process.on('SIGINT', () => agent.kill('SIGINT'));
process.on('SIGTERM', () => agent.kill('SIGTERM'));

if (!isTaken && (await ready())) {
  say('\nRunning examples/hello.nomad.hcl:\n');
  const env = { ...process.env, NOMAD_ADDR: address };
  const run = spawnSync(process.execPath, [drover, 'job', 'run', join(root, 'examples/hello.nomad.hcl')], {
    stdio: 'inherit',
    env,
  });
  if (run.status === 0) {
    say('\nIts output:\n');
    spawnSync(process.execPath, [drover, 'alloc', 'logs', '-job', 'hello'], { stdio: 'inherit', env });
  }
  say(`
The HTTP API listens on ${address}; the state is in ${dataDir}.
Try next, in another terminal:${port === 4646 ? '' : `\n    export NOMAD_ADDR=${address}`}
    npx drover node status -self -verbose
    npx drover job init && npx drover job run example.nomad.hcl
    npx drover job status hello
Ctrl-C stops the agent; tasks that run go on.`);
}
if (agentExit === null) await new Promise((done) => agent.on('exit', done));
process.exit(typeof agentExit === 'number' ? agentExit : 1);

/**
 * `.drover` in this folder. A root agent gives tasks users of their own, and those have to get to their directories: where a folder above
 * lets nobody pass (root's home does not) and none can be covered for them in a mount namespace, the state goes where they can.
 */
function defaultDataDir() {
  const wanted = join(root, '.drover');
  if (!isRoot || spawnSync('unshare', ['--mount', 'true']).status === 0) return wanted;
  for (let folder = root; folder !== dirname(folder); folder = dirname(folder)) {
    if ((statSync(folder).mode & 0o001) !== 0) continue;
    const instead = `/var/lib/drover-${createHash('sha256').update(root).digest('hex').slice(0, 8)}`;
    say(`${folder} lets other users not pass, and tasks run as users of their own: the state goes to ${instead}`);
    return instead;
  }
  return wanted;
}

function listens(where) {
  return new Promise((done) => {
    const socket = connect(where, '127.0.0.1');
    socket
      .on('error', () => done(false))
      .on('connect', () => {
        socket.destroy();
        done(true);
      });
  });
}

/** Waits until the agent answers and its node is ready; false where the agent ended. */
async function ready() {
  for (let tries = 0; tries < 600 && agentExit === null; tries++) {
    try {
      const nodes = await (await fetch(`${address}/v1/nodes`, { signal: AbortSignal.timeout(2000) })).json();
      if (nodes.some((node) => node.Status === 'ready')) return true;
    } catch {
      // not listening yet
    }
    await new Promise((done) => setTimeout(done, 50));
  }
  return false;
}
