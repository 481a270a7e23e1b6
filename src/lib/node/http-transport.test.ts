import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { collectText } from '../../api-client/byte-stream.ts';
import { httpTransport } from './http-transport.ts';

let server: Server | undefined;
afterEach(
  () =>
    new Promise<void>((resolve) => {
      server?.closeAllConnections();
      if (server === undefined) resolve();
      else server.close(() => resolve());
      server = undefined;
    }),
);

async function serve(listener: RequestListener, at: object = { host: '127.0.0.1', port: 0 }): Promise<string> {
  server = createServer(listener);
  await new Promise<void>((resolve) => server!.listen(at, resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const get = { method: 'GET', path: '/v1/x?y=1', headers: {} } as const;

describe('the transport', () => {
  it('says it as a fault when the connection breaks in the middle of an answer', async () => {
    const address = await serve((_request, response) => {
      response.write('half');
      setTimeout(() => response.destroy(), 20);
    });
    const transport = httpTransport({ address });
    const { body } = await transport.request(get);
    await expect(collectText(body)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('does not answer'),
    });
    transport.close();
  });

  it('sends method, path below the base path, body and headers, and unpacks gzip', async () => {
    const address = await serve(async (request, response) => {
      const text = `${request.method} ${request.url} ${request.headers['x-a']} ${await collectText(request)}`;
      response.setHeader('content-encoding', 'gzip').end(gzipSync(text));
    });
    const transport = httpTransport({ address: `${address}/base/` });
    const answer = await transport.request({ method: 'PUT', path: '/v1/x?y=1', headers: { 'x-a': 'b' }, body: 'hé' });
    expect([answer.status, await collectText(answer.body)]).toEqual([200, 'PUT /base/v1/x?y=1 b hé']);
    transport.close();
  });

  it('speaks over a unix socket', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'transport-'));
    const path = join(directory, 's');
    await serve((request, response) => response.end(request.url), { path });
    const transport = httpTransport({ address: `unix://${path}` });
    expect(await collectText((await transport.request(get)).body)).toBe('/v1/x?y=1');
    transport.close();
    await rm(directory, { recursive: true });
  });

  it('says who does not answer', async () => {
    const transport = httpTransport({ address: '127.0.0.1:1' });
    await expect(transport.request(get)).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('127.0.0.1:1 does not answer: connect ECONNREFUSED'),
    });
    expect(() => httpTransport({ address: 'ftp://x' })).toThrow('the scheme must be http, https or unix');
  });

  it('says so where TLS meets plain HTTP, and where no host has the name', async () => {
    const address = await serve((_, response) => response.end());
    const secure = httpTransport({ address: address.replace('http://', 'https://') });
    await expect(secure.request(get)).rejects.toThrow('it speaks plain HTTP, not TLS: write http://');
    await expect(httpTransport({ address: 'http://no.invalid' }).request(get)).rejects.toThrow('no host of this name');
  });

  it('gives up on a silent server after the idle time', async () => {
    const address = await serve(() => {});
    const transport = httpTransport({ address, idleTimeoutMs: 50 });
    await expect(transport.request(get)).rejects.toThrow('no data for 50 ms');
    transport.close();
  });

  it('ends a stream when it is disposed of, and when the signal fires', async () => {
    let open = 0;
    const address = await serve((_request, response) => {
      open++;
      response.write('x');
      response.on('close', () => open--);
    });
    const transport = httpTransport({ address });
    const controller = new AbortController();
    const [first] = await Promise.all([
      transport.request(get),
      transport.request({ ...get, signal: controller.signal }),
    ]);
    expect(open).toBe(2);
    first.dispose();
    controller.abort();
    await expect.poll(() => open).toBe(0);
    transport.close();
  });
});
