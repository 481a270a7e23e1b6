import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isFault } from '../lib/fault.ts';
import type { Node } from '../model/node.ts';
import { eventTypes, exit, TestNode, type TestServer, testAllocation, testJob, until } from './client-test-kit.ts';
import { httpServerConnection } from './http-server-connection.ts';
import type { AllocationUpdate, NodeCredentials } from './server-connection.ts';
import { nodeWireHeaders, nodeWirePaths } from './server-connection-wire.ts';

/** The wire's other end over a TestServer, as thin as it can be, with the faults of a network. */
class WireServer {
  readonly test: TestServer;
  readonly http: Server;
  readonly joinTokens: string[] = [];
  /** Asked for each call: what the network does with it. */
  network: () => { readonly delayMs: number; readonly fate: 'ok' | 'request-lost' | 'answer-lost' | 'twice' } = () => ({
    delayMs: 0,
    fate: 'ok',
  });

  constructor(test: TestServer) {
    this.test = test;
    this.http = createServer((request, response) => {
      const gone = new AbortController();
      response.on('close', () => gone.abort());
      void (async () => {
        const text = await body(request);
        const { delayMs, fate } = this.network();
        await new Promise((resolve) => setTimeout(resolve, delayMs));
        if (fate === 'request-lost') return void request.socket.destroy();
        const answer = async (): Promise<[number, unknown]> => {
          try {
            return [200, await this.#call(request, JSON.parse(text) as Sent, gone.signal)];
          } catch (error) {
            const status = isFault(error, 'not_found') ? 404 : 500;
            return [status, error instanceof Error ? error.message : ''];
          }
        };
        if (fate === 'twice') await answer();
        const [status, value] = await answer();
        if (fate === 'answer-lost') return void request.socket.destroy();
        response.writeHead(status, { 'content-type': 'application/json' });
        response.end(typeof value === 'string' ? value : JSON.stringify(value));
      })();
    });
  }

  async #call(request: IncomingMessage, { Node, Index, IDs, Updates }: Sent, signal: AbortSignal): Promise<unknown> {
    const who: NodeCredentials = {
      nodeId: String(request.headers[nodeWireHeaders.nodeId]),
      secretId: String(request.headers[nodeWireHeaders.secretId]),
    };
    switch (request.url) {
      case nodeWirePaths.register: {
        this.joinTokens.push(String(request.headers[nodeWireHeaders.joinToken]));
        const done = await this.test.register(Node);
        return { Index: done.index, HeartbeatTtlMs: done.heartbeatTtlMs };
      }
      case nodeWirePaths.heartbeat:
        return { HeartbeatTtlMs: (await this.test.heartbeat(who)).heartbeatTtlMs };
      case nodeWirePaths.watch: {
        const watch = await this.test.watchAllocations(who, Index, signal);
        return { Index: watch.index, Allocations: watch.allocations };
      }
      case nodeWirePaths.read:
        return { Allocations: await this.test.readAllocations(who, IDs) };
      case nodeWirePaths.update:
        await this.test.updateAllocations(who, Updates);
        return {};
      default:
        return { Job: null };
    }
  }

  async listen(): Promise<string> {
    await new Promise<void>((resolve) => this.http.listen(0, '127.0.0.1', resolve));
    return `127.0.0.1:${(this.http.address() as AddressInfo).port}`;
  }

  close(): void {
    this.http.closeAllConnections();
    this.http.close();
  }
}

interface Sent {
  readonly Node: Node;
  readonly Index: number;
  readonly IDs: readonly string[];
  readonly Updates: readonly AllocationUpdate[];
}

async function body(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}

let world: TestNode;
let wire: WireServer;
let address: string;

beforeEach(async () => {
  world = new TestNode();
  wire = new WireServer(world.server);
  address = await wire.listen();
});
afterEach(async () => {
  wire.network = () => ({ delayMs: 0, fate: 'ok' });
  await world.end();
  wire.close();
});

