import type { AllocationFile, DroverClient } from '../api-client/index.ts';
import { isFault } from '../lib/fault.ts';
import { takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { formatBytes, formatTime } from './formats.ts';
import { formatTable } from './table.ts';
import { allocationFor } from './task-of-allocation.ts';

export const command: Command = {
  usage: 'alloc fs [options] <allocation> [<path>]',
  help: "Looks into an allocation's directory: lists a directory, prints a file, follows one.",
  flags: {
    H: { kind: 'bool', help: 'Sizes in bytes.' },
    job: { kind: 'bool', help: 'The argument is a job, not an allocation.' },
    group: { kind: 'string', value: '<name>', help: 'With -job: the group.' },
    stat: { kind: 'bool', help: 'Describe the path instead of showing what is in it.' },
    f: { kind: 'bool', help: 'Follow a file: print what is appended.' },
    tail: { kind: 'bool', help: 'Begin near the end of a file.' },
    n: { kind: 'int', value: '<lines>', help: 'How many lines -tail shows.' },
    c: { kind: 'int', value: '<bytes>', help: 'How many bytes -tail shows.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'allocations',
  run,
};

async function run(call: Call): Promise<number> {
  const { args, flags, terminal } = call;
  takes(call, 'alloc fs', 'This command takes one or two arguments: <allocation> [<path>]', 1, 2);
  const path = args[1] ?? '/';
  return withClient(call, async (client) => {
    const allocation = await allocationFor(call, client, args[0]!);
    try {
      const { value: file } = await client.files.stat(allocation.ID, path);
      if (flags.bool('stat')) terminal.out(listing([file], call, true));
      else if (file.IsDir) terminal.out(listing((await client.files.list(allocation.ID, path)).value, call, false));
      else await print(call, client, allocation.ID, path, file);
      return 0;
    } catch (error) {
      if (isFault(error)) throw new CommandError(error.message);
      throw error;
    }
  });
}

function listing(files: readonly AllocationFile[], { flags }: Call, withType: boolean): string {
  const size = (file: AllocationFile): string => (flags.bool('H') ? String(file.Size) : formatBytes(file.Size));
  const rows = files.map((file) => [
    ...[file.FileMode, size(file), formatTime(file.ModTime)],
    ...(withType ? [file.ContentType ?? ''] : []),
    file.IsDir ? `${file.Name}/` : file.Name,
  ]);
  return formatTable([['Mode', 'Size', 'Modified Time', ...(withType ? ['Content Type'] : []), 'Name'], ...rows]);
}

async function print(call: Call, client: DroverClient, id: string, path: string, file: AllocationFile): Promise<void> {
  const { flags } = call;
  const bytes = flags.int('c') ?? (flags.int('n') ?? 10) * 256;
  if (flags.bool('f')) {
    const from = flags.bool('tail')
      ? { origin: 'end' as const, offset: Math.min(bytes, file.Size) }
      : { origin: 'start' as const, offset: 0 };
    for await (const frame of client.files.follow(id, path, { ...from, follow: true }, { signal: call.interrupted }))
      process.stdout.write(frame.data);
    return;
  }
  if (!flags.bool('tail')) {
    for await (const chunk of client.files.cat(id, path)) process.stdout.write(chunk);
    return;
  }
  const offset = Math.max(0, file.Size - bytes);
  const chunks: Uint8Array[] = [];
  for await (const chunk of client.files.readAt(id, path, { offset })) chunks.push(chunk);
  const data = Buffer.concat(chunks);
  process.stdout.write(flags.given('c') ? data : data.subarray(startOfLastLines(data, flags.int('n') ?? 10)));
}

/** Where the last lines begin. */
export function startOfLastLines(data: Uint8Array, lines: number): number {
  let at = data.at(-1) === 10 ? data.length - 1 : data.length;
  for (let count = 0; count < lines; count++) {
    at = at === 0 ? -1 : data.lastIndexOf(10, at - 1);
    if (at < 0) return 0;
  }
  return at + 1;
}
