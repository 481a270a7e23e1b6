import { create } from '@bufbuild/protobuf';
import type { Client } from '@grpc/grpc-js';
import type { ExecRequest, ExecSession, TaskExit } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { exitFromWire } from '../../driver/wire-driver.ts';
import { Fault } from '../../lib/fault.ts';
import { AsyncQueue } from '../async-queue.ts';
import { bidiStream } from '../rpc.ts';
import { errorFromWire } from '../wire-faults.ts';

interface Chunk {
  readonly stream: 'stdout' | 'stderr';
  readonly data: Uint8Array;
}

/** How long a plugin has to refuse: after that the session is taken to be there (some say nothing before the first output). */
const refusalMs = 250;

/** Resolves once the plugin has taken the command: an unknown task is told before a session is handed out. */
export async function remoteExec(
  client: Client,
  taskId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<ExecSession> {
  signal.throwIfAborted();
  const call = bidiStream(client, wire.Driver.method.execTaskStreaming);
  const output = new AsyncQueue<Chunk>();
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
      if (message.stdout !== undefined && message.stdout.data.length > 0)
        output.push({ stream: 'stdout', data: message.stdout.data });
      if (message.stderr !== undefined && message.stderr.data.length > 0)
        output.push({ stream: 'stderr', data: message.stderr.data });
      if (!message.exited) return;
      output.end();
      call.end();
      resolve(exitFromWire({ result: message.result, err: '' } as wire.WaitTaskResponse));
    });
    call.on('error', (error) => {
      output.end();
      reject(errorFromWire(error));
    });
    call.on('end', () => {
      output.end();
      reject(new Fault('unavailable', 'the plugin ended the session without an exit'));
    });
  }).finally(() => signal.removeEventListener('abort', abort));
  exit.catch(() => {});
  await send({
    setup: create(wire.ExecTaskStreamingRequest_SetupSchema, {
      taskId,
      command: [...request.command],
      tty: request.tty,
    }),
  });
  const size = request.size;
  if (size !== undefined) await send({ ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, size) });
  const taken = new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, refusalMs);
    call.once('metadata', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  await Promise.race([exit, taken]);
  return {
    writeStdin: (data) => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { data }) }),
    closeStdin: () => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) }),
    resize: (to) => send({ ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, to) }),
    output,
    exit,
  };
}
