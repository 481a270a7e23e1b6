import { create } from '@bufbuild/protobuf';
import type { ExecRequest, ExecSession, TaskExit } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { exitFromWire } from '../../driver/wire-driver.ts';
import { Fault } from '../../lib/fault.ts';
import { bidiStream } from '../rpc.ts';
import { SessionOutput } from '../session-output.ts';
import type { PluginCalls } from './plugin-calls.ts';

/** How long a plugin has to refuse: after that the session is taken to be there (some say nothing before the first output). */
const refusalMs = 250;
const nothing = new Uint8Array();

/** Resolves once the plugin has taken the command: an unknown task is told before a session is handed out. */
export async function remoteExec(
  calls: PluginCalls,
  taskId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<ExecSession> {
  signal.throwIfAborted();
  const call = bidiStream(calls.client, wire.Driver.method.execTaskStreaming);
  const output = new SessionOutput(call);
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
      for (const stream of ['stdout', 'stderr'] as const) output.push(stream, message[stream]?.data ?? nothing);
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
  return {
    writeStdin: (data) => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { data }) }),
    closeStdin: () => send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) }),
    resize: (to) => send({ ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, to) }),
    output,
    exit,
  };
}
