/** What a task's /etc/hosts and /etc/resolv.conf say, where they are not the host's own. Pure. Sources: hosts(5), resolv.conf(5). */
import type { LaunchRequest } from './launch.ts';

export interface NameFile {
  /** Inside. */
  readonly path: '/etc/hosts' | '/etc/resolv.conf';
  readonly text: string;
}

/** The host's own, as texts; `upstream`: what a resolver on the host's loopback asks in turn. Empty where there is no such file. */
export interface HostResolvers {
  readonly own: string;
  readonly upstream: string;
}

/** Empty where the task keeps the host's. */
export function nameFiles(
  request: Pick<LaunchRequest, 'network' | 'dns'>,
  resolvers: HostResolvers,
): readonly NameFile[] {
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
  } else if (network !== null && network !== 'none') {
    const text = fromElsewhere(resolvers);
    if (text !== null) files.push({ path: '/etc/resolv.conf', text });
  }
  return files;
}

const onLoopback = /^nameserver\s+(127\.|::1(\s|$))/;

/** Name servers on the host's loopback are none in another network: those behind them are asked instead. Null: there are none such. */
function fromElsewhere({ own, upstream }: HostResolvers): string | null {
  const lines = own.split('\n');
  if (!lines.some((line) => onLoopback.test(line))) return null;
  const asked = [...lines, ...upstream.split('\n')].filter(
    (line) => /^nameserver\s/.test(line) && !onLoopback.test(line),
  );
  const rest = lines.filter((line) => !/^nameserver\s/.test(line) && line.trim() !== '' && !/^[#;]/.test(line));
  const said =
    asked.length > 0
      ? [...new Set(asked)]
      : [
          "# the host's name servers are on its loopback, which this network does not reach: say others in network { dns { servers } }",
        ];
  return `${[...said, ...rest].join('\n')}\n`;
}
