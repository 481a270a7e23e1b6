/** Which addresses the API binds, and the rule that without access control they are on loopback. Pure. */
import { isLoopback } from '../lib/node/loopback.ts';
import type { AgentConfig } from './config.ts';

export function listenHosts(config: AgentConfig): { hosts: string[]; problems: string[] } {
  const hosts = (config.addresses.http || config.bindAddr).split(/\s+/).filter((host) => host !== '');
  const open = hosts.filter((host) => !isLoopback(host));
  const problems =
    open.length === 0 || config.api.allowRemoteWithoutAcl
      ? []
      : [
          `the HTTP API would listen on ${open.join(' and ')} without access control: whoever reaches it can run anything as this agent. ` +
            'Bind a loopback address, or say that this is wanted with api { allow_remote_without_acl = true }',
        ];
  return { hosts, problems };
}
