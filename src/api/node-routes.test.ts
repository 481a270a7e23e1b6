import { afterEach, describe, expect, it } from 'vitest';
import { collectText } from '../api-client/index.ts';
import type { ClientNode, FileFrame } from '../client/client-node.ts';
import type { ExecSession } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import { allocationRow, type FakeServer, nodeRow, startFakeServer, testId } from './fake-agent.ts';

const alloc = testId(1);
const nodeId = testId(9);
const servers: FakeServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A node that has one allocation with one file and one log; no task runs. */
function smallNode(more: Partial<ClientNode> = {}): ClientNode {
  const text = Buffer.from('0123456789');
  const unknown = (id: string) => {
    if (id !== alloc) throw new Fault('not_found', `Unknown allocation ${JSON.stringify(id)}`);
  };
  const frame = (data: string, offset: number): FileFrame => ({
    file: 'alloc/logs/t.stdout.0',
    offset,
    data: Buffer.from(data),
    event: '',
  });
  return {
    node: () => nodeRow({ ID: nodeId }),
    hasAllocation: (id: string) => id === alloc,
    list: async (id: string) => {
      unknown(id);
      return [{ Name: 'ten', IsDir: false, Size: 10, FileMode: '-rw-r--r--', ModTime: '2026-01-01T00:00:00Z' }];
    },
    stat: async (id: string, path: string) => {
      unknown(id);
      if (path !== 'ten') throw new Fault('not_found', `stat ${path}: no such file or directory`);
      return {
        Name: 'ten',
        IsDir: false,
        Size: 10,
        FileMode: '-rw-r--r--',
        ModTime: '2026-01-01T00:00:00Z',
        ContentType: 'text/html',
      };
    },
    async *read(_id: string, _path: string, { offset, limit }: { offset: number; limit: number }) {
      yield text.subarray(offset, limit < 0 ? undefined : offset + limit);
    },
    async *logs(id: string, { follow }: { follow: boolean }, signal: AbortSignal) {
      unknown(id);
      yield frame('line one\n', 9);
      if (!follow) return;
      await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
    },
    async *follow() {
      yield { ...frame('x'.repeat(100_000), 100_000), file: 'ten' };
    },
    ...more,
  } as ClientNode;
}

async function start(node: ClientNode | null = smallNode()): Promise<FakeServer> {
  const server = await startFakeServer({ client: node });
  servers.push(server);
  return server;
}

const text = async (server: FakeServer, path: string) => {
  const answer = await fetch(server.address + path);
  return [answer.status, answer.headers.get('content-type'), await answer.text()] as const;
};

