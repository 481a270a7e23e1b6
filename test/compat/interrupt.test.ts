// Ctrl-C while a command waits for an agent that does not come to an end: the command ends by that signal, and says nothing of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';

const program = process.env['DROVER_BIN'] ?? path.resolve(import.meta.dirname, '../../bin/drover.js');
const id = 'c15ee934-0000-4000-8000-000000000000';
const rows: { readonly [path: string]: unknown } = {
  '/v1/allocations': [{ ID: id, JobID: 'a', TaskGroup: 'g' }],
  [`/v1/allocation/${id}`]: { ID: id, JobID: 'a', TaskGroup: 'g' },
  [`/v1/client/fs/stat/${id}`]: { Name: 'a.log', IsDir: false, Size: 2, FileMode: '-rw-r--r--', ModTime: '' },
};
/** What is written of an answer that then never ends. */
const begins: { readonly [path: string]: string } = {
  '/v1/event/stream': '{}\n',
  [`/v1/client/fs/stream/${id}`]: '{"Data":"aGk=","File":"a.log","Offset":2}',
};

let asked: (name: string) => void = () => {};
const server = createServer((request, response: ServerResponse) => {
  const name = request.url!.split('?')[0]!;
  if (rows[name] !== undefined) response.end(JSON.stringify(rows[name]));
  else if (begins[name] !== undefined) response.write(begins[name]);
  asked(name);
});
beforeAll(async () => void (await once(server.listen(0, '127.0.0.1'), 'listening')));
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

it.each([
  [['operator', 'api', '/v1/event/stream'], '/v1/event/stream', '{}\n'],
  [['alloc', 'fs', '-f', id, 'a.log'], `/v1/client/fs/stream/${id}`, 'hi'],
  [['status'], '/v1/jobs', ''],
])('%j', { timeout: 30_000 }, async (words, last, shown) => {
  const { port } = server.address() as AddressInfo;
  const child = spawn(process.execPath, [program, ...words], {
    env: { ...process.env, NOMAD_ADDR: `http://127.0.0.1:${port}` },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [out, error] = ['', ''];
  child.stderr.on('data', (text) => {
    error += text;
  });
  const reached = new Promise<void>((resolve) => {
    asked = (name) => {
      if (name === last) resolve();
    };
  });
  const saw = new Promise<void>((resolve) => {
    if (shown === '') resolve();
    child.stdout.on('data', (text) => {
      out += text;
      if (out === shown) resolve();
    });
  });
  const ended = once(child, 'exit');
  await Promise.race([Promise.all([reached, saw]), ended]);
  child.kill('SIGINT');
  expect([await ended, out, error]).toEqual([[null, 'SIGINT'], shown, '']);
});
