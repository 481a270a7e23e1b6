/**
 * The log collector: one process for all containers of an agent's engine driver. It outlives the agent, and the agent starts it again
 * where it died; what it follows is in its directory. With nothing to do and nobody connected it ends.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault, messageOf } from '../../../lib/fault.ts';
import { makeDirectories } from '../../../lib/node/directories.ts';
import { takePlace } from '../../../lib/node/sole-process.ts';
import { type CollectorAnswer, type CollectorCall, type FollowRequest, socketName } from './follow-request.ts';
import { Follower } from './follower.ts';

/** Time between two starts of tasks, or between two lives of the agent. */
const idleLimitMs = 10_000;
const turnMs = 20;

class Collector {
  readonly #directory: string;
  readonly #followers = new Map<string, Follower>();
  readonly #sockets = new Set<Socket>();
  #idle: NodeJS.Timeout | null = null;
  #announce: () => void = () => {};
  readonly #resumed = new Promise<void>((resolve) => {
    this.#announce = resolve;
  });

  constructor(directory: string) {
    this.#directory = directory;
  }

  /** Goes on with what a former life was told; nobody is answered before. */
  resume(): void {
    for (const name of readdirSync(this.#directory).filter((each) => each.endsWith('.json'))) {
      try {
        this.#follow(JSON.parse(readFileSync(join(this.#directory, name), 'utf8')) as FollowRequest);
      } catch {
        // its files are gone, and with them whoever would read them
        this.#forget(name.slice(0, -'.json'.length));
      }
    }
    this.#announce();
    this.#lookIdle();
  }

  accept(socket: Socket): void {
    this.#sockets.add(socket);
    let rest = '';
    socket.setEncoding('utf8');
    socket.on('data', (text: string) => {
      const lines = `${rest}${text}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) void this.#answer(JSON.parse(line) as CollectorCall, socket);
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#lookIdle();
    });
  }

  async #answer(call: CollectorCall, socket: Socket): Promise<void> {
    let error: string | null = null;
    await this.#resumed;
    try {
      if (call.do === 'follow') this.#keepAndFollow(call.request);
      else if (call.do === 'drained') await this.#followers.get(call.key)?.drained;
      else this.#forget(call.key);
    } catch (problem) {
      error = messageOf(problem);
    }
    if (!socket.destroyed) socket.write(`${JSON.stringify({ id: call.id, error } satisfies CollectorAnswer)}\n`);
  }

  #keepAndFollow(request: FollowRequest): void {
    if (this.#followers.has(request.key)) return;
    if (!/^[A-Za-z0-9_.-]{1,250}$/.test(request.key)) throw new Fault('invalid', `key ${request.key}`);
    writeFileSync(this.#path(request.key, 'json'), JSON.stringify(request), { mode: 0o600 });
    this.#follow(request);
  }

  #follow(request: FollowRequest): void {
    this.#followers.set(request.key, new Follower(request, this.#path(request.key, 'cursor')));
  }

  #forget(key: string): void {
    this.#followers.get(key)?.close();
    this.#followers.delete(key);
    for (const kind of ['json', 'cursor']) rmSync(this.#path(key, kind), { force: true });
    this.#lookIdle();
  }

  #path(key: string, kind: string): string {
    return join(this.#directory, `${key}.${kind}`);
  }

  #lookIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = setTimeout(() => {
      // the directory may go with the agent's data
      const gone = !existsSync(this.#directory);
      if (gone || (this.#followers.size === 0 && this.#sockets.size === 0)) {
        rmSync(join(this.#directory, socketName), { force: true });
        process.exit(0);
      }
      if (this.#sockets.size === 0) this.#lookIdle();
    }, idleLimitMs);
  }
}

/** Resolves when this process is the one; where another that lives has the place and answers, this one ends. */
async function takeTurn(path: string): Promise<void> {
  while (!takePlace('.')) {
    if (await answers(path)) process.exit(0);
    // it is beginning, or ending
    await sleep(turnMs);
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const other = connect(path);
    other.on('connect', () => resolve(true));
    other.on('error', () => resolve(false));
  });
}

async function main(directory: string): Promise<void> {
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGPIPE'] as const) process.on(signal, () => {});
  // nobody ends a task's output before the task
  try {
    writeFileSync('/proc/self/oom_score_adj', '-500');
  } catch {
    // only root may
  }
  makeDirectories(directory, 0o700);
  // a socket's path is short: it is named from inside the directory
  process.chdir(directory);
  const collector = new Collector(directory);
  const server = createServer((socket) => collector.accept(socket));
  await takeTurn(socketName);
  // of one that was killed
  rmSync(socketName, { force: true });
  await new Promise<void>((resolve) => server.listen(socketName, resolve));
  collector.resume();
}

await main(process.argv[2] ?? '.');
