/** What a task's /etc/hosts and /etc/resolv.conf say, where they are not the host's own. Pure. Sources: hosts(5), resolv.conf(5). */
import type { LaunchRequest } from './launch.ts';

export interface NameFile {
  /** Inside. */
  readonly path: '/etc/hosts' | '/etc/resolv.conf';
  readonly text: string;
}

/** Empty where the task keeps the host's. */
export function nameFiles(request: Pick<LaunchRequest, 'network' | 'dns'>): readonly NameFile[] {
  const files: NameFile[] = [];
  const { network, dns } = request;
  const hosts = network === null || network === 'none' ? undefined : network.hosts;
  if (hosts !== undefined) {
    const own = hosts.hostname === '' ? [] : [`${hosts.address} ${hosts.hostname}`];
    const rows = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback', ...own];
    files.push({ path: '/etc/hosts', text: `${rows.join('\n')}\n` });
  }
  if (dns !== null) {
    const rows = [
      ...dns.servers.map((server) => `nameserver ${server}`),
      ...(dns.searches.length === 0 ? [] : [`search ${dns.searches.join(' ')}`]),
      ...(dns.options.length === 0 ? [] : [`options ${dns.options.join(' ')}`]),
    ];
    files.push({ path: '/etc/resolv.conf', text: `${rows.join('\n')}\n` });
  }
  return files;
}
