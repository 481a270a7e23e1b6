import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readlinkSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { holderInOwnPidNamespace, peerSocket } from './socket-owner.ts';

const open: (Server | Socket)[] = [];
afterEach(() => {
  for (const each of open.splice(0)) 'destroy' in each ? each.destroy() : each.close();
});

/** The server's end of a new connection, and the inode of the socket at the other end. */
async function pair(server: Server, host: string, from?: { localAddress: string; localPort: number }) {
  const accepted = new Promise<Socket>((resolve) => server.once('connection', resolve));
  const client = connect({ host, port: (server.address() as { port: number }).port, ...from });
  open.push(client);
  await new Promise((resolve, reject) => client.once('connect', resolve).once('error', reject));
  const end = await accepted;
  open.push(end);
  const { fd } = (client as unknown as { _handle: { fd: number } })._handle;
  const { remoteAddress, remotePort, localAddress, localPort } = end as Required<Socket>;
  const inode = /\d+/.exec(readlinkSync(`/proc/self/fd/${fd}`))?.[0];
  return {
    client,
    inode,
    end: { remoteAddress, remotePort, localAddress, localPort } as Parameters<typeof peerSocket>[0],
  };
}

async function listen(host: string): Promise<Server> {
  const server = createServer();
  open.push(server);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, host, resolve));
  return server;
}

describe.skipIf(process.platform !== 'linux')('the socket at the other end of a connection', () => {
  it.each(['127.0.0.1', '::1', '::'])('is found where the server listens on %s', async (host) => {
    const server = await listen(host).catch(() => null);
    // a host without IPv6
    if (server === null) return;
    for (const to of host === '::' ? ['127.0.0.1', '::1'] : [host]) {
      const { inode, end } = await pair(server, to);
      expect(await peerSocket(end), to).toEqual({ uid: process.getuid?.(), inode });
    }
  });

  it('is that of this connection, not of one with the same ports from another address', async () => {
    const server = await listen('127.0.0.1');
    const first = await pair(server, '127.0.0.1');
    const { localPort } = first.client as Required<Socket>;
    const all = [first];
    for (const last of [2, 3, 4, 5, 6, 7])
      all.push(await pair(server, '127.0.0.1', { localAddress: `127.0.0.${last}`, localPort }));
    for (const { end, inode } of all) expect((await peerSocket(end))?.inode).toBe(inode);
  });

  it('is held by whom it is, whoever held those before: one that was remembered is looked at as closely', async () => {
    const server = await listen('127.0.0.1');
    const holderOf = async (end: Parameters<typeof peerSocket>[0]) => holderInOwnPidNamespace((await peerSocket(end))!);
    expect(await holderOf((await pair(server, '127.0.0.1')).end)).toBe(process.pid);
    expect(await holderOf((await pair(server, '127.0.0.1')).end)).toBe(process.pid);

    const { port } = server.address() as { port: number };
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const child = spawn(process.execPath, ['-e', `require('node:net').connect(${port}, '127.0.0.1')`]);
    const [end] = await accepted;
    open.push(end);
    const theirs = await peerSocket(end as Parameters<typeof peerSocket>[0]);
    expect(await holderInOwnPidNamespace(theirs!)).toBe(child.pid);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await holderInOwnPidNamespace(theirs!)).toBeUndefined();
    expect(await holderOf((await pair(server, '127.0.0.1')).end)).toBe(process.pid);
  });
});
