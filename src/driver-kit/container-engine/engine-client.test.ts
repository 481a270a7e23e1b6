import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { parseEndpoint } from './endpoint.ts';
import { EngineClient, jsonLines } from './engine-client.ts';

test('values of an answer are read line by line, wherever its parts end, and one without an end is not kept', async () => {
  const bytes = Buffer.from('{"name":"Ä🚂"}\n{"name":"b"}');
  for (let at = 1; at < bytes.length; at++) {
    const stream = new PassThrough();
    stream.write(bytes.subarray(0, at));
    stream.end(bytes.subarray(at));
    const names = [];
    for await (const { name } of jsonLines(stream)) names.push(name);
    expect(names).toEqual(['Ä🚂', 'b']);
  }
  const endless = async () => {
    const stream = new PassThrough();
    void (async () => {
      for (let at = 0; at < 40 && !stream.destroyed; at++) {
        stream.write(Buffer.alloc(1 << 20, 0x78));
        await new Promise(setImmediate);
      }
      stream.end();
    })();
    for await (const _ of jsonLines(stream)) throw new Error('it has no line');
  };
  await expect(endless()).rejects.toThrow('a line of more than 16777216 characters');
});

test('a file that cannot be read on ends its call with a fault, and a call that ends closes its file', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-engine-'));
  const path = join(directory, 's');
  const client = new EngineClient('docker', parseEndpoint(path));
  const { signal } = new AbortController();
  const load = (body: Readable) => client.text('POST', '/images/load', { body, signal });
  const unsent = new PassThrough();
  await expect(load(unsent)).rejects.toMatchObject({ kind: 'unavailable' });
  await expect.poll(() => unsent.destroyed).toBe(true);
  const server = createServer((request) => request.resume());
  await new Promise<void>((resolve) => server.listen(path, resolve));
  try {
    const broken = Readable.from(
      (async function* () {
        yield Buffer.from('the first part');
        throw new Error('EIO: i/o error, read');
      })(),
    );
    await expect(load(broken)).rejects.toMatchObject({ kind: 'unavailable' });
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

test('calls that are over leave nothing on the signal that could have ended them, however they went', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-engine-'));
  const path = join(directory, 's');
  const client = new EngineClient('docker', parseEndpoint(path));
  const { signal } = new AbortController();
  const listeners = () => getEventListeners(signal, 'abort').length;
  const call = () => client.json('GET', '/info', { signal, timeoutMs: 5_000 }).catch(() => null);
  let waiting: (() => void) | null = null;
  let answers = 0;
  const server = createServer((request, response) => {
    request.resume();
    if (request.url?.includes('late') === true) waiting = () => response.end('{}');
    else response.end(answers++ % 2 === 0 ? '{}' : 'nonsense');
  });
  try {
    for (let at = 0; at < 5; at++) await call();
    await new Promise<void>((resolve) => server.listen(path, resolve));
    for (let at = 0; at < 20; at++) await call();
    await expect.poll(listeners).toBe(0);
    // (control) one that is under way has its own
    const late = client.json('GET', '/late', { signal });
    await expect.poll(() => waiting !== null).toBe(true);
    expect(listeners()).toBeGreaterThan(0);
    waiting!();
    await late;
    await expect.poll(listeners).toBe(0);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
