/** A command run inside a task: a WebSocket of JSON frames. */
import { Fault } from '../lib/fault.ts';
import { formatJson, parseJson } from '../lib/json.ts';
import { decodeBase64, encodeBase64 } from './byte-stream.ts';
import type { ApiClient, CallOptions } from './client.ts';
import { path } from './path.ts';
import type { TransportSocket } from './transport.ts';

export interface ExecOptions extends CallOptions {
  readonly task: string;
  readonly command: readonly string[];
  readonly tty: boolean;
}

export interface RemoteExec {
  writeStdin(data: Uint8Array): Promise<void>;
  closeStdin(): Promise<void>;
  resize(size: { readonly height: number; readonly width: number }): Promise<void>;
  /** Keeps idle proxies from closing the connection; every 10 s is customary. */
  heartbeat(): Promise<void>;
  /** Read it to its end: the exit code comes through it. */
  readonly output: AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }>;
  /** The command's exit code, once `output` ended. Faults: what the server said instead, as `unavailable`. */
  readonly exitCode: Promise<number>;
  close(): void;
}

interface OutputFrame {
  readonly stdout?: { readonly data?: string };
  readonly stderr?: { readonly data?: string };
  readonly exited?: boolean;
  readonly result?: { readonly exit_code?: number };
}

/**
 * Starts a command inside a running task. Resolves when the socket is open; `ResponseError` where the API refuses it (no such task, not
 * running, not allowed).
 */
export async function exec(client: ApiClient, allocId: string, options: ExecOptions): Promise<RemoteExec> {
  const query = {
    task: options.task,
    tty: options.tty,
    command: JSON.stringify(options.command),
    ...options.query,
  };
  const socket = await client.webSocket(path`/v1/client/allocation/${allocId}/exec`, { ...options, query });
  return session(socket);
}

function session(socket: TransportSocket): RemoteExec {
  let settle: (code: number | Fault) => void = () => {};
  const exitCode = new Promise<number>((resolve, reject) => {
    settle = (code) => (typeof code === 'number' ? resolve(code) : reject(code));
  });
  exitCode.catch(() => {});
  const send = (frame: object) => socket.send(formatJson(frame));
  return {
    writeStdin: (data) => send({ stdin: { data: encodeBase64(data) } }),
    closeStdin: () => send({ stdin: { close: true } }),
    resize: ({ height, width }) => send({ tty_size: { height, width } }),
    heartbeat: () => send({}),
    output: output(socket, settle),
    exitCode,
    close: () => socket.close(),
  };
}

async function* output(
  socket: TransportSocket,
  settle: (code: number | Fault) => void,
): AsyncIterable<{ readonly stream: 'stdout' | 'stderr'; readonly data: Uint8Array }> {
  try {
    for await (const text of socket.messages) {
      const frame = parseJson(text) as OutputFrame;
      if (frame.stdout?.data) yield { stream: 'stdout', data: decodeBase64(frame.stdout.data) };
      if (frame.stderr?.data) yield { stream: 'stderr', data: decodeBase64(frame.stderr.data) };
      if (frame.exited === true) {
        settle(frame.result?.exit_code ?? 0);
        return;
      }
    }
    const { code, reason } = await socket.closed;
    settle(new Fault('unavailable', reason === '' ? `the connection was closed (${code})` : reason));
  } finally {
    socket.close();
    settle(new Fault('unavailable', 'the session was left before its command ended'));
  }
}
