/** A command inside a container: the engine's own exec, its connection handed over. */
import { readFile } from 'node:fs/promises';
import type { Duplex } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ExecRequest, ExecSession, TaskExit } from '../../driver/contract.ts';
import { Fault } from '../../lib/fault.ts';
import { SessionOutput } from '../session-output.ts';
import { numberAt, objectAt, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { FrameSplitter } from './frames.ts';
import { TellsSize } from './terminal-size.ts';

const never = new AbortController().signal;
/** Docker has keys that leave a session (ctrl-p, ctrl-q, which shells use) and no word for none: ones that nobody types. */
const noKeys = 'ctrl-^,ctrl-_,ctrl-^,ctrl-],ctrl-_,ctrl-^,ctrl-],ctrl-_';

export async function containerExec(
  client: EngineClient,
  containerId: string,
  request: ExecRequest,
  signal: AbortSignal,
): Promise<ExecSession> {
  const { command, tty, size } = request;
  const attached = { AttachStdin: true, AttachStdout: true, AttachStderr: true, DetachKeys: noKeys };
  const body = { Cmd: command, Tty: tty, ...attached };
  const made = await client.json('POST', `/containers/${containerId}/exec`, { body, signal });
  const id = textAt(made, 'Id');
  if (id === '') throw new Fault('unavailable', 'the engine makes no exec', { recoverable: true });
  const socket = await client.upgrade(`/exec/${id}/start`, { body: { Detach: false, Tty: tty }, signal });
  const sizes = new TellsSize(async ({ height, width }) => {
    const query = { h: String(height), w: String(width) };
    // a session that ended meanwhile has no size
    await client.json('POST', `/exec/${id}/resize`, { query, signal: never }).catch(() => {});
  });
  const output = new SessionOutput(socket);
  // before anything is waited for: what is said and ends meanwhile would not be heard
  const ended = readOutput(socket, tty, output);
  if (tty && size !== undefined) await sizes.set(size);
  const abort = (): void => {
    void endExec(client, id).finally(() => socket.destroy());
  };
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  const exit = ended.then(async (sensible) => {
    signal.removeEventListener('abort', abort);
    sizes.end();
    const code = sensible ? await exitCodeOf(client, id) : null;
    output.end();
    return { exitCode: code ?? 0, signal: 0, oomKilled: false, ...(code === null ? { unknown: 'engine-lost' } : {}) };
  });
  exit.catch(() => {});
  return session(socket, (to) => sizes.set(to), output, exit);
}

function session(
  socket: Duplex,
  resize: ExecSession['resize'],
  output: ExecSession['output'],
  exit: Promise<TaskExit>,
): ExecSession {
  return {
    writeStdin: (data) =>
      new Promise((resolve, reject) => {
        socket.write(data, (error) => (error ? reject(error) : resolve()));
      }),
    closeStdin: async () => {
      socket.end();
    },
    resize,
    output,
    exit,
  };
}

/** Resolves when the process has closed its output, or the connection fell. False: what came was no output. */
function readOutput(socket: Duplex, tty: boolean, output: SessionOutput): Promise<boolean> {
  const frames = new FrameSplitter();
  return new Promise((resolve) => {
    const ended = (): void => resolve(true);
    socket.on('data', (part: Buffer) => {
      try {
        if (tty) output.push('stdout', part);
        else for (const { stream, data } of frames.push(part)) output.push(stream, data);
      } catch {
        resolve(false);
        socket.destroy();
      }
    });
    socket.on('end', ended).on('close', ended).on('error', ended);
  });
}

/** The engine closes the connection a moment before it knows the code. */
async function exitCodeOf(client: EngineClient, id: string): Promise<number | null> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const answer = await client
      .json('GET', `/exec/${id}/json`, { signal: never, timeoutMs: 5_000 })
      .catch(() => undefined);
    if (answer === undefined) return null;
    if (objectAt(answer)['Running'] === false) return numberAt(answer, 'ExitCode');
    await sleep(Math.min(200, 10 * (attempt + 1)));
  }
  return null;
}

/** The engine has no call that ends a session: its process, where it is on this host, is ended by pid, if it is still that process. */
async function endExec(client: EngineClient, id: string): Promise<void> {
  if (!client.endpoint.local) return;
  const answer = await client
    .json('GET', `/exec/${id}/json`, { signal: never, timeoutMs: 5_000 })
    .catch(() => undefined);
  const pid = numberAt(answer, 'Pid') ?? 0;
  const container = textAt(answer, 'ContainerID');
  if (objectAt(answer)['Running'] !== true || pid <= 1 || container === '') return;
  const groups = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
  if (!groups.includes(container)) return;
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // it ended meanwhile, or is not ours to end
  }
}
