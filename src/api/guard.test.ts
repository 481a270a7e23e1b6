import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import * as http from 'node:http';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { collectText } from '../api-client/byte-stream.ts';
import { Fault } from '../lib/fault.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import { type FakeServer, startFakeServer } from './fake-agent.ts';
import type { ApiOptions } from './server.ts';

let server: FakeServer;
afterEach(() => server.close());

const start = async (guard: ApiOptions['guard'] = {}) => {
  server = await startFakeServer({ guard });
};

async function status(headers: http.OutgoingHttpHeaders, method = 'GET', path = '/v1/regions'): Promise<number> {
  const { hostname, port } = new URL(server.address);
  return new Promise((resolve, reject) => {
    const request = http.request({ hostname, port, method, path, headers }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    request.on('error', reject).end();
  });
}

describe('the door', () => {
  it('refuses a host name that is not the agent’s: the name may have been rebound to this address', async () => {
    await start({ allowedHosts: ['Drover.example'] });
    expect(await status({ host: 'evil.example:4646' })).toBe(403);
    expect(await status({ host: 'localhost.evil.example' })).toBe(403);
    for (const host of [
      '127.0.0.1:4646',
      '[::1]:4646',
      'localhost:1',
      'ui.localhost',
      'drover.example:4646',
      '10.1.2.3',
    ])
      expect([host, await status({ host })]).toEqual([host, 200]);
  });

  it('refuses pages of other origins, whatever they ask for', async () => {
    await start({ allowedOrigins: ['https://ops.example'] });
    const host = '127.0.0.1:4646';
    expect(await status({ host, origin: 'http://evil.example' })).toBe(403);
    expect(await status({ host, origin: 'null' })).toBe(403);
    expect(await status({ host, origin: 'http://127.0.0.1:9999' })).toBe(403);
    expect(await status({ host, 'sec-fetch-site': 'cross-site' }, 'GET', '/v1/client/gc')).toBe(403);
    expect(await status({ host, origin: 'http://127.0.0.1:4646' })).toBe(200);
    expect(await status({ host, origin: 'https://ops.example', 'sec-fetch-site': 'cross-site' })).toBe(200);
    expect(await status({ host, 'sec-fetch-site': 'none' })).toBe(200);
  });

  it('refuses a WebSocket opened by a page of another origin', async () => {
    await start();
    const upgrade = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'x'.repeat(22) + '==',
      'sec-websocket-version': '13',
    };
    const exec = '/v1/client/allocation/x/exec?task=t&command=[]';
    expect(await status({ ...upgrade, origin: 'http://evil.example' }, 'GET', exec)).toBe(403);
  });

  it('asks the peer check once per connection and passes on what it says', async () => {
    let asked = 0;
    await start({
      peerCheck: async () => {
        asked++;
        throw new Fault('denied', 'a sandboxed task may not use the API');
      },
    });
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const { hostname, port } = new URL(server.address);
    const ask = () =>
      new Promise<string>((resolve, reject) => {
        http
          .get({ hostname, port, path: '/v1/jobs', agent }, async (response) => {
            let text = '';
            for await (const chunk of response) text += chunk;
            resolve(`${response.statusCode} ${text}`);
          })
          .on('error', reject);
      });
    expect([await ask(), await ask()]).toEqual(Array(2).fill('403 a sandboxed task may not use the API'));
    expect(asked).toBe(1);
    agent.destroy();
  });

  it('limits the connections of one address, and lets new ones in when others are gone', async () => {
    await start({ connectionsPerAddress: 2 });
    const { hostname, port } = new URL(server.address);
    const open = () =>
      new Promise<Socket>((resolve) => {
        const socket = connect(Number(port), hostname, () => resolve(socket));
      });
    const first = await open();
    const second = await open();
    const third = await open();
    const text = await new Promise<string>((resolve) => third.once('data', (data) => resolve(String(data))));
    expect(text).toMatch(/^HTTP\/1.1 429 /);
    first.destroy();
    second.destroy();
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(await status({})).toBe(200);
  });

  it('cuts bodies that are too long', async () => {
    server = await startFakeServer({ maximumBodyBytes: 1000 });
    const answer = await fetch(`${server.address}/v1/jobs`, { method: 'PUT', body: 'x'.repeat(2000) });
    expect(answer.status).toBe(413);
  });
});

/** Resolves when a connection that speaks no newer version than this is secure. */
async function handshake(address: string, ca: string, maxVersion: tls.SecureVersion): Promise<void> {
  const [host, port] = address.split(':') as [string, string];
  const socket = tls.connect({ host, port: Number(port), ca, maxVersion });
  await once(socket, 'secureConnect').finally(() => socket.destroy());
}

describe('over TLS', () => {
  const openssl = spawnSync('openssl', ['version']).status === 0;

  it.skipIf(!openssl)(
    'the peer of the connection is checked all the same, and older versions are refused',
    async () => {
      const directory = mkdtempSync(join(tmpdir(), 'api-tls-'));
      const [keyFile, certFile] = [join(directory, 'key'), join(directory, 'cert')];
      const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=IP:127.0.0.1'];
      const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'];
      spawnSync('openssl', [...made, ...subject, '-keyout', keyFile, '-out', certFile]);
      const [key, cert] = [readFileSync(keyFile, 'utf8'), readFileSync(certFile, 'utf8')];
      rmSync(directory, { recursive: true });
      let refuse = false;
      await start({
        peerCheck: async (socket) => {
          expect(socket.remotePort).toBeGreaterThan(0);
          if (refuse) throw new Fault('denied', 'a sandboxed task may not use the API');
        },
      });
      const [address] = await server.api.listen([{ port: 0, tls: { key, cert, minVersion: 'TLSv1.3' } }]);
      const ask = async () => {
        const transport = httpTransport({ address: `https://${address}`, tls: { ca: cert } });
        const answer = await transport.request({ method: 'GET', path: '/v1/regions', headers: {} });
        const text = await collectText(answer.body);
        transport.close();
        return `${answer.status} ${text}`;
      };
      expect(await ask()).toBe('200 ["global"]');
      await expect(handshake(address!, cert, 'TLSv1.2')).rejects.toThrow(/protocol version/);
      await handshake(address!, cert, 'TLSv1.3');
      refuse = true;
      expect(await ask()).toBe('403 a sandboxed task may not use the API');
    },
  );
});