const { signal } = new AbortController();
const who = { nodeId: 'n', secretId: 's' };

describe('the servers over HTTP', () => {
  it('carry an allocation from placement to its end, the join token with the registration', async () => {
    await world.start({}, httpServerConnection({ servers: [address], joinToken: 'the-token', tls: null }));
    const alloc = testAllocation(testJob('http', [{ Name: 't' }]));
    world.server.put(alloc);
    await until(() => world.server.last(alloc.ID)?.ClientStatus === 'running');
    world.machine.find('t').end(exit(0));
    await until(() => world.server.last(alloc.ID)?.ClientStatus === 'complete');
    expect(eventTypes(world.server.last(alloc.ID), 't')).toEqual(['Received', 'Task Setup', 'Started', 'Terminated']);
    expect(wire.joinTokens[0]).toBe('the-token');
  });

  it('lead to the same end through delay, loss and duplicates', { timeout: 60_000 }, async () => {
    let seed = 7;
    const random = (): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
      return seed / 2_147_483_648;
    };
    wire.network = () => {
      const fates = ['request-lost', 'answer-lost', 'twice', 'ok', 'ok', 'ok'] as const;
      return { delayMs: random() * 30, fate: fates[Math.floor(random() * fates.length)]! };
    };
    await world.start({}, httpServerConnection({ servers: [address], joinToken: '', tls: null }));
    const allocs = Array.from({ length: 6 }, (_, n) => testAllocation(testJob(`chaos-${n}`, [{ Name: `t${n}` }])));
    for (const alloc of allocs) {
      world.server.put(alloc);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await until(() => world.machine.live().length === allocs.length, 30_000);
    for (const task of world.machine.live()) task.end(exit(0));
    await until(() => allocs.every((alloc) => world.server.last(alloc.ID)?.ClientStatus === 'complete'), 30_000);
    expect(world.machine.starts).toHaveLength(allocs.length);
  });

  it('are tried in turn, and an unknown node is told apart from a server that is away', async () => {
    const connection = httpServerConnection({ servers: ['127.0.0.1:1', address], joinToken: '', tls: null });
    await expect(connection.heartbeat(who, signal)).rejects.toMatchObject({ kind: 'not_found' });
    wire.close();
    await expect(connection.heartbeat(who, signal)).rejects.toMatchObject({ kind: 'unavailable' });
    connection.close();
  });

  it('are tried in turn by each of many calls at once', async () => {
    const connection = httpServerConnection({ servers: ['127.0.0.1:1', address], joinToken: '', tls: null });
    const calls = Array.from({ length: 4 }, () => connection.heartbeat(who, signal));
    for (const call of calls) await expect(call).rejects.toMatchObject({ kind: 'not_found' });
    expect(connection.current().address).toBe(address);
    connection.close();
  });

  it('are given up on after a time, and at once when nobody waits any more', async () => {
    wire.network = () => ({ delayMs: 5_000, fate: 'ok' });
    const connection = httpServerConnection({ servers: [address], joinToken: '', tls: null, timeoutMs: 50 });
    await expect(connection.heartbeat(who, signal)).rejects.toThrow('no answer within 50 ms');
    const leaving = new AbortController();
    const call = connection.watchAllocations(who, 0, leaving.signal);
    leaving.abort();
    await expect(call).rejects.toThrow();
    connection.close();
  });

  it('get no secret over plain HTTP to another machine, and no address that is none', () => {
    const connect = (server: string) => () => httpServerConnection({ servers: [server], joinToken: 'x', tls: null });
    expect(connect('10.0.0.1:4646')).toThrow('to another machine only with tls');
    expect(connect('http://server.example:4646')).toThrow('to another machine only with tls');
    expect(connect('ftp://127.0.0.1')).toThrow('use http or https');
    expect(connect('127.0.0.1:notaport')).toThrow('is no server address');
    expect(connect('localhost')).not.toThrow();
  });
});
