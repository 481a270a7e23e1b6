import { create } from '@bufbuild/protobuf';
import type { ExecRequest, ExecSession, TaskExit } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { exitFromWire } from '../../driver/wire-driver.ts';
import { Fault } from '../../lib/fault.ts';
import { AsyncQueue } from '../async-queue.ts';
import { bidiStream } from '../rpc.ts';
import type { PluginCalls } from './plugin-calls.ts';

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** How long a plugin has to refuse: after that the session is taken to be there (some say nothing before the first output). */
const refusalMs = 250;
const mostWaiting = 1024 * 1024;

/** Resolves once the plugin has taken the command: an unknown task is told before a session is handed out. */
export async function remoteExec(
  calls: PluginCalls,
  taskId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<ExecSession> {
  signal.throwIfAborted();
  const call = bidiStream(calls.client, wire.Driver.method.execTaskStreaming);
  const output = new AsyncQueue<Chunk>();
  let waiting = 0;
  const push = (stream: Chunk['stream'], data: Uint8Array | undefined): void => {
    if (data === undefined || data.length === 0) return;
    output.push({ stream, data });
    waiting += data.length;
    // what nobody has read yet is held by the plugin, not by us
    if (waiting > mostWaiting) call.pause();
  };
  const send = (message: Partial<wire.ExecTaskStreamingRequest>): Promise<void> =>
    new Promise((resolve, reject) => {
      call.write(create(wire.ExecTaskStreamingRequestSchema, message), (error: Error | null | undefined) =>
        error ? reject(error) : resolve(),
      );
    });
  const abort = (): void => call.cancel();
  signal.addEventListener('abort', abort, { once: true });
  const exit = new Promise<TaskExit>((resolve, reject) => {
    call.on('data', (message: wire.ExecTaskStreamingResponse) => {
      push('stdout', message.stdout?.data);
      push('stderr', message.stderr?.data);
      if (!message.exited) return;
      output.end();
      call.end();
      resolve(exitFromWire({ result: message.result, err: '' }));
    });
    call.on('error', (error) => {
      output.end();
      reject(calls.failed(error, 'ExecTaskStreaming', signal));
    });
    call.on('end', () => {
      output.end();
      reject(new Fault('unavailable', 'the plugin ended the session without an exit'));
    });
  }).finally(() => signal.removeEventListener('abort', abort));
  exit.catch(() => {});
  const { command, tty, size } = request;
  await send({ setup: create(wire.ExecTaskStreamingRequest_SetupSchema, { taskId, command: [...command], tty }) });
  if (size !== undefined) await send({ ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, size) });
  const taken = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, refusalMs);
    call.once('metadata', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  await Promise.race([exit, taken]);
  async function* read(): AsyncGenerator<Chunk> {
    for await (const chunk of output) {
      yield chunk;
      waiting -= chunk.data.length;
      if (waiting < mostWaiting / 2) call.resume();
    }
  }
  return {
    writeStdin: (data) => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { data }) }),
    closeStdin: () => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) }),
    resize: (to) => send({ ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, to) }),
    output: read(),
    exit,
  };
}
