import type { DroverClient } from '../api-client/index.ts';
import { hour } from '../lib/duration.ts';
import type { Allocation } from '../model/allocation.ts';
import { asking, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { formatDate } from './formats.ts';
import { nodeOf } from './node-eligibility.ts';

export const command: Command = {
  usage: 'node drain [options] <node>',
  help: `Moves the allocations of a node elsewhere, as their migrate blocks allow, and keeps new ones away; -disable ends that.
Ctrl-C stops following a drain, not the drain.`,
  flags: {
    enable: { kind: 'bool', help: 'Begin.' },
    disable: { kind: 'bool', help: 'End; the node is eligible again unless -keep-ineligible.' },
    deadline: { kind: 'duration', value: '<duration>', help: 'When what is left is stopped. Default 1h.' },
    force: { kind: 'bool', help: 'Stop everything at once.' },
    'no-deadline': { kind: 'bool', help: 'Wait however long it takes.' },
    'ignore-system': { kind: 'bool', help: 'Leave system jobs running.' },
    'keep-ineligible': { kind: 'bool', help: 'With -disable: new work stays away.' },
    self: { kind: 'bool', help: 'The node of the agent that is asked.' },
    detach: { kind: 'bool', help: 'Do not follow it.' },
    monitor: { kind: 'bool', help: 'Follow a drain that has begun.' },
    yes: { kind: 'bool', help: 'Do not ask.' },
    m: { kind: 'string', value: '<text>', help: 'A message kept with the drain.' },
    meta: { kind: 'strings', value: '<key>=<value>', help: 'Metadata kept with the drain; may be repeated.' },
  },
  client: true,
  complete: 'nodes',
  run,
};

async function run(call: Call): Promise<number> {
  const { flags, terminal } = call;
  if (flags.bool('enable') === flags.bool('disable') && !flags.bool('monitor'))
    throw new CommandError(
      "Either the '-enable' or '-disable' flag must be set, unless using '-monitor'\nFor additional help try 'drover node drain -help'",
    );
  return withClient(call, async (client) => {
    const id = await nodeOf(call, client, 'node drain');
    // as they are before: a quick drain changes them before they are looked at again
    const before = (await asking('Error monitoring drain', client.nodes.allocations(id))).value;
    if (!flags.bool('monitor')) {
      const spec = flags.bool('enable')
        ? { deadlineNs: deadline(call), ignoreSystemJobs: flags.bool('ignore-system') }
        : null;
      await asking(
        'Error updating drain specification',
        client.nodes.drain(id, spec, {
          markEligible: spec === null && !flags.bool('keep-ineligible'),
          meta: meta(call),
        }),
      );
      if (spec === null) {
        terminal.out(`Node "${id}" drain strategy unset`);
        return 0;
      }
      say(
        call,
        flags.bool('detach')
          ? `Node "${id}" drain strategy set`
          : 'Ctrl-C to stop monitoring: will not cancel the node drain',
      );
      if (flags.bool('detach')) return 0;
      say(call, `Node "${id}" drain strategy set`);
    }
    await follow(call, client, id, before);
    return 0;
  });
}

/** Negative: at once; 0: none. */
function deadline({ flags }: Call): number {
  if (flags.bool('force')) return -1;
  return flags.bool('no-deadline') ? 0 : (flags.duration('deadline') ?? hour);
}

function meta({ flags }: Call): { [key: string]: string } {
  const pairs = flags.strings('meta').map((text) => [text.split('=')[0]!, text.slice(text.indexOf('=') + 1)] as const);
  const message = flags.string('m');
  return { ...Object.fromEntries(pairs), ...(message === undefined ? {} : { message }) };
}

async function follow(call: Call, client: DroverClient, id: string, before: readonly Allocation[]): Promise<void> {
  const seen = new Map<string, Allocation>(before.map((allocation) => [allocation.ID, allocation]));
  let drained = false;
  while (!call.interrupted.aborted) {
    const [{ value: node }, { value: allocations }] = await asking(
      'Error monitoring drain',
      Promise.all([client.nodes.read(id), client.nodes.allocations(id)]),
    );
    for (const allocation of allocations) sayChange(call, seen.get(allocation.ID), allocation);
    for (const allocation of allocations) seen.set(allocation.ID, allocation);
    if (node.DrainStrategy === null && !drained) {
      drained = true;
      say(call, `Drain complete for node ${id}`);
    }
    const live = allocations.filter((row) => row.ClientStatus === 'running' || row.ClientStatus === 'pending');
    if (drained && live.every((row) => row.DesiredStatus === 'run')) {
      if (live.length === 0) say(call, `All allocations on node "${id}" have stopped`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}

function sayChange(call: Call, before: Allocation | undefined, now: Allocation): void {
  const wasMarked = before?.DesiredTransition.Migrate === true;
  if (now.DesiredTransition.Migrate === true && !wasMarked) say(call, `Alloc "${now.ID}" marked for migration`);
  if (before === undefined) return;
  if (before.DesiredStatus === 'run' && now.DesiredStatus !== 'run') say(call, `Alloc "${now.ID}" draining`);
  if (before.ClientStatus !== now.ClientStatus)
    say(call, `Alloc "${now.ID}" status ${before.ClientStatus} -> ${now.ClientStatus}`);
}

function say({ terminal }: Call, text: string): void {
  terminal.out(`${formatDate(new Date())}: ${text}`);
}
