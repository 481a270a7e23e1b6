/** The lane's own host: a network namespace with an uplink, a metadata service, and an address that is not loopback. */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { connect, createServer, type Server } from 'node:net';

/** Set by scripts/test.mjs, which made the namespaces. */
export const ownHost = process.env['DROVER_OWN_NETWORK'] === '1' && process.getuid?.() === 0;

export const hostAddress = '10.9.8.7';
export const metadataAddress = '169.254.169.254';

/** Once per lane; again it changes nothing. */
export function setUpHost(): void {
  if (existsSync('/proc/sys/net/ipv4/conf/up0')) return;
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'addr', 'add', `${metadataAddress}/32`, 'dev', 'lo');
  // not every kernel has dummy interfaces: a bridge without ports is one too
  run('ip', 'link', 'add', 'up0', 'type', 'bridge');
  run('ip', 'addr', 'add', `${hostAddress}/24`, 'dev', 'up0');
  run('ip', 'link', 'set', 'up0', 'up');
  run('ip', 'route', 'add', 'default', 'via', '10.9.8.1');
  run('mkdir', '-p', '/run/netns');
  run('mount', '-t', 'tmpfs', 'tmpfs', '/run/netns');
  openTun();
}

/** As distributions have it: every user may make interfaces in networks of its own. */
function openTun(): void {
  if (!existsSync('/dev/net/tun')) return;
  run('mkdir', '-p', '/run/netns/.dev');
  run('mount', '-t', 'tmpfs', 'tmpfs', '/run/netns/.dev');
  run('mknod', '-m', '666', '/run/netns/.dev/tun', 'c', '10', '200');
  run('mount', '--bind', '/run/netns/.dev/tun', '/dev/net/tun');
  run('umount', '-l', '/run/netns/.dev');
  run('rmdir', '/run/netns/.dev');
}

export function run(program: string, ...args: readonly string[]): string {
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

/** What is on the host of allocations' networks: nothing, when all is gone. */
export function leftovers(): readonly string[] {
  const links = run('ip', '-o', 'link').match(/dv[0-9a-f]{13}/g) ?? [];
  const tables = run('nft', 'list', 'tables').match(/drover_\w+/g) ?? [];
  const routes = run('ip', 'route').match(/^172\.26\S+/gm) ?? [];
  return [...readdirSync('/run/netns'), ...links, ...tables, ...routes];
}

/** A service of the host that greets everyone who connects. */
export async function greeter(address: string, port: number, text: string): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.end(`${text}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, address, resolve);
  });
  return server;
}

/** What a connection from the host is greeted with; an error's code where there is none. */
export function ask(address: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect({ host: address, port, timeout: 3000 });
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    socket.on('timeout', () => socket.destroy(Object.assign(new Error('timeout'), { code: 'ETIMEDOUT' })));
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
    socket.on('end', () => resolve(text.trim()));
  });
}

/** A perl program that greets whoever connects to `port`, and says the address they come from. */
export function greet(port: number | string, text: string): string {
  return `use IO::Socket::INET; $| = 1; my $s = IO::Socket::INET->new(LocalAddr => "0.0.0.0", LocalPort => ${port}, Listen => 9, ReuseAddr => 1) or die "listen: $!"; print "listening\\n"; while (my $c = $s->accept) { print $c "${text} sees ", $c->peerhost, "\\n"; close $c }`;
}

/** A perl program that connects to each `address port` once and prints `address:port <greeting or errno>`. */
export function attempt(targets: readonly string[]): string {
  return `use IO::Socket::INET; use Errno; $| = 1; for my $t (${targets.map((each) => `"${each}"`).join(', ')}) { my ($a, $p) = split / /, $t; my $s; eval { local $SIG{ALRM} = sub { die "timeout\\n" }; alarm 3; $s = IO::Socket::INET->new(PeerAddr => $a, PeerPort => $p); alarm 0; }; my $e = $@ ? "timeout" : "$!"; if (!$s) { print "$a:$p refused: $e\\n"; next } my $line = <$s>; print "$a:$p ", $line // "closed\\n"; }`;
}

/** Runs a command in the network namespace of an allocation. */
export function inside(allocId: string, ...command: readonly string[]): string {
  const done = spawnSync('ip', ['netns', 'exec', allocId, ...command], { encoding: 'utf8' });
  return done.stdout + done.stderr;
}
