/** Which addresses the API binds, and which of them others reach. Pure. */
import { isLoopback } from '../lib/node/loopback.ts';
import type { AgentConfig } from './config.ts';

export function listenHosts({ addresses, bindAddr }: AgentConfig): readonly string[] {
  return (addresses.http || bindAddr).split(/\s+/).filter((host) => host !== '');
}

/** Without access control the API is on loopback, unless a setting says that this is wanted. */
export function openHosts(config: AgentConfig): readonly string[] {
  return config.api.allowRemoteWithoutAcl ? [] : listenHosts(config).filter((host) => !isLoopback(host));
}
