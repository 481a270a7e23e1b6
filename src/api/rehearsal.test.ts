/** A node asked over HTTP: by who knows its secret, and by nobody else. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { ClientNode } from '../client/client-node.ts';
import type { RehearsalAsk } from '../model/rehearsal.ts';
import { httpNodeConnection } from '../server/http-node-connection.ts';
import { proofHeader, proofOf, rehearsalPath } from '../server/node-connection.ts';
import { allocationRow, type FakeServer, jobRow, nodeRow, startFakeServer, testId } from './fake-agent.ts';

const never = new AbortController().signal;
const secret = testId(7);
const servers: { close(): unknown }[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

const ask: RehearsalAsk = {
  Job: jobRow({ ID: 'job', TaskGroups: [] }),
  Allocations: [allocationRow({ ID: testId(1), TaskGroup: 'g' })],
};

async function node(rehearse: ClientNode['rehearse']): Promise<FakeServer> {
  const client = { node: () => nodeRow({ ID: testId(9), SecretID: secret }), rehearse } as ClientNode;
  const server = await startFakeServer({ client });
  servers.push(server);
  return server;
}

const at = (address: string, more: object = {}) =>
  nodeRow({ ID: testId(9), SecretID: secret, HTTPAddr: address.replace('http://', ''), ...more });
const { rehearse } = httpNodeConnection({});
const answering = async () => ({
  Groups: [{ Name: 'g', Tasks: [{ Name: 't', Refusals: ['no'], NotAsked: '' }] }],
});

describe('a node', () => {
  it('is asked with the job and its allocations, and answers', async () => {
    const asked: RehearsalAsk[] = [];
    const { address } = await node(async (given) => {
      asked.push(given);
      return answering();
    });
    expect(await rehearse(at(address), ask, never)).toEqual(await answering());
    expect(asked[0]).toEqual(JSON.parse(JSON.stringify(ask)));
  });

  it('tells nobody who does not know its secret, whatever was seen of another body', async () => {
    let asked = 0;
    const { address } = await node(async () => {
      asked++;
      return answering();
    });
    const put = async (headers: Record<string, string>, body: string) =>
      (await fetch(address + rehearsalPath, { method: 'PUT', headers, body })).status;
    const body = JSON.stringify(ask);
    const proof = proofOf(secret, body);
    expect(await put({ [proofHeader]: proof }, body)).toBe(200);
    expect(await put({}, body)).toBe(403);
    expect(await put({ [proofHeader]: proof }, `${body} `)).toBe(403);
    expect(await put({ [proofHeader]: proofOf('', body) }, body)).toBe(403);
    expect(asked).toBe(1);
    await expect(rehearse(at(address, { SecretID: testId(8) }), ask, never)).rejects.toThrow('to its servers alone');
  });

  it('hears that its caller is gone', async () => {
    let heard: () => void = () => {};
    const gone = new Promise<void>((resolve) => {
      heard = resolve;
    });
    const { address } = await node(async (_ask, signal) => {
      signal.addEventListener('abort', heard);
      return new Promise(() => {});
    });
    const caller = new AbortController();
    const asking = rehearse(at(address), ask, caller.signal);
    setTimeout(() => caller.abort(), 100);
    await expect(asking).rejects.toThrow();
    await gone;
  });

  it.each([
    ['that is not reached', at('127.0.0.1:1'), 'does not answer'],
    ['that told no address', at(''), 'it told no address'],
    ['of another machine, without TLS', at('192.0.2.1:4646'), 'over TLS only'],
  ])('%s is not asked', async (_what, row, reason) => {
    await expect(rehearse(row, ask, never)).rejects.toThrow(reason);
  });

  it.each([
    [404, '', 'of a version that does not tell'],
    [500, 'x'.repeat(10_000), 'x'.repeat(1000)],
    [200, '{"Groups":[{"Name":"g","Tasks":7}]}', 'its answer has no Tasks'],
    [200, '"', 'its answer is no JSON'],
    [200, ' '.repeat(5 * 1024 * 1024), 'more than 4194304 bytes'],
  ])('that answers %i with nonsense is not asked', async (status, body, reason) => {
    const server = createServer((_request, response) => response.writeHead(status).end(body));
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    servers.push(server);
    const { port } = server.address() as AddressInfo;
    await expect(rehearse(at(`127.0.0.1:${port}`), ask, never)).rejects.toThrow(reason);
  });
});
