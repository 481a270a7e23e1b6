import type { DroverClient, StreamFrame } from '../api-client/index.ts';
import { isFault, messageOf } from '../lib/fault.ts';
import { startOfLastLines } from './alloc-fs.ts';
import { withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { followLogs } from './follow-logs.ts';
import { allocationFor, taskFor, taskNames } from './task-of-allocation.ts';

export const command: Command = {
  usage: 'alloc logs [options] <allocation> [<task>]',
  help: `Prints the output of a task: standard output, with -stderr standard error. With -f, or with both options, both streams are
printed, each on its own.

With -job the argument is a job, and the allocation that runs (else the newest) is taken. -f goes on through rotated files and
through restarts of the agent.`,
  flags: {
    job: { kind: 'bool', help: 'The argument is a job, not an allocation.' },
    f: { kind: 'bool', help: 'Follow: print what comes.' },
    tail: { kind: 'bool', help: 'Begin near the end: the last ten lines, or -n lines, or -c bytes.' },
    n: { kind: 'int', value: '<lines>', help: 'How many lines -tail shows.' },
    c: { kind: 'int', value: '<bytes>', help: 'How many bytes -tail shows.' },
    stderr: { kind: 'bool', help: 'Standard error.' },
    stdout: { kind: 'bool', help: 'Standard output.' },
    task: { kind: 'string', value: '<name>', help: 'The task; needed where there are several.' },
    group: { kind: 'string', value: '<name>', help: 'With -job: the group.' },
    verbose: { kind: 'bool', help: 'Whole ids in messages.' },
  },
  client: true,
  complete: 'allocations',
  run,
};

type Stream = 'stdout' | 'stderr';

async function run(call: Call): Promise<number> {
  const { args, flags } = call;
  const first = args[0];
  if (first === undefined || args.length > 2)
    throw new CommandError(
      "This command takes one or two arguments: <allocation> [<task>]\nFor additional help try 'drover alloc logs -help'",
    );
  return withClient(call, async (client) => {
    const allocation = await allocationFor(call, client, first);
    // an unknown name is the server's to refuse: it knows tasks of older versions too
    const task = flags.string('task') ?? args[1] ?? taskFor(allocation, undefined);
    const both = flags.bool('stderr') === flags.bool('stdout') && (flags.bool('stderr') || flags.bool('f'));
    const streams: Stream[] = both ? ['stdout', 'stderr'] : [flags.bool('stderr') ? 'stderr' : 'stdout'];
    const printing = streams.map((stream) => print(call, client, allocation.ID, { task, stream, both }));
    await Promise.all(printing).catch((error: unknown) => {
      const names = taskNames(allocation);
      // A script gets the line that was recorded, a person one more.
      if (!(error instanceof CommandError) || names.includes(task) || !call.terminal.isTty) throw error;
      throw new CommandError(`${error.message}\nThe tasks of the allocation are: ${names.join(', ')}`);
    });
    return 0;
  });
}

interface Part {
  readonly task: string;
  readonly stream: Stream;
  /** Only then standard error goes to standard error: one stream alone is a result like any other. */
  readonly both: boolean;
}

async function print(call: Call, client: DroverClient, allocId: string, { task, stream, both }: Part): Promise<void> {
  const { flags, interrupted, terminal } = call;
  const output = both && stream === 'stderr' ? process.stderr : process.stdout;
  const tail = flags.bool('tail');
  const lines = flags.int('n') ?? (tail && flags.int('c') === undefined ? 10 : undefined);
  const bytes = flags.int('c') ?? (lines === undefined ? undefined : Math.max(lines, 1) * 512);
  const from = tail ? { origin: 'end' as const, offset: bytes ?? 0 } : { origin: 'start' as const, offset: 0 };
  const lost = (reason: string): void => terminal.error(`The connection is lost (${reason}); trying again …`);
  const follow = flags.bool('f');
  const data = follow
    ? followLogs(client, { allocId, task, stream, ...from, lost }, interrupted)
    : bytesOf(client.files.logs(allocId, { task, type: stream, ...from }, { signal: interrupted }));
  try {
    for await (const piece of tail && lines !== undefined ? lastLines(data, lines, follow) : data) output.write(piece);
  } catch (error) {
    if (interrupted.aborted) return;
    if (!isFault(error)) throw error;
    throw new CommandError(`Failed to read ${stream} file: error reading file: ${messageOf(error)}`);
  }
}

async function* bytesOf(frames: AsyncIterable<StreamFrame>): AsyncIterable<Uint8Array> {
  for await (const frame of frames) yield frame.data;
}

/** The server counts bytes: what it gives is cut to lines here. What is followed later passes as it is. */
async function* lastLines(
  pieces: AsyncIterable<Uint8Array>,
  lines: number,
  follow: boolean,
): AsyncIterable<Uint8Array> {
  let held = Buffer.alloc(0);
  let first = true;
  for await (const piece of pieces) {
    if (follow && first) yield cut(Buffer.from(piece), lines);
    else if (follow) yield piece;
    else held = Buffer.concat([held, piece]);
    first = false;
  }
  if (!follow) yield cut(held, lines);
}

const cut = (data: Buffer, lines: number): Buffer => data.subarray(startOfLastLines(data, lines));
