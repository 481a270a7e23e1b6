// Sessions in tasks of a plugin that reads no input, says nothing or is gone: no call of theirs outlasts its session.
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { create } from '@bufbuild/protobuf';
import {
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type sendUnaryData,
} from '@grpc/grpc-js';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { ExecSession } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { Fault } from '../../lib/fault.ts';
import { receivingOptions, serviceDefinition } from '../rpc.ts';
import { defaultLimits, PluginCalls } from './plugin-calls.ts';
import { PluginFaults } from './plugin-faults.ts';
import { remoteExec } from './remote-exec.ts';

type Call = ServerDuplexStream<wire.ExecTaskStreamingRequest, wire.ExecTaskStreamingResponse>;

const never = new AbortController().signal;
const directory = mkdtempSync(join(tmpdir(), 'drover-remote-exec-'));
const target = `unix:${join(directory, 'plugin.sock')}`;
const server = new Server();
const clients: Client[] = [];
/** What the plugin does with a session. */
let plugin: (call: Call) => void;

beforeAll(async () => {
  const unasked = Object.fromEntries(wire.Driver.methods.map(({ localName }) => [localName, () => {}]));
  server.addService(serviceDefinition(wire.Driver), {
    ...unasked,
    inspectTask: (_: unknown, answer: sendUnaryData<wire.InspectTaskResponse>) =>
      answer(null, create(wire.InspectTaskResponseSchema)),
    execTaskStreaming: (call: Call) => plugin(call),
  });
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(target, ServerCredentials.createInsecure(), (error) => (error ? reject(error) : resolve()));
  });
});

afterEach(() => {
  for (const client of clients.splice(0)) client.close();
});

afterAll(() => {
  server.forceShutdown();
  rmSync(directory, { recursive: true, force: true });
});

interface Asked {
  readonly signal?: AbortSignal;
  readonly gone?: AbortSignal;
  readonly at?: string;
  readonly questionMs?: number;
  /** Of its connections. */
  readonly options?: object;
}

function callsOf({
  gone = never,
  at = target,
  questionMs = defaultLimits.questionMs,
  options = {},
}: Asked): PluginCalls {
  const connect = (): Client => {
    const client = new Client(at, credentials.createInsecure(), { ...receivingOptions, ...options });
    clients.push(client);
    return client;
  };
  return new PluginCalls(connect, { ...defaultLimits, questionMs }, new PluginFaults(), gone);
}

const exec = (asked: Asked = {}, calls = callsOf(asked)): Promise<ExecSession> =>
  remoteExec(calls, 'a/t/0', { command: ['true'], tty: true, size: { height: 24, width: 80 } }, asked.signal ?? never);

const ended = { kind: 'conflict', message: 'the command has ended' };

test('a plugin that is not there has no session', async () => {
  await expect(exec({ at: `unix:${join(directory, 'nobody.sock')}` })).rejects.toMatchObject({ kind: 'unavailable' });
});

test('one whose caller gives up ends, and so does what waits in it', async () => {
  plugin = (call) => call.pause();
  const caller = new AbortController();
  const { exit, writeStdin } = await exec({ signal: caller.signal });
  const waiting = filling(writeStdin);
  caller.abort(new Error('given up'));
  await expect(exit).rejects.toThrow('given up');
  await expect(waiting).rejects.toMatchObject(ended);
});

test('one ends with the process of its plugin, whoever holds the socket', async () => {
  plugin = () => {};
  const process = new AbortController();
  const { exit, output } = await exec({ gone: process.signal });
  process.abort(new Fault('unavailable', 'the plugin ended'));
  await expect(exit).rejects.toMatchObject({ kind: 'unavailable', message: 'the plugin ended' });
  for await (const chunk of output) expect.unreachable(String(chunk));
});

test('input that nobody read is not waited for when the command has ended', async () => {
  let end = (): void => {};
  plugin = (call) => {
    call.pause();
    call.sendMetadata(new Metadata());
    end = () => call.emit('error', { code: 2, details: 'task not found for given id' });
  };
  const { exit, writeStdin } = await exec();
  const waiting = filling(writeStdin);
  end();
  await expect(exit).rejects.toMatchObject({ kind: 'not_found' });
  await expect(waiting).rejects.toMatchObject(ended);
});

test('of a command that has ended the input is closed already, and its size nobody asks', async () => {
  plugin = (call) => {
    call.write(create(wire.ExecTaskStreamingResponseSchema, { exited: true, result: { exitCode: 3 } }));
    call.end();
  };
  const { exit, closeStdin, resize, writeStdin } = await exec();
  expect((await exit).exitCode).toBe(3);
  await closeStdin();
  await resize({ height: 1, width: 1 });
  await expect(writeStdin(Buffer.from('x'))).rejects.toMatchObject(ended);
});

