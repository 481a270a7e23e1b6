import type { AllocationStub, DroverClient } from '../api-client/index.ts';
import { parseDuration } from '../lib/duration.ts';
import { isFault } from '../lib/fault.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import { formatDate, formatId } from './formats.ts';
import { askPerson } from './question.ts';
import { resolveJob } from './resolve-id.ts';

export const command: Command = {
  usage: 'job restart [options] <job>',
  help: `Restarts the tasks of a job's allocations, a batch at a time; with -reschedule it stops them instead, so that others take
their place.`,
  flags: {
    'all-tasks': { kind: 'bool', help: 'Also tasks that have ended.' },
    'batch-size': { kind: 'string', value: '<n or n%>', help: 'How many allocations at a time. Default 1.' },
    'batch-wait': { kind: 'string', value: '<duration or ask>', help: 'How long to wait after a batch. Default 0s.' },
    group: { kind: 'strings', value: '<name>', help: 'Only this group; may be repeated.' },
    task: { kind: 'strings', value: '<name>', help: 'Only this task; may be repeated.' },
    'on-error': {
      kind: 'string',
      value: '<ask or fail>',
      help: 'What to do when one fails. Default ask on a terminal.',
    },
    reschedule: { kind: 'bool', help: 'Stop and place anew instead of restarting in place.' },
    'no-shutdown-delay': { kind: 'bool', help: 'With -reschedule: leave out the shutdown delay.' },
    yes: { kind: 'bool', help: 'Do not ask.' },
    verbose: { kind: 'bool', help: 'Print whole ids.' },
  },
  client: true,
  complete: 'jobs',
  run,
};

async function run(call: Call): Promise<number> {
  const { flags } = call;
  takes(call, 'job restart', 'This command takes one argument: <job>', 1);
  if (flags.bool('reschedule') && (flags.bool('all-tasks') || flags.strings('task').length > 0))
    throw new CommandError('The -reschedule option cannot be used with -task or -all-tasks');
  const wait = batchWait(flags.string('batch-wait') ?? '0s');
  return withClient(call, async (client) => {
    const { id, namespace } = await resolveJob(client, call.args[0]!);
    const reading = client.jobs.allocations(id, { query: { namespace } });
    const { value } = await asking('Error retrieving job allocations', reading);
    const groups = flags.strings('group');
    const chosen = value.filter(
      (row) => row.ClientStatus === 'running' && (groups.length === 0 || groups.includes(row.TaskGroup)),
    );
    if (chosen.length === 0) throw new CommandError(`No running allocations of job "${id}" to restart`);
    const size = batchSize(flags.string('batch-size') ?? '1', chosen.length);
    const verb = flags.bool('reschedule') ? 'Rescheduling' : 'Restarting';
    say(call, '==>', `${verb} ${chosen.length} allocation${chosen.length === 1 ? '' : 's'}`);
    for (let at = 0; at < chosen.length && !call.interrupted.aborted; at += size) {
      if (at > 0 && !(await pause(call, wait))) return 1;
      if (!(await restartBatch(call, client, chosen.slice(at, at + size)))) return 1;
    }
    if (call.interrupted.aborted) return 1;
    say(call, '==>', 'Finished job restart');
    return 0;
  });
}

function batchWait(text: string): number | 'ask' {
  if (text === 'ask') return 'ask';
  const ns = parseDuration(text);
  if (ns === undefined || ns < 0) throw new CommandError(`Invalid -batch-wait value "${text}": a duration, or "ask"`);
  return ns / 1_000_000;
}

/** `"2"`, `"25%"` → how many of the allocations. */
export function batchSize(text: string, count: number): number {
  const match = /^(\d+)(%?)$/.exec(text);
  const size = match === null ? 0 : match[2] === '%' ? Math.ceil((count * Number(match[1])) / 100) : Number(match[1]);
  if (size < 1) throw new CommandError(`Invalid -batch-size value "${text}": a whole number or a percentage above 0`);
  return size;
}

async function pause(call: Call, wait: number | 'ask'): Promise<boolean> {
  if (wait === 'ask') return (await askPerson('Restart the next batch? [y/N] ')) === 'y';
  if (wait > 0) say(call, '   ', `Waiting ${wait / 1000}s before the next batch`);
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, wait);
    call.interrupted.addEventListener('abort', () => {
      clearTimeout(timer);
      resolve();
    });
  });
  return true;
}

async function restartBatch(call: Call, client: DroverClient, batch: readonly AllocationStub[]): Promise<boolean> {
  const results = await Promise.allSettled(batch.map((row) => restartOne(call, client, row)));
  for (const result of results) {
    if (result.status === 'fulfilled') continue;
    if (!isFault(result.reason) && !(result.reason instanceof CommandError)) throw result.reason;
    call.terminal.error(`Error restarting allocation: ${result.reason.message}`);
    const ask = (call.flags.string('on-error') ?? 'ask') === 'ask' && process.stdin.isTTY === true;
    if (!ask || (await askPerson('Go on with the others? [y/N] ')) !== 'y') return false;
  }
  return true;
}

async function restartOne(call: Call, client: DroverClient, row: AllocationStub): Promise<void> {
  const { flags, terminal, interrupted } = call;
  const verbose = flags.bool('verbose');
  const id = formatId(row.ID, verbose);
  if (flags.bool('reschedule')) {
    say(call, '   ', `Rescheduling allocation "${id}" for group "${row.TaskGroup}"`);
    const { value } = await client.allocations.stop(row.ID, flags.bool('no-shutdown-delay'));
    const code = await monitorEvaluation({ client, terminal, verbose, interrupted }, value.EvalID);
    if (code !== 0) throw new CommandError(`allocation "${id}" found no new place`);
    return;
  }
  const tasks = flags.strings('task').filter((name) => row.TaskStates?.[name] !== undefined);
  if (flags.strings('task').length > 0 && tasks.length === 0) return;
  if (tasks.length === 0) {
    say(
      call,
      '   ',
      `Restarting ${flags.bool('all-tasks') ? 'all' : 'running'} tasks in allocation "${id}" for group "${row.TaskGroup}"`,
    );
    await client.allocations.restart(row.ID, { allTasks: flags.bool('all-tasks') });
  }
  for (const task of tasks) {
    say(call, '   ', `Restarting task "${task}" in allocation "${id}" for group "${row.TaskGroup}"`);
    await client.allocations.restart(row.ID, { task });
  }
}

function say({ terminal }: Call, mark: string, text: string): void {
  terminal.out(`${mark} ${formatDate(new Date())}: ${text}`);
}
