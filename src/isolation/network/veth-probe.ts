/** Whether this host can make networks as `veth.ts` does: one is made in a throw-away host, and its policy tried from inside. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ProbeResult, probe, runChild } from '../mechanisms/probe.ts';
import { type Block, formatBlock, overlaps } from './address.ts';
import { defaultDenied, metadataAddresses, parseEgressPolicy } from './egress-policy.ts';
import { LeaseStore } from './lease-store.ts';
import { reachFrom } from './reach.ts';
import { VethNetworks, type VethOptions } from './veth.ts';

export type VethProbeOptions = Omit<VethOptions, 'store' | 'within' | 'table' | 'policy'>;

export function vethProbe(options: VethProbeOptions): Promise<ProbeResult> {
  return probe('network.bridge', async () => {
    for (const [program, from] of [
      ['ip', 'iproute2'],
      ['nft', 'nftables'],
    ] as const) {
      const found = await runChild([program, '-V']);
      if (found.code !== 0) return { ok: false, evidence: `${program} is not installed: install ${from}` };
    }
    const used = await overlappingRoute(options.subnet);
    if (used !== null)
      return {
        ok: false,
        evidence: `${formatBlock(options.subnet)} overlaps a route of ${used}: set client { bridge_network_subnet }`,
      };
    return throughScratchHost(options);
  });
}

/** An interface of the host's own that has part of the subnet; those of allocations do not count. */
async function overlappingRoute(subnet: Block): Promise<string | null> {
  const table = await readFile('/proc/net/route', 'utf8').catch(() => '');
  for (const row of table.split('\n').slice(1)) {
    const [device = '', destination = '', , , , , , mask = ''] = row.trim().split(/\s+/);
    const bits = bitsOf(littleEndian(mask));
    if (device === '' || bits === 0 || device.startsWith('dv')) continue;
    if (overlaps(subnet, { first: littleEndian(destination), bits })) return device;
  }
  return null;
}

function littleEndian(hex: string): number {
  return hex.length === 8 ? Buffer.from(hex, 'hex').readUInt32LE(0) : 0;
}

function bitsOf(mask: number): number {
  return mask.toString(2).replaceAll('0', '').length;
}

async function throughScratchHost(options: VethProbeOptions): Promise<{ ok: boolean; evidence: string }> {
  const name = `drover-probe-${randomBytes(4).toString('hex')}`;
  const directory = await mkdtemp(join(tmpdir(), 'drover-probe-'));
  const { store } = await LeaseStore.open(directory);
  const { policy } = parseEgressPolicy({ deny: defaultDenied, allow: [] });
  const within = ['nsenter', `--net=${options.namespaces}/${name}`];
  const networks = new VethNetworks({ ...options, store, policy, within, table: 'drover_probe' });
  const inside = `${name}-in`;
  try {
    const made = await runChild(['ip', '-batch', '-'], { input: `netns add ${name}\n` });
    if (made.code !== 0) return { ok: false, evidence: made.stderr };
    // a host whose own address the metadata service has: without the rules it would answer
    const setUp = `link set lo up\naddr add ${metadataAddresses[0]}/32 dev lo\n`;
    const ready = await runChild(['ip', '-netns', name, '-batch', '-'], { input: setUp });
    if (ready.code !== 0) return { ok: false, evidence: ready.stderr };
    const network = await networks.ensure({
      allocId: inside,
      kind: 'bridge',
      ports: [{ label: 'p', port: 1, to: 2, hostIp: '' }],
    });
    if (!network.egress.startsWith('verified')) return { ok: false, evidence: `egress policy ${network.egress}` };
    return await publishes(within, options.verifier, network.egress);
  } finally {
    await networks.release(inside).catch(() => undefined);
    await runChild(['ip', 'netns', 'del', name]);
    await rm(directory, { recursive: true, force: true });
  }
}

/** Nobody listens inside, and the namespace itself says so: the packet was passed on. */
async function publishes(
  within: readonly string[],
  verifier: string | null,
  egress: string,
): Promise<{ ok: boolean; evidence: string }> {
  const [first] = (verifier === null ? null : await reachFrom(within, verifier, ['127.0.0.1:1'])) ?? [];
  return first?.reached === true
    ? { ok: true, evidence: `ports are published; egress policy ${egress}` }
    : { ok: false, evidence: `a published port is not passed on: ${first?.seen ?? 'not tried'}` };
}
