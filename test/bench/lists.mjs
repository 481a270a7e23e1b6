/** Lists of 1,000 to 100,000 allocations over HTTP, and whether others wait meanwhile. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { Agent, root, sleep } from './agent.mjs';

/** One real allocation, as often as wanted, written into the state of an agent that is stopped. */
async function fill(directory, count) {
  const load = (path) => import(join(root, 'dist', path));
  const [{ openStore }, { lmdbJournal }, { serverTables }] = await Promise.all(
    ['state/open-store.js', 'state/lmdb-journal.js', 'state/server-tables.js'].map(load),
  );
  const { store } = await openStore({ tables: serverTables, journal: lmdbJournal({ directory }) });
  const template = [...store.snapshot().scan('allocations')][0];
  const have = store.snapshot().count('allocations');
  for (let from = have; from < count; from += 2000) {
    await store.write((_head, index) => ({
      changes: Array.from({ length: Math.min(2000, count - from) }, (_, at) => {
        const id = `${(from + at).toString(16).padStart(8, '0')}-0000-4000-8000-000000000000`;
        const row = { ...template, ID: id, Name: `one.g[${from + at}]`, CreateIndex: index, ModifyIndex: index, AllocModifyIndex: index };
        return { table: 'allocations', id, row };
      }),
      result: null,
    }));
  }
  await store.close();
}

/**
 * Asks for the list when it is told to, in a process of its own: the one that filled the state has a heap of gigabytes to look after, which
 * would be measured too.
 */
const reader = `
const http = require('node:http');
process.on('message', (gzip) => {
  const from = performance.now();
  const headers = gzip ? { 'accept-encoding': 'gzip' } : {};
  http.get(process.argv[1] + '/v1/allocations', { headers, agent: false }, (answer) => {
    let bytes = 0;
    answer.on('data', (chunk) => (bytes += chunk.length));
    answer.on('end', () => process.send({ last: performance.now() - from, bytes }));
  });
});
process.send('ready');`;

async function startReader(address) {
  const { child, said } = await startProgram(reader, address);
  return {
    /** Milliseconds to the last byte, and bytes on the wire. */
    list: (gzip) => {
      const answer = said();
      child.send(gzip);
      return answer;
    },
    end: () => child.kill('SIGKILL'),
  };
}

/** Resolves when it has sent its first message. */
async function startProgram(program, address) {
  const child = spawn(process.execPath, ['-e', program, address], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const said = () => new Promise((resolve) => child.once('message', resolve));
  await said();
  return { child, said };
}

/**
 * Asks a small thing again and again from a process of its own: the longest answer is how long others waited. It is counted from the
 * five hundredth answer on: a program that has only begun is slow itself.
 */
const pinger = `
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true });
let longest = 0;
let count = 0;
process.on('message', () => { process.send(longest); longest = 0; });
(function ping() {
  const from = performance.now();
  http.get(process.argv[1] + '/v1/status/leader', { agent }, (answer) => {
    answer.resume();
    answer.on('end', () => {
      if (++count === 500) process.send('warm');
      longest = count < 500 ? 0 : Math.max(longest, performance.now() - from);
      setTimeout(ping, 1);
    });
  }).on('error', () => setTimeout(ping, 50));
})();`;

async function startPinger(address) {
  const { child, said } = await startProgram(pinger, address);
  return {
    longest: () => {
      const answer = said();
      child.send('');
      return answer;
    },
    end: () => child.kill('SIGKILL'),
  };
}

/** So long the server has after its start, before lists are asked for: it encodes rows ahead. */
const settledMs = { 1_000: 1_000, 10_000: 2_000, 100_000: 15_000 };

export async function lists(report) {
  const agent = await Agent.start();
  try {
    await agent.register('one', { type: 'batch', command: 'true', args: [] });
    for (let rows = []; rows[0]?.ClientStatus !== 'complete'; rows = await agent.get('/v1/job/one/allocations')) await sleep(50);
    for (const count of [1_000, 10_000, 100_000]) {
      await agent.kill('SIGINT');
      await fill(join(agent.directory, 'data/server'), count);
      const name = `${count.toLocaleString('en')} allocations`;
      await start(agent, name, report);
      const early = await startReader(agent.address);
      const cold = await early.list(false);
      early.end();
      report(`${name}: at once after the start, to the last byte`, cold.last, 'ms', { note: `${(cold.bytes / 1e6).toFixed(1)} MB` });
      await agent.kill('SIGINT');
      await agent.again(['-server']);
      await sleep(settledMs[count]);
      await measure(agent.address, name, count === 100_000, report);
    }
  } finally {
    agent.args = ['-server'];
    await agent.dispose();
  }
}

async function start(agent, name, report) {
  const from = performance.now();
  await agent.again(['-server']);
  report(`${name}: start of the server`, performance.now() - from, 'ms');
}

/** Times with nobody else asking: on two cores a third busy process takes from both; pauses while somebody asks all the time. */
async function measure(address, name, isTarget, report) {
  const target = (gzip) => (isTarget ? { most: gzip ? 2000 : 500 } : {});
  const { list, end } = await startReader(address);
  for (const gzip of [false, true]) {
    const what = `${name}${gzip ? ', gzip' : ''}`;
    const first = await list(gzip);
    report(`${what}: first time, to the last byte`, first.last, 'ms', target(gzip));
    const again = [await list(gzip), await list(gzip), await list(gzip)];
    report(`${what}: again, to the last byte`, Math.min(...again.map(({ last }) => last)), 'ms', target(gzip));
  }
  const others = await startPinger(address);
  await others.longest();
  await sleep(2_000);
  const quiet = await others.longest();
  for (const gzip of [false, true]) {
    const what = `${name}${gzip ? ', gzip' : ''}`;
    const beside = [await list(gzip), await list(gzip), await list(gzip)];
    const note = `others' longest answer; ${quiet.toFixed(1)} ms when nothing is asked`;
    report(`${what}: pause meanwhile`, await others.longest(), 'ms', { most: 20, note });
    report(`${what}: to the last byte meanwhile`, Math.min(...beside.map(({ last }) => last)), 'ms');
  }
  others.end();
  end();
}
