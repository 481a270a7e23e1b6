/** Commands inside a task, over the plugin protocol. */
import { create } from '@bufbuild/protobuf';
import { Metadata, type ServerDuplexStream } from '@grpc/grpc-js';
import type { EngineDriver, ExecSession } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { exitToWire } from '../../driver/wire-driver.ts';
import { Fault } from '../../lib/fault.ts';
import { errorToWire } from '../wire-faults.ts';

/** Hosts keep this much of a script check's output. */
const collectedBytes = 4096;

type Call = ServerDuplexStream<wire.ExecTaskStreamingRequest, wire.ExecTaskStreamingResponse>;

export function serveExec(driver: () => EngineDriver): (call: Call) => void {
  return (call) => {
    const gone = new AbortController();
    call.on('cancelled', () => gone.abort());
    call.on('error', () => gone.abort());
    void runExec(driver, call, gone.signal).catch((error: unknown) => {
      if (!gone.signal.aborted) call.emit('error', errorToWire(error));
    });
  };
}

async function runExec(driver: () => EngineDriver, call: Call, signal: AbortSignal): Promise<void> {
  const requests = call[Symbol.asyncIterator]() as AsyncIterator<wire.ExecTaskStreamingRequest>;
  const first = await requests.next();
  const setup = first.done === true ? undefined : first.value.setup;
  if (setup === undefined) throw new Fault('invalid', 'the first message of an exec stream must be its set-up');
  const instance = driver();
  if (instance.exec === undefined) throw new Fault('unsupported', 'exec not supported');
  const session = await instance.exec(setup.taskId, { command: setup.command, tty: setup.tty }, signal);
  call.sendMetadata(new Metadata());
  // input ends with the call, not before: whoever reads output need not write
  void takeInput(requests, session).catch(() => {});
  for await (const { stream, data } of session.output) {
    await write(call, { [stream]: create(wire.ExecTaskStreamingIOOperationSchema, { data }) });
  }
  await write(call, { stdout: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) });
  await write(call, { stderr: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) });
  const exit = await session.exit;
  await write(call, { exited: true, result: create(wire.ExitResultSchema, exitToWire(exit)) });
  call.end();
}

async function takeInput(requests: AsyncIterator<wire.ExecTaskStreamingRequest>, session: ExecSession): Promise<void> {
  for (;;) {
    const next = await requests.next();
    if (next.done === true) return;
    const { stdin, ttySize } = next.value;
    if (ttySize !== undefined) await session.resize({ height: ttySize.height, width: ttySize.width });
    if (stdin !== undefined && stdin.data.length > 0) await session.writeStdin(stdin.data);
    if (stdin?.close === true) await session.closeStdin();
  }
}

function write(call: Call, message: Partial<wire.ExecTaskStreamingResponse>): Promise<void> {
  return new Promise((resolve, reject) => {
    call.write(create(wire.ExecTaskStreamingResponseSchema, message), (error: Error | null | undefined) =>
      error ? reject(error) : resolve(),
    );
  });
}

/** The unary form, for script checks: the last 4 KiB of output, both streams in stdout. */
export async function collectExec(
  driver: EngineDriver,
  request: wire.ExecTaskRequest,
  signal: AbortSignal,
): Promise<wire.ExecTaskResponse> {
  if (driver.exec === undefined) throw new Fault('unsupported', 'exec not supported');
  const timeoutMs = Number(request.timeout?.seconds ?? 0n) * 1000 + (request.timeout?.nanos ?? 0) / 1e6;
  const limit = timeoutMs > 0 ? AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) : signal;
  const session = await driver.exec(request.taskId, { command: request.command, tty: false }, limit);
  await session.closeStdin();
  let kept = Buffer.alloc(0);
  for await (const { data } of session.output) kept = Buffer.concat([kept, data]).subarray(-collectedBytes);
  const exit = await session.exit;
  return create(wire.ExecTaskResponseSchema, { stdout: kept, result: exitToWire(exit) });
}