test('an answer in the wrong order ends its session alone: the driver has another connection', async () => {
  const path = join(directory, 'odd.sock');
  const odd = await oddServer(path);
  // long after the question
  const options = { 'grpc.keepalive_time_ms': 8_000, 'grpc.keepalive_timeout_ms': 100 };
  const asked = { at: `unix:${path}`, questionMs: 1_000, options };
  const calls = callsOf(asked);
  try {
    const { exit } = await exec(asked, calls);
    await expect(exit).rejects.toMatchObject({ kind: 'unavailable', message: 'the plugin gave no answer in time' });
    await expect.poll(odd.connections, { timeout: 60_000 }).toBe(0);
    const inspect = create(wire.InspectTaskRequestSchema, { taskId: 'a/t/0' });
    await calls.ask(wire.Driver.method.inspectTask, inspect, never);
  } finally {
    odd.close();
  }
});

test('a wait ends where nothing of its connection is read any more', async () => {
  const path = join(directory, 'unread.sock');
  const odd = await oddServer(path);
  // the ping of a connection, sooner than after five minutes
  const options = { 'grpc.keepalive_time_ms': 500, 'grpc.keepalive_timeout_ms': 500 };
  expect(Object.keys(receivingOptions)).toEqual(expect.arrayContaining(Object.keys(options)));
  const calls = callsOf({ at: `unix:${path}`, options });
  try {
    const inspect = create(wire.InspectTaskRequestSchema, { taskId: 'a/t/0' });
    await calls.ask(wire.Driver.method.inspectTask, inspect, never);
    const wait = create(wire.WaitTaskRequestSchema, { taskId: 'a/t/0' });
    await expect(calls.ask(wire.Driver.method.waitTask, wait, never, null)).rejects.toMatchObject({
      kind: 'unavailable',
      recoverable: true,
    });
    await calls.ask(wire.Driver.method.inspectTask, inspect, never);
  } finally {
    odd.close();
  }
});

/** More than the connection holds. */
async function filling(write: ExecSession['writeStdin']): Promise<void> {
  for (let sent = 0; sent < 100; sent++) await write(Buffer.alloc(100_000));
}

/** What HTTP/2 has on the wire: length, kind, flags, stream. */
function frame(kind: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUIntBE(kind, 3, 1);
  head.writeUIntBE(flags, 4, 1);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const [data, headers, settings] = [0, 1, 4];
const [endStream, ack, endHeaders] = [1, 1, 4];
const field = (name: string, value: string): Buffer =>
  Buffer.from(`\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`, 'latin1');
const begins = Buffer.concat([Buffer.from([0x88]), field('content-type', 'application/grpc')]);
const ends = field('grpc-status', '0');
const emptyMessage = Buffer.alloc(5);

/**
 * A plugin that answers the first call of a connection with an empty message, and says something to the second before the head of its answer,
 * as gRPC's server in Go may when a command was refused and its output ends at that moment.
 */
async function oddServer(path: string): Promise<{ connections(): number; close(): void }> {
  const open = new Set<Socket>();
  const odd = createServer((socket) => {
    open.add(socket.on('close', () => open.delete(socket)).on('error', () => {}));
    socket.write(frame(settings, 0, 0));
    let waiting: Buffer = Buffer.alloc(0);
    let greeted = false;
    socket.on('data', (part) => {
      waiting = Buffer.concat([waiting, part]);
      if (!greeted && waiting.length < preface.length) return;
      if (!greeted) waiting = waiting.subarray(preface.length);
      greeted = true;
      for (let length = 0; waiting.length >= 9; waiting = waiting.subarray(9 + length)) {
        length = waiting.readUIntBE(0, 3);
        if (waiting.length < 9 + length) return;
        const [kind, flags, stream] = [waiting[3], waiting[4]!, waiting.readUInt32BE(5)];
        if (kind === settings && (flags & ack) === 0) socket.write(frame(settings, ack, 0));
        if (kind !== data || length === 0) continue;
        const head = frame(headers, endHeaders, stream, begins);
        const said = frame(data, 0, stream, emptyMessage);
        const tail = frame(headers, endHeaders | endStream, stream, ends);
        socket.write(Buffer.concat(stream === 1 ? [head, said, tail] : [said, head, tail]));
      }
    });
  });
  await new Promise<void>((resolve) => odd.listen(path, resolve));
  return {
    connections: () => open.size,
    close: () => {
      for (const socket of open) socket.destroy();
      odd.close();
    },
  };
}

const preface = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n';
