import type { AgentMember } from '../api-client/index.ts';
import { compareText } from '../lib/order.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatTable } from './table.ts';

export const command: Command = {
  usage: 'server members [options]',
  help: 'Lists the servers, and which of them leads.',
  flags: {
    verbose: { kind: 'bool', help: 'Also protocol versions and tags.' },
    detailed: { kind: 'bool', help: 'The same as -verbose.', hidden: true },
    ui: { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
    ...formatFlags,
  },
  client: true,
  async run(call) {
    const { flags, terminal } = call;
    takes(call, 'server members', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking('Error querying servers', client.agent.members());
      const members = [...(value.Members ?? [])].sort((a, b) => compareText(a.Name, b.Name));
      if (await printFormatted(call, members)) return 0;
      const leader = await client.agent.leader().then(
        (read) => read.value,
        () => '',
      );
      terminal.out(memberTable(members, leader, flags.bool('verbose') || flags.bool('detailed')));
      return 0;
    });
  },
};

function memberTable(members: readonly AgentMember[], leader: string, verbose: boolean): string {
  const rows = members.map((member) => {
    const tags = member.Tags ?? {};
    return [
      ...[member.Name, member.Addr, member.Port, member.Status],
      leader !== '' && leader === `${tags['rpc_addr'] ?? member.Addr}:${tags['port'] ?? ''}`,
      ...(verbose ? [member.ProtocolCur] : []),
      ...[tags['raft_vsn'] ?? '', tags['build'] ?? '', tags['dc'] ?? '', tags['region'] ?? ''],
      ...(verbose
        ? [
            Object.entries(tags)
              .map(([key, text]) => `${key}=${text}`)
              .join(','),
          ]
        : []),
    ];
  });
  return formatTable([
    [
      ...['Name', 'Address', 'Port', 'Status', 'Leader'],
      ...(verbose ? ['Protocol'] : []),
      ...['Raft Version', 'Build', 'Datacenter', 'Region'],
      ...(verbose ? ['Tags'] : []),
    ],
    ...rows,
  ]);
}
