import type { RemoteExec } from '../api-client/index.ts';
import { isFault } from '../lib/fault.ts';
import { takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { EscapeWatch } from './escape-watch.ts';
import { allocationFor, taskFor } from './task-of-allocation.ts';

export const command: Command = {
  usage: 'alloc exec [options] <allocation> <command> [<args> …]',
  help: `Runs a command inside a task, with its identity and limits, and ends with its exit code. On a terminal it gets one of its own;
there, a line that begins with "~." ends the session.`,
  flags: {
    job: { kind: 'bool', help: 'The argument is a job, not an allocation.' },
    task: { kind: 'string', value: '<name>', help: 'The task; needed where there are several.' },
    group: { kind: 'string', value: '<name>', help: 'With -job: the group.' },
    i: { kind: 'bool', help: 'Pass standard input on. Default true.' },
    t: { kind: 'bool', help: 'Give the command a terminal. Default: if this is one.' },
    e: { kind: 'string', value: '<char>', help: 'The escape character; "none" turns it off. Default "~".' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'allocations',
  run,
};

async function run(call: Call): Promise<number> {
  const { args, flags } = call;
  takes(call, 'alloc exec', 'An allocation ID is required', 1, Number.POSITIVE_INFINITY);
  takes(call, 'alloc exec', 'A command is required', 2, Number.POSITIVE_INFINITY);
  const escapeChar = flags.string('e') ?? '~';
  if (escapeChar !== 'none' && [...escapeChar].length !== 1)
    throw new CommandError("-e requires 'none' or a single character");
  const tty = flags.given('t') ? flags.bool('t') : process.stdin.isTTY === true && process.stdout.isTTY === true;
  return withClient(call, async (client) => {
    const allocation = await allocationFor(call, client, args[0]!);
    const task = taskFor(allocation, flags.string('task'));
    try {
      const session = await client.exec(allocation.ID, { task, command: args.slice(1), tty });
      return await attach(session, {
        tty,
        input: flags.bool('i', true),
        escape: escapeChar === 'none' ? '' : escapeChar,
      });
    } catch (error) {
      if (isFault(error)) throw new CommandError(`failed to exec into task: ${error.message}`);
      throw error;
    }
  });
}

async function attach(session: RemoteExec, options: { tty: boolean; input: boolean; escape: string }): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const raw = options.tty && stdin.isTTY === true;
  const resize = (): void =>
    void session.resize({ height: stdout.rows ?? 24, width: stdout.columns ?? 80 }).catch(() => {});
  const heartbeat = setInterval(() => void session.heartbeat().catch(() => {}), 10_000);
  if (raw) stdin.setRawMode(true);
  if (options.tty && stdout.isTTY) {
    resize();
    stdout.on('resize', resize);
  }
  if (options.input) forward(session, raw ? options.escape : '');
  else await session.closeStdin();
  try {
    for await (const { stream, data } of session.output) (stream === 'stdout' ? stdout : stderr).write(data);
    return await session.exitCode;
  } finally {
    clearInterval(heartbeat);
    stdout.off('resize', resize);
    if (raw) stdin.setRawMode(false);
    stdin.pause();
    session.close();
  }
}

function forward(session: RemoteExec, escapeChar: string): void {
  const watch = new EscapeWatch(escapeChar);
  process.stdin.on('data', (chunk: Buffer) => {
    const { pass, leave } = watch.take(chunk);
    if (pass.length > 0) void session.writeStdin(pass).catch(() => {});
    if (leave) session.close();
  });
  process.stdin.on('end', () => void session.closeStdin().catch(() => {}));
}
