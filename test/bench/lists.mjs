/** Lists of 1,000 to 100,000 allocations over HTTP, and whether others wait meanwhile. */
import { Worker } from 'node:worker_threads';
import http from 'node:http';
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

/** Milliseconds to the first and to the last byte, and bytes on the wire. */
function list(address, gzip) {
  return new Promise((resolve, reject) => {
    const from = performance.now();
    const headers = gzip ? { 'accept-encoding': 'gzip' } : {};
    const request = http.get(`${address}/v1/allocations`, { headers, agent: false }, (answer) => {
      let bytes = 0;
      const first = performance.now() - from;
      answer.on('data', (chunk) => (bytes += chunk.length));
      answer.on('end', () => resolve({ first, last: performance.now() - from, bytes }));
    });
    request.on('error', reject);
  });
}

/** Asks a small thing again and again from a thread of its own: the longest answer is how long others waited. */
const pinger = `
const { workerData, parentPort } = require('node:worker_threads');
const http = require('node:http');
const agent = new http.Agent({ keepAlive: true });
let longest = 0;
parentPort.on('message', () => { parentPort.postMessage(longest); longest = 0; });
(function ping() {
  const from = performance.now();
  http.get(workerData + '/v1/status/leader', { agent }, (answer) => {
    answer.resume();
    answer.on('end', () => { longest = Math.max(longest, performance.now() - from); setTimeout(ping, 1); });
  }).on('error', () => setTimeout(ping, 50));
})();`;

export async function lists(report) {
  const agent = await Agent.start();
  try {
    await agent.register('one', { type: 'batch', command: 'true', args: [] });
    for (let rows = []; rows[0]?.ClientStatus !== 'complete'; rows = await agent.get('/v1/job/one/allocations')) await sleep(50);
    for (const count of [1_000, 10_000, 100_000]) {
      await agent.kill('SIGINT');
      await fill(join(agent.directory, 'data/server'), count);
      const from = performance.now();
      await agent.again(['-server']);
      const started = performance.now() - from;
      await sleep(1_000);
      const worker = new Worker(pinger, { eval: true, workerData: agent.address });
      const longest = () => new Promise((resolve) => worker.once('message', resolve).postMessage(''));
      await sleep(300);
      const quiet = await longest();
      const name = `${count.toLocaleString('en')} allocations`;
      for (const gzip of [false, true]) {
        const what = `${name}${gzip ? ', gzip' : ''}`;
        const cold = await list(agent.address, gzip);
        const coldPause = await longest();
        const warm = [await list(agent.address, gzip), await list(agent.address, gzip), await list(agent.address, gzip)];
        const pause = await longest();
        const best = Math.min(...warm.map(({ last }) => last));
        const target = count === 100_000 ? { most: gzip ? 2000 : 500 } : {};
        const size = `${(cold.bytes / 1e6).toFixed(1)} MB`;
        report(`${what}: first time, to the last byte`, cold.last, 'ms', { ...target, note: size });
        report(`${what}: again, to the last byte`, best, 'ms', target);
        const note = `others' longest answer; ${quiet.toFixed(1)} ms when nothing is asked`;
        report(`${what}: pause meanwhile`, Math.max(pause, coldPause), 'ms', { most: 20, note });
      }
      report(`${name}: start of the server`, started, 'ms');
      await worker.terminate();
    }
  } finally {
    agent.args = ['-server'];
    await agent.dispose();
  }
}
