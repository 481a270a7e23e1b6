#!/usr/bin/env node
// Time to make and remove the network of an allocation, with its egress policy tried from inside. In a network of its own; needs root and a build:
//   unshare --net --mount --propagation private node test/bench/networks.mjs [COUNT]
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';

const built = (path) => import(join(import.meta.dirname, '../../dist/isolation/network', path));
const { openNetworks } = await built('open-networks.js');
const { parseBlock } = await built('address.js');
const { defaultDenied, parseEgressPolicy } = await built('egress-policy.js');

const count = Number(process.argv[2] ?? 50);
const stateDirectory = mkdtempSync(join(tmpdir(), 'drover-networks-'));
mkdirSync('/run/netns', { recursive: true });
execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run/netns']);
execFileSync('ip', ['link', 'set', 'lo', 'up']);
const began = performance.now();
const { networks, probes } = await openNetworks({
  stateDirectory,
  subnet: parseBlock('172.26.64.0/20'),
  policy: parseEgressPolicy({ deny: defaultDenied, allow: [] }).policy,
  agentPorts: [4646],
  agents: [],
  bootId: 'bench',
  verifier: join(import.meta.dirname, '../../build/native/drover-verify'),
});
if (networks === null) throw new Error(probes.map((each) => each.evidence).join('; '));
console.log(`probe            ${(performance.now() - began).toFixed(0)} ms`);
const ids = Array.from({ length: count }, () => randomUUID());
const port = (at) => [{ label: 'p', port: 20_000 + at, to: 80, hostIp: '' }];
console.log(`make    ${figures(await timed((id, at) => networks.ensure({ allocId: id, kind: 'bridge', ports: port(at) })))}`);
console.log(`remove  ${figures(await timed((id) => networks.release(id)))}`);
rmSync(stateDirectory, { recursive: true });

async function timed(work) {
  const times = [];
  for (const [at, id] of ids.entries()) {
    const start = performance.now();
    await work(id, at);
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b);
}

function figures(times) {
  const at = (share) => times[Math.min(times.length - 1, Math.floor(times.length * share))].toFixed(1);
  return `p50 ${at(0.5)} ms, p95 ${at(0.95)} ms, max ${at(1)} ms (${times.length})`;
}
