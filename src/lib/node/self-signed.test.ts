import { X509Certificate } from 'node:crypto';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { expect, it } from 'vitest';
import { type SelfSigned, selfSigned } from './self-signed.ts';

it('a certificate of its own is valid, names its host and is its own authority', () => {
  const { certificate, key, der } = selfSigned('localhost', Date.now());
  const read = new X509Certificate(certificate);
  expect(read.checkHost('localhost')).toBe('localhost');
  expect(read.checkHost('elsewhere')).toBeUndefined();
  expect(read.ca).toBe(true);
  expect(read.verify(read.publicKey)).toBe(true);
  expect(read.raw.equals(der)).toBe(true);
  expect(new Date(read.validFrom).getTime()).toBeLessThan(Date.now());
  expect(new Date(read.validTo).getFullYear()).toBeGreaterThan(new Date().getFullYear() + 28);
  expect(key).toContain('PRIVATE KEY');
  expect(selfSigned('localhost', Date.now()).der.equals(der)).toBe(false);
});

async function talk(server: SelfSigned, client: SelfSigned, serverTrusts: SelfSigned, clientTrusts: SelfSigned) {
  const listening = createServer(
    { cert: server.certificate, key: server.key, ca: serverTrusts.certificate, requestCert: true },
    (socket) => socket.end('hello'),
  );
  listening.on('tlsClientError', () => {});
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  const { port } = listening.address() as { port: number };
  try {
    return await new Promise<string>((resolve, reject) => {
      const socket: TLSSocket = connect({
        host: '127.0.0.1',
        port,
        servername: 'localhost',
        ca: clientTrusts.certificate,
        cert: client.certificate,
        key: client.key,
      });
      socket
        .setEncoding('utf8')
        .on('data', resolve)
        .on('error', reject)
        .on('close', () => reject(new Error('closed')));
    });
  } finally {
    listening.close();
  }
}

it('two that trust each other talk; a third gets in on neither side', async () => {
  const [a, b, c] = [1, 2, 3].map(() => selfSigned('localhost', Date.now())) as [SelfSigned, SelfSigned, SelfSigned];
  expect(await talk(a, b, b, a)).toBe('hello');
  await expect(talk(a, c, b, a)).rejects.toThrow();
  await expect(talk(c, b, b, a)).rejects.toThrow();
});
