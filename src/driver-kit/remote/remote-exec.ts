import { setTimeout as sleep } from 'node:timers/promises';
import { create } from '@bufbuild/protobuf';
import type { ExecRequest, ExecSession, TaskExit, TerminalSize } from '../../driver/contract.ts';
import * as wire from '../../driver/gen/nomad/driver_pb.ts';
import { exitFromWire } from '../../driver/wire-driver.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { type Bidi, bidiStream } from '../rpc.ts';
import { SessionOutput } from '../session-output.ts';
import type { PluginCalls } from './plugin-calls.ts';

/** How long a plugin has to refuse: after that the session is taken to be there (some say nothing before the first output). */
const refusalMs = 250;
/** A plugin that has said nothing of a session yet is asked at least so often. */
const longestPauseMs = 10_000;
const nothing = new Uint8Array();
const { execTaskStreaming, inspectTask } = wire.Driver.method;

/**
 * Resolves once the plugin has taken the command: an unknown task is told before a session is handed out. It ends with the plugin's process.
 *
 * The session has a connection of its own, and questions over it until the plugin says something. Servers in Go may send the end of a refused
 * command's output before the head of their answer: then nothing of that connection is read any more (RFC 9113, 8.1), and nobody is told.
 */
export async function remoteExec(
  calls: PluginCalls,
  taskId: string,
  { command, tty, size }: ExecRequest,
  caller: AbortSignal,
): Promise<ExecSession> {
  const lost = new AbortController();
  const signal = AbortSignal.any([caller, calls.gone, lost.signal]);
  const own = calls.apart();
  const question = (): Promise<unknown> =>
    own.ask(inspectTask, create(wire.InspectTaskRequestSchema, { taskId }), signal);
  await question().catch((error: unknown) => {
    own.client.close();
    throw error;
  });
  const call = bidiStream(own.client, execTaskStreaming);
  const output = new SessionOutput(call);
  const input = new Input(call);
  const heard = new AbortController();
  const exit = exitOf(own, call, output, signal).finally(() => {
    output.end();
    input.end();
    call.cancel();
    own.client.close();
  });
  void exit.catch(() => {}).then(() => heard.abort());
  const setup = create(wire.ExecTaskStreamingRequest_SetupSchema, { taskId, command: [...command], tty });
  // how it ends says why they could not be sent
  input.send({ setup }).catch(() => {});
  if (size !== undefined) input.send(sized(size)).catch(() => {});
  call.once('metadata', () => heard.abort());
  await Promise.race([exit, sleep(refusalMs, undefined, { signal: heard.signal }).catch(() => {})]);
  void askUntil(heard.signal, question, lost);
  return {
    writeStdin: (data) => input.send({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { data }) }),
    closeStdin: () => input.sendIfOpen({ stdin: create(wire.ExecTaskStreamingIOOperationSchema, { close: true }) }),
    resize: (to) => input.sendIfOpen(sized(to)),
    output,
    exit,
  };
}

function exitOf(calls: PluginCalls, call: Call, output: SessionOutput, signal: AbortSignal): Promise<TaskExit> {
  const abort = (): void => call.cancel();
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  return new Promise<TaskExit>((resolve, reject) => {
    call.on('data', (message: wire.ExecTaskStreamingResponse) => {
      for (const stream of ['stdout', 'stderr'] as const) output.push(stream, message[stream]?.data ?? nothing);
      if (message.exited) resolve(exitFromWire({ result: message.result, err: '' }));
    });
    call.on('error', (error) =>
      reject(signal.aborted ? signal.reason : calls.failed(error, execTaskStreaming.name, signal)),
    );
    call.on('end', () => reject(new Fault('unavailable', 'the plugin ended the session without an exit')));
  }).finally(() => signal.removeEventListener('abort', abort));
}

/** Fires `lost` with the reason where a question has no answer. */
async function askUntil(heard: AbortSignal, question: () => Promise<unknown>, lost: AbortController): Promise<void> {
  for (
    let pauseMs = refusalMs;
    !heard.aborted && !lost.signal.aborted;
    pauseMs = Math.min(2 * pauseMs, longestPauseMs)
  ) {
    await question().catch((error: unknown) => {
      if (isFault(error, 'unavailable') && !heard.aborted) lost.abort(error);
    });
    await sleep(pauseMs, undefined, { signal: heard, ref: false }).catch(() => {});
  }
}

const sized = (size: TerminalSize): Message => ({
  ttySize: create(wire.ExecTaskStreamingRequest_TerminalSizeSchema, size),
});

type Message = Partial<wire.ExecTaskStreamingRequest>;
type Call = Bidi<typeof execTaskStreaming>;

/** What goes to the plugin. Once the session is over nothing is waited for: the stream forgets whom it had to tell. */
class Input {
  readonly #call: Call;
  readonly #waiting = new Set<() => void>();
  #over = false;

  constructor(call: Call) {
    this.#call = call;
  }

  /** Resolves when it was taken. `Fault('conflict')`: the command has ended. */
  send(message: Message): Promise<void> {
    return new Promise((resolve, reject) => {
      const refuse = (): void => reject(new Fault('conflict', 'the command has ended'));
      if (this.#over) return refuse();
      this.#waiting.add(refuse);
      this.#call.write(create(wire.ExecTaskStreamingRequestSchema, message), (error: Error | null | undefined) => {
        this.#waiting.delete(refuse);
        if (error) reject(error);
        else resolve();
      });
    });
  }

  /** What a command that has ended does without. */
  async sendIfOpen(message: Message): Promise<void> {
    await this.send(message).catch((error: unknown) => {
      if (!this.#over) throw error;
    });
  }

  end(): void {
    this.#over = true;
    for (const refuse of this.#waiting) refuse();
    this.#waiting.clear();
  }
}
