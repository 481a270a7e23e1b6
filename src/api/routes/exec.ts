/** A command inside a task over a WebSocket: JSON frames both ways. */
import type { WebSocket } from 'ws';
import type { ExecRequest, ExecSession } from '../../driver/contract.ts';
import { Fault } from '../../lib/fault.ts';
import { type Json, parseJson } from '../../lib/json.ts';
import { parseGoBool } from '../query-parameters.ts';
import type { ApiRequest } from '../request.ts';
import type { LocalServices } from '../route.ts';
import { nodeOf } from './allocation-target.ts';

function execRequest({ query }: ApiRequest): { readonly task: string; readonly request: ExecRequest } {
  const task = query.text('task');
  if (task === '') throw new Fault('invalid', 'missing task name');
  const ttyText = query.text('tty');
  const tty = ttyText === '' ? false : parseGoBool(ttyText);
  if (tty === undefined)
    throw new Fault(
      'invalid',
      `tty value is not a boolean: strconv.ParseBool: parsing ${JSON.stringify(ttyText)}: invalid syntax`,
    );
  let command: Json;
  try {
    command = parseJson(query.text('command'));
  } catch (cause) {
    throw new Fault('invalid', 'command must be a JSON array of strings', { cause });
  }
  if (!Array.isArray(command) || command.length === 0 || !command.every((each) => typeof each === 'string'))
    throw new Fault('invalid', 'command must be a JSON array of strings, and not empty');
  return { task, request: { command: command as string[], tty } };
}

interface InputFrame {
  readonly stdin?: { readonly data?: string; readonly close?: boolean };
  readonly tty_size?: { readonly height?: number; readonly width?: number };
}

/** Resolves when the command ended and its code was sent, or the caller left (then the command is killed). */
export async function execSession(request: ApiRequest, socket: WebSocket, services: LocalServices): Promise<void> {
  const left = new AbortController();
  const leave = () => left.abort();
  socket.on('close', leave);
  socket.on('error', leave);
  request.signal.addEventListener('abort', leave, { once: true });
  const input = new InputQueue(socket);
  if (request.query.text('ws_handshake') === 'true') await input.first;
  const { task, request: wanted } = execRequest(request);
  const session = await nodeOf(services).exec(request.params['alloc'] ?? '', task, wanted, left.signal);
  input.attach(session);
  await sendOutput(session, socket);
  const exit = await session.exit;
  if (left.signal.aborted) return;
  const code = exit.exitCode;
  await send(socket, { stdout: { close: true } });
  await send(socket, { stderr: { close: true } });
  // a code of 0 is left out, as Go's encoder does
  await send(socket, { exited: true, result: code === 0 ? {} : { exit_code: code } });
}

async function sendOutput(session: ExecSession, socket: WebSocket): Promise<void> {
  for await (const { stream, data } of session.output) {
    const base64 = Buffer.from(data.buffer, data.byteOffset, data.length).toString('base64');
    await send(socket, { [stream]: { data: base64 } });
  }
}

function send(socket: WebSocket, frame: object): Promise<void> {
  return new Promise((resolve) => {
    if (socket.readyState !== socket.OPEN) return resolve();
    // an error here means the caller left: `close` tells that
    socket.send(JSON.stringify(frame), () => resolve());
  });
}

/** Frames of the caller, handled one after another; those that come before the session stands wait for it. */
class InputQueue {
  readonly #socket: WebSocket;
  #session: ExecSession | undefined;
  #waiting: InputFrame[] = [];
  #work: Promise<void> = Promise.resolve();
  readonly first: Promise<void>;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    let received: () => void = () => {};
    this.first = new Promise((resolve) => {
      received = resolve;
      socket.once('close', () => resolve());
    });
    socket.on('message', (data) => {
      received();
      this.#take(String(data));
    });
  }

  attach(session: ExecSession): void {
    this.#session = session;
    for (const frame of this.#waiting) this.#queue(frame);
    this.#waiting = [];
  }

  #take(text: string): void {
    let frame: InputFrame;
    try {
      frame = parseJson(text) as InputFrame;
    } catch {
      this.#socket.close(1008, 'a message is not JSON');
      return;
    }
    if (frame === null || typeof frame !== 'object') return;
    if (this.#session === undefined) this.#waiting.push(frame);
    else this.#queue(frame);
  }

  #queue(frame: InputFrame): void {
    this.#socket.pause();
    this.#work = this.#work
      .then(() => this.#handle(frame))
      // the command may have ended before it read its input
      .catch(() => {})
      .then(() => {
        if (this.#socket.readyState === this.#socket.OPEN) this.#socket.resume();
      });
  }

  async #handle({ stdin, tty_size: size }: InputFrame): Promise<void> {
    const session = this.#session!;
    if (size !== undefined) await session.resize({ height: size.height ?? 0, width: size.width ?? 0 });
    if (stdin?.data) await session.writeStdin(Buffer.from(stdin.data, 'base64'));
    if (stdin?.close === true) await session.closeStdin();
  }
}