describe('files', () => {
  it('are listed, described and read; html is never sent as html', async () => {
    const server = await start();
    const { files } = server.client;
    expect((await files.list(alloc)).value[0]?.Name).toBe('ten');
    expect((await files.stat(alloc, 'ten')).value.Size).toBe(10);
    expect(await collectText(files.cat(alloc, 'ten'))).toBe('0123456789');
    expect(await collectText(files.readAt(alloc, 'ten', { offset: 3, limit: 4 }))).toBe('3456');
    expect(await collectText(files.readAt(alloc, 'ten', { offset: 1 }))).toBe('123456789');
    expect((await text(server, `/v1/client/fs/cat/${alloc}?path=ten`))[1]).toBe('text/plain; charset=utf-8');
  });

  it.each([
    ['/v1/client/fs/ls/', 400, 'must provide a valid alloc id'],
    [`/v1/client/fs/ls/${testId(2)}`, 404, `Unknown allocation "${testId(2)}"`],
    [`/v1/client/fs/stat/${alloc}`, 400, 'must provide a file name'],
    [`/v1/client/fs/stat/${alloc}?path=zz`, 404, 'stat zz: no such file or directory'],
    [`/v1/client/fs/cat/${alloc}`, 200, 'must provide a file name'],
    [`/v1/client/fs/cat/${alloc}?path=zz`, 200, 'stat zz: no such file or directory'],
    [`/v1/client/fs/stream/${alloc}?path=ten&origin=middle`, 400, 'origin must be start or end'],
    [`/v1/client/fs/stream/${alloc}?path=zz`, 400, 'stat zz: no such file or directory'],
    [`/v1/client/fs/logs/${alloc}?task=t`, 400, 'must provide log type (stdout/stderr)'],
    [
      `/v1/client/fs/logs/${alloc}?task=t&type=stdout&follow=maybe`,
      400,
      'failed to parse follow field to boolean: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    [`/v1/client/fs/logs/${testId(2)}?task=t&type=stdout`, 404, `Unknown allocation "${testId(2)}"`],
    [`/v1/client/stats?node_id=${testId(3)}`, 404, `Unknown node ${testId(3)}`],
    [`/v1/client/allocation/${alloc}/exec?task=t`, 500, 'websocket connection not found in context'],
  ])('%s is %i %s', async (path, status, message) => {
    const answer = await text(await start(), path);
    expect([answer[0], answer[2]]).toEqual([status, message]);
  });

  it('are streamed in frames of at most 64 KiB whose offsets are right', async () => {
    const server = await start();
    const offsets: number[] = [];
    for await (const frame of server.client.files.follow(alloc, 'ten', { follow: false })) offsets.push(frame.offset);
    expect(offsets).toEqual([65536, 100_000]);
  });
});

describe('logs', () => {
  it('come as frames or plain, and end where they are not followed', async () => {
    const server = await start();
    const path = `/v1/client/fs/logs/${alloc}?task=t&type=stdout`;
    expect(await text(server, path)).toEqual([
      200,
      'application/json',
      '{"Offset":9,"Data":"bGluZSBvbmUK","File":"alloc/logs/t.stdout.0"}',
    ]);
    expect(await text(server, `${path}&plain=true`)).toEqual([200, 'text/plain', 'line one\n']);
  });

  it('that are followed bring a heartbeat each second, compressed or not, and end when the reader leaves', async () => {
    let ended: () => void = () => {};
    const left = new Promise<void>((resolve) => {
      ended = resolve;
    });
    const node = smallNode();
    const logs: ClientNode['logs'] = (id, request, signal) => {
      signal.addEventListener('abort', ended);
      return node.logs(id, request, signal);
    };
    const server = await start({ ...node, logs });
    const controller = new AbortController();
    const target = `/v1/client/fs/logs/${alloc}?task=t&type=stdout&follow=true`;
    const seen: string[] = [];
    const reading = (async () => {
      for await (const chunk of server.client.api.stream(target, { signal: controller.signal })) {
        seen.push(Buffer.from(chunk).toString());
        if (seen.join('').endsWith('{}')) break;
      }
    })();
    await reading;
    expect(seen.join('')).toMatch(/^\{"Offset":9.*\}\{\}$/);
    await left;
  });

  it('are ended at once when the agent stops', async () => {
    const server = await start();
    const following = text(server, `/v1/client/fs/logs/${alloc}?task=t&type=stdout&follow=true`);
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await server.api.close();
    expect((await following)[2]).toContain('Offset');
    expect(performance.now() - before).toBeLessThan(450);
  });
});

/** Upper-cases its input; ends with code 3 when the input ends. */
function echoSession(): ExecSession {
  const chunks: (Uint8Array | null)[] = [];
  let wake: () => void = () => {};
  let ended: (exit: { exitCode: number; signal: number; oomKilled: boolean }) => void = () => {};
  const push = async (chunk: Uint8Array | null) => {
    chunks.push(chunk);
    wake();
  };
  return {
    writeStdin: push,
    closeStdin: () => push(null),
    resize: async ({ width }) => push(Buffer.from(`width ${width}\n`)),
    output: (async function* () {
      for (;;) {
        const chunk = chunks.shift();
        if (chunk === undefined)
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
        else if (chunk === null) break;
        else yield { stream: 'stdout' as const, data: Buffer.from(Buffer.from(chunk).toString().toUpperCase()) };
      }
      ended({ exitCode: 3, signal: 0, oomKilled: false });
    })(),
    exit: new Promise((resolve) => {
      ended = resolve as typeof ended;
    }),
  } as ExecSession;
}

describe('exec', () => {
  const node = () =>
    smallNode({
      exec: async (id, task) => {
        if (id !== alloc) throw new Fault('not_found', `Unknown allocation ${JSON.stringify(id)}`);
        if (task !== 't') throw new Fault('unavailable', 'task not found');
        return echoSession();
      },
    });

  it('passes input, output, the size of the terminal and the exit code', async () => {
    const server = await start(node());
    const session = await server.client.exec(alloc, { task: 't', command: ['cat'], tty: true });
    await session.resize({ height: 1, width: 80 });
    await session.writeStdin(Buffer.from('héllo\n'));
    await session.closeStdin();
    let output = '';
    for await (const { stream, data } of session.output) output += `${stream}: ${Buffer.from(data)}`;
    expect([output, await session.exitCode]).toEqual(['stdout: WIDTH 80\nstdout: HÉLLO\n', 3]);
  });

  it.each([
    ['zz', alloc, 1011, 'task not found'],
    ['t', testId(2), 1008, `Unknown allocation "${testId(2)}"`],
  ])('of task %s in %s closes with %i and the reason', async (task, id, code, reason) => {
    const server = await start(node());
    const socket = await server.client.api.webSocket(`/v1/client/allocation/${id}/exec?task=${task}&command=["x"]`);
    expect(await socket.closed).toEqual({ code, reason });
    const session = await server.client.exec(id, { task, command: ['x'], tty: false });
    for await (const _ of session.output) throw new Error('no output expected');
    await expect(session.exitCode).rejects.toThrow(reason);
  });

  it('kills the command when the caller leaves', async () => {
    let killed: () => void = () => {};
    const dead = new Promise<void>((resolve) => {
      killed = resolve;
    });
    const server = await start(
      smallNode({
        exec: async (_id, _task, _request, signal) => {
          signal.addEventListener('abort', killed);
          return echoSession();
        },
      }),
    );
    const session = await server.client.exec(alloc, { task: 't', command: ['cat'], tty: false });
    session.close();
    await dead;
  });
});

describe('an allocation on another node', () => {
  async function pair(): Promise<FakeServer> {
    const far = await start(smallNode({ exec: async () => echoSession() }));
    const near = await start(null);
    const address = far.address.replace('http://', '');
    const row = nodeRow({ ID: nodeId, HTTPAddr: address });
    await near.put(
      { table: 'nodes', id: nodeId, row },
      { table: 'nodes', id: testId(8), row: nodeRow({ ID: testId(8), HTTPAddr: '127.0.0.1:1' }) },
      { table: 'allocations', id: alloc, row: allocationRow({ ID: alloc, NodeID: nodeId }) },
      { table: 'allocations', id: testId(4), row: allocationRow({ ID: testId(4), NodeID: testId(8) }) },
    );
    return near;
  }

  it('is served through its node: values, streams, errors', async () => {
    const near = await pair();
    expect((await near.client.files.list(alloc)).value[0]?.Name).toBe('ten');
    const frames = [];
    for await (const frame of near.client.files.logs(alloc, { task: 't', type: 'stdout' })) frames.push(frame);
    expect(Buffer.from(frames[0]!.data).toString()).toBe('line one\n');
    await expect(near.client.files.stat(alloc, 'zz')).rejects.toThrow('404 (stat zz: no such file or directory)');
    await expect(near.client.files.list(testId(4))).rejects.toThrow('404 (No path to node)');
    await expect(near.client.files.list(testId(5))).rejects.toThrow(`404 (Unknown allocation "${testId(5)}")`);
  });

  it('is reached by a WebSocket too', async () => {
    const near = await pair();
    const session = await near.client.exec(alloc, { task: 't', command: ['cat'], tty: false });
    await session.writeStdin(Buffer.from('far'));
    await session.closeStdin();
    let output = '';
    for await (const { data } of session.output) output += Buffer.from(data);
    expect([output, await session.exitCode]).toEqual(['FAR', 3]);
  });

  it('is let go at once when this agent stops: parked streams and sessions end', async () => {
    const near = await pair();
    const session = await near.client.exec(alloc, { task: 't', command: ['cat'], tty: false });
    const following = text(near, `/v1/client/fs/logs/${alloc}?task=t&type=stdout&follow=true`).catch(() => 'cut');
    await new Promise((resolve) => setTimeout(resolve, 100));
    const before = performance.now();
    await near.api.close();
    for await (const _ of session.output) throw new Error('no output expected');
    await expect(session.exitCode).rejects.toThrow('closed');
    await following;
    expect(performance.now() - before).toBeLessThan(1000);
  });

  it('is never passed in circles', async () => {
    const near = await pair();
    const answer = await fetch(`${near.address}/v1/client/fs/ls/${alloc}`, { headers: { 'x-drover-forwarded': '2' } });
    expect([answer.status, await answer.text()]).toEqual([404, 'No path to node']);
  });

  it('of an agent without a server is asked of one', async () => {
    const server = await start(null);
    const clientOnly = await startFakeServer({
      store: null,
      client: smallNode(),
      serverPeer: () => ({ address: server.address.replace('http://', ''), secure: false }),
    });
    servers.push(clientOnly);
    await server.put({ table: 'allocations', id: alloc, row: allocationRow({ ID: alloc }) });
    expect((await clientOnly.client.allocations.read(alloc)).value.ID).toBe(alloc);
    expect((await clientOnly.client.files.list(alloc)).value[0]?.Name).toBe('ten');
  });
});

it('metrics come as JSON and in the text format of Prometheus', async () => {
  const server = await start();
  const json = JSON.parse((await text(server, '/v1/metrics'))[2]) as { Gauges: { Name: string }[] };
  expect(json.Gauges[0]?.Name).toBe('nomad.runtime.alloc_bytes');
  expect((await text(server, '/v1/metrics?format=prometheus'))[2]).toBe(
    '# HELP nomad_runtime_alloc_bytes nomad_runtime_alloc_bytes\n# TYPE nomad_runtime_alloc_bytes gauge\nnomad_runtime_alloc_bytes{host="h\\"1"} 5\n',
  );
});

it('the monitor streams log lines', async () => {
  const server = await start();
  for await (const lines of server.client.agent.monitor()) {
    expect(lines).toBe('first line\n');
    break;
  }
  await expect(server.client.api.get('/v1/agent/monitor?log_level=nope')).rejects.toThrow(
    '400 (Unknown log level: nope)',
  );
});
