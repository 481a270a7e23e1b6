#!/usr/bin/env node
// Placements per second of the scheduler alone, on the real tables: decisions are made and applied, nothing is written to a disk.
// node test/bench/scheduler.mjs [seconds per line, default 2] [one line by name]   (after `npm run build`)
const dist = process.env.DROVER_DIST ?? new URL('../../dist', import.meta.url).href;
const load = (path) => import(`${dist}/${path}.js`);
const [{ MemoryTables }, { serverTables }, { createSchedule }, { canonicalJob }, { fill }, { Node }, { Evaluation }, ids] = await Promise.all([
  load('state/memory-tables'), load('state/server-tables'), load('scheduler/schedule'), load('model/canonical'), load('model/fill'), load('model/node'),
  load('model/evaluation'), load('model/job-id'),
]);

const seconds = Number(process.argv[2] ?? 2);
const defaults = { namespace: 'default', region: 'global', nodePool: 'default' };

function mulberry(seed) {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function node(at) {
  const attributes = Object.fromEntries(Array.from({ length: 40 }, (_, key) => [`attribute.${key}`, `value-${key}`]));
  return fill(Node, {
    ID: `node-${String(at).padStart(6, '0')}`, Name: `node-${at}`, Datacenter: `dc${1 + (at % 3)}`, NodePool: 'default', Status: 'ready',
    SchedulingEligibility: 'eligible', ComputedClass: `v1:${at % 6}`, Attributes: { ...attributes, 'kernel.name': 'linux' },
    Meta: { rack: `r${at % 2}` }, Drivers: { exec: { Detected: true, Healthy: true } },
    NodeResources: {
      Cpu: { CpuShares: 64_000, TotalCpuCores: 32 }, Memory: { MemoryMB: 262_144 }, Disk: { DiskMB: 1_000_000 },
      Networks: [{ Mode: 'host', IP: '10.0.0.1', CIDR: '10.0.0.1/32' }], MinDynamicPort: 20_000, MaxDynamicPort: 32_000,
    },
  });
}

function job(id, type, count, extra) {
  return canonicalJob({
    ID: id, Type: type, Datacenters: ['*'], Constraints: [{ LTarget: '${attr.kernel.name}', Operand: '=', RTarget: 'linux' }],
    TaskGroups: [{ Name: 'g', Count: count, Tasks: [{ Name: 't', Driver: 'exec', Resources: { CPU: 100, MemoryMB: 256 } }], ...extra }],
  }, defaults);
}

class State {
  constructor(nodes) {
    this.tables = MemoryTables.empty(serverTables);
    this.random = mulberry(7);
    this.ids = 0;
    this.write(Array.from({ length: nodes }, (_, at) => ({ table: 'nodes', id: node(at).ID, row: node(at) })));
  }
  write(changes) {
    const index = this.tables.index + 1;
    this.tables.apply(changes, index);
    this.snapshot = this.tables.copy();
  }
  register(spec) {
    const index = this.tables.index + 1;
    const row = { ...spec, CreateIndex: index, ModifyIndex: index, JobModifyIndex: index };
    this.write([{ table: 'jobs', id: ids.jobId(row.Namespace, row.ID), row }]);
    return fill(Evaluation, { ID: this.newId(), Namespace: row.Namespace, Priority: 50, Type: row.Type, JobID: row.ID, Status: 'pending', TriggeredBy: 'job-register' });
  }
  newId() {
    return `00000000-0000-4000-8000-${String(++this.ids).padStart(12, '0')}`;
  }
  context() {
    return { snapshot: this.snapshot, now: 1.7e18, newId: () => this.newId(), random: this.random };
  }
  apply({ plan }) {
    const index = this.tables.index + 1;
    this.write(plan.placements.map((row) => ({ table: 'allocations', id: row.ID, row: { ...row, CreateIndex: index, ModifyIndex: index } })));
  }
}

function measure(nodes, name, make) {
  if (only !== undefined && name !== only) return;
  const state = new State(nodes);
  const schedule = createSchedule();
  let inScheduler = 0, placed = 0, evaluations = 0, worst = 0;
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const evaluation = state.register(make(evaluations++));
    const started = performance.now();
    const decision = schedule(evaluation, state.context());
    const took = performance.now() - started;
    inScheduler += took;
    if (evaluations > 1) worst = Math.max(worst, took);
    placed += decision.plan.placements.length;
    state.apply(decision);
  }
  const rate = Math.round((placed / inScheduler) * 1000).toLocaleString('en');
  console.log(`${String(nodes).padStart(6)} nodes  ${name.padEnd(34)} ${rate.padStart(8)} placements/s  (${placed} placed by ${evaluations} evaluations, longest ${worst.toFixed(1)} ms)`);
}

const only = process.argv[3];
const port = { Networks: [{ Mode: 'host', DynamicPorts: [{ Label: 'http' }] }] };
const spread = { Spreads: [{ Attribute: '${node.datacenter}', Weight: 100 }] };
for (const nodes of [1_000, 10_000]) {
  measure(nodes, 'service, count 10', (at) => job(`service-${at}`, 'service', 10, {}));
  measure(nodes, 'service, count 1', (at) => job(`one-${at}`, 'service', 1, {}));
  measure(nodes, 'service, count 1000', (at) => job(`big-${at}`, 'service', 1000, {}));
  measure(nodes, 'batch, count 100', (at) => job(`batch-${at}`, 'batch', 100, {}));
  measure(nodes, 'service, count 10, a dynamic port', (at) => job(`port-${at}`, 'service', 10, port));
  measure(nodes, 'service, count 10, spread', (at) => job(`spread-${at}`, 'service', 10, spread));
}
