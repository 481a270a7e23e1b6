/** Whether this user can make networks as `user-networks.ts` does: one is made and its policy tried from inside. */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { makeDirectories } from '../../lib/node/directories.ts';
import { type ProbeResult, probe, runChild } from '../mechanisms/probe.ts';
import { defaultDenied, parseEgressPolicy } from './egress-policy.ts';
import { LeaseStore } from './lease-store.ts';
import { reachFrom } from './reach.ts';
import { UserNetworks, type UserNetworksOptions } from './user-networks.ts';

export type UserProbeOptions = Omit<UserNetworksOptions, 'store' | 'verifier' | 'policy'> & {
  readonly verifier: string | null;
};

const allocId = 'probe';
/** Of a path of a socket. Source: unix(7). */
const longestPath = 107;

export function userProbe(options: UserProbeOptions): Promise<ProbeResult> {
  return probe('network.bridge', async () => {
    const { verifier, directory } = options;
    if (verifier === null) return { ok: false, evidence: 'the verifier is not built' };
    if (Buffer.byteLength(join(directory, 'probe-xxxxxx', '12345678.socket')) > longestPath)
      return { ok: false, evidence: `${directory} is too long a path for sockets: another data_dir` };
    for (const [program, flag, from] of [
      ['ip', '-V', 'iproute2'],
      ['nft', '-V', 'nftables'],
      ['slirp4netns', '--version', 'slirp4netns'],
    ] as const) {
      const found = await runChild([program, flag]);
      if (found.code !== 0) return { ok: false, evidence: `${program} is not installed: install ${from}` };
    }
    makeDirectories(directory, 0o700);
    const scratch = await mkdtemp(join(directory, 'probe-'));
    try {
      return await tryOne({ ...options, verifier, directory: scratch });
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  });
}

async function tryOne(
  options: Omit<UserNetworksOptions, 'store' | 'policy'>,
): Promise<{ ok: boolean; evidence: string }> {
  const { store } = await LeaseStore.open(options.directory);
  const { policy } = parseEgressPolicy({ deny: defaultDenied, allow: [] });
  const networks = new UserNetworks({ ...options, store, policy });
  const port = await freePort();
  try {
    const ports = [{ label: 'probe', port, to: 1, hostIp: '127.0.0.1' }];
    const { egress } = await networks.ensure({ allocId, kind: 'bridge', ports });
    if (!egress.startsWith('verified')) return { ok: false, evidence: `egress policy ${egress}` };
    const [led] = (await reachFrom([], options.verifier, [`127.0.0.1:${port}`])) ?? [];
    return led?.reached === true
      ? { ok: true, evidence: `slirp4netns publishes ports; egress policy ${egress}` }
      : { ok: false, evidence: `a published port is not passed on: ${led?.seen ?? 'not tried'}` };
  } finally {
    await networks.release(allocId);
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}
