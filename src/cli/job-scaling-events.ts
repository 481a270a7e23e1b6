import { path } from '../api-client/index.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatId, formatTime } from './formats.ts';
import { resolveJob } from './resolve-id.ts';
import { formatTable } from './table.ts';

interface ScalingEvent {
  readonly Count: number | null;
  readonly PreviousCount: number;
  readonly Error: boolean;
  readonly Message: string;
  readonly EvalID: string | null;
  readonly Time: number;
}

interface ScaleStatus {
  readonly TaskGroups: { readonly [group: string]: { readonly Events: readonly ScalingEvent[] | null } } | null;
}

export const command: Command = {
  usage: 'job scaling-events [options] <job>',
  help: 'Lists the changes of the counts of a job, newest first.',
  flags: { verbose: { kind: 'bool', help: 'Also messages and evaluations.' } },
  client: true,
  complete: 'jobs',
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'job scaling-events', 'This command takes one argument: <job_id>', 1);
    return withClient(call, async (client) => {
      const { id, namespace } = await resolveJob(client, call.args[0]!);
      const reading = client.api.get<ScaleStatus>(path`/v1/job/${id}/scale`, { query: { namespace } });
      const { value } = await asking('Error listing scaling events', reading);
      const events = Object.entries(value.TaskGroups ?? {})
        .flatMap(([group, status]) => (status.Events ?? []).map((event) => ({ group, event })))
        .sort((a, b) => b.event.Time - a.event.Time);
      terminal.out(events.length === 0 ? 'No events found' : table(events, flags.bool('verbose')));
      return 0;
    });
  },
};

function table(events: readonly { group: string; event: ScalingEvent }[], verbose: boolean): string {
  const rows = events.map(({ group, event }) => [
    ...[group, event.Count ?? '', event.PreviousCount],
    ...(verbose ? [event.Error, event.Message, formatId(event.EvalID ?? '', true)] : []),
    formatTime(event.Time),
  ]);
  const more = verbose ? ['Error', 'Message', 'Eval ID'] : [];
  return formatTable([['Task Group', 'Count', 'PrevCount', ...more, 'Date'], ...rows]);
}
