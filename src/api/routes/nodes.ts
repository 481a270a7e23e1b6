import { Fault } from '../../lib/fault.ts';
import type { Allocation } from '../../model/allocation.ts';
import { DrainSpec } from '../../model/drain.ts';
import { Node } from '../../model/node.ts';
import { bool, map, noun, nullable, object, string } from '../../model/schema.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import { idOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import { prefixTest, rowAnswer, withState } from '../shared-answers.ts';
import { shapeOf, visibleForm } from '../visible.ts';
import { allocationForm, wholeAllocation } from './allocations.ts';
import { checkUuidPrefix } from './uuid-prefix.ts';

const visible = visibleForm(Node);
const EligibilityRequest = noun('NodeUpdateEligibilityRequest', { NodeID: string(), Eligibility: string() });
const DrainRequest = noun('NodeUpdateDrainRequest', {
  NodeID: string(),
  DrainSpec: nullable(object(DrainSpec)),
  MarkEligible: bool(),
  Meta: nullable(map(string())),
});

/** The attribute by which a node says its version; `nomad.version` is what clients of both read. */
const versionAttribute = 'nomad.version';

function nodeStub({ query }: ApiRequest): (row: Node) => unknown {
  const withResources = listBoolean(query, 'resources');
  const withOs = listBoolean(query, 'os');
  return (row) => ({
    Address: row.HTTPAddr.replace(/:\d+$/, '').replace(/^\[|\]$/g, ''),
    ...(withOs ? { Attributes: { 'os.name': row.Attributes?.['os.name'] ?? '' } } : {}),
    ID: row.ID,
    Datacenter: row.Datacenter,
    Name: row.Name,
    NodeClass: row.NodeClass,
    NodePool: row.NodePool,
    Version: row.Attributes?.[versionAttribute] ?? '',
    Drain: row.DrainStrategy !== null,
    SchedulingEligibility: row.SchedulingEligibility,
    Status: row.Status,
    StatusDescription: row.StatusDescription,
    Drivers: row.Drivers,
    HostVolumes: row.HostVolumes,
    ...(withResources ? { NodeResources: row.NodeResources, ReservedResources: row.ReservedResources } : {}),
    LastDrain: row.LastDrain,
    CreateIndex: row.CreateIndex,
    ModifyIndex: row.ModifyIndex,
  });
}

function listBoolean(query: ApiRequest['query'], name: string): boolean {
  const before = `Failed to parse node list fields: Failed to parse value of "${name}" (${query.text(name)}) as a bool: `;
  return query.booleanOr400(name, false, before);
}

/** Whole nodes never show the secret by which they prove themselves. */
function wholeNode(row: Node): object {
  return { ...visible(row), Drain: row.DrainStrategy !== null };
}

/** The node of the path; a body that names another loses to nobody: the reference takes the body's. */
function nodeIdOf({ params }: ApiRequest, named: string | null | undefined): string {
  return named || params['id'] || '';
}

async function setEligibility(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, EligibilityRequest);
  if (body.Eligibility !== 'eligible' && body.Eligibility !== 'ineligible')
    throw new Fault('invalid', `invalid scheduling eligibility ${JSON.stringify(body.Eligibility ?? '')}`, {
      status: 500,
    });
  const nodeId = nodeIdOf(request, body.NodeID);
  const done = await commands.setEligibility({ nodeId, eligible: body.Eligibility === 'eligible' });
  return { index: done.index, value: updateValue(done, 0) };
}

async function drain(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = decodeBody(request, DrainRequest);
  const done = await commands.drainNode({
    nodeId: nodeIdOf(request, body.NodeID),
    spec: body.DrainSpec ?? null,
    markEligible: body.MarkEligible ?? false,
    meta: (body.Meta ?? {}) as { readonly [key: string]: string },
  });
  return { index: done.index, value: updateValue(done, done.index) };
}

interface Updated {
  readonly evalIds: readonly string[];
  readonly evalCreateIndex: number;
  readonly index: number;
}

function updateValue(done: Updated, nodeModifyIndex: number): object {
  return {
    EvalCreateIndex: done.evalCreateIndex,
    EvalIDs: done.evalIds.length === 0 ? null : done.evalIds,
    Index: done.index,
    NodeModifyIndex: nodeModifyIndex,
  };
}

async function evaluate({ params }: ApiRequest, { commands, store, agent }: Services): Promise<Answer> {
  const done = await commands.evaluateNode({ nodeId: params['id'] ?? '' });
  const node = store.snapshot().get('nodes', params['id'] ?? '');
  const value = {
    ...updateValue(done, 0),
    Features: 0,
    HeartbeatTTL: 0,
    LeaderRPCAddr: agent.leader(),
    NumNodes: store.snapshot().count('nodes'),
    SchedulingEligibility: node?.SchedulingEligibility ?? '',
    Servers: [
      { Datacenter: agent.datacenter, RPCAdvertiseAddr: agent.leader(), RPCMajorVersion: 0, RPCMinorVersion: 0 },
    ],
    SignedIdentity: null,
  };
  return { index: done.index, value: withState(value, done.index, false) };
}

const nodeRead = { capability: 'node:read', scope: 'none' } as const;
const nodeWrite = { capability: 'node:write', scope: 'none' } as const;

export const nodeListBase = {
  order: idOrder<Node>((row) => row.ID),
  filterShape: shapeOf(Node),
  stub: nodeStub,
};

function readNode(snapshot: ServerSnapshot, { params }: ApiRequest) {
  return rowAnswer(snapshot, ['nodes'], snapshot.get('nodes', params['id'] ?? ''), 'node not found', wholeNode);
}

export const nodeRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/nodes',
    access: nodeRead,
    tables: ['nodes'],
    list: {
      rows: (snapshot, { query }) => snapshot.scan('nodes', { prefix: query.text('prefix') }),
      admits: (request) => {
        checkUuidPrefix(request, 'node');
        nodeStub(request);
        return prefixTest<Node>(request, (row) => row.ID);
      },
      ...nodeListBase,
    },
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/{id}',
    access: nodeRead,
    tables: ['nodes'],
    rows: ({ params }) => [{ table: 'nodes', id: params['id'] ?? '' }],
    read: readNode,
  },
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/node/{id}/allocations',
    access: nodeRead,
    rowCapability: 'read-job',
    tables: ['allocations'],
    list: {
      namespaceOf: (row: Allocation) => row.Namespace,
      rows: (snapshot, { params }) => snapshot.by('allocations', 'node', params['id'] ?? ''),
      order: idOrder<{ readonly ID: string }>((row) => row.ID),
      paged: false,
      filterShape: allocationForm.filterShape,
      filterDatum: allocationForm.filterDatum,
      stub: (_request, snapshot) => (row) => wholeAllocation(snapshot, row),
    },
  },
  { kind: 'write', methods: writeMethods, path: '/v1/node/{id}/eligibility', access: nodeWrite, run: setEligibility },
  { kind: 'write', methods: writeMethods, path: '/v1/node/{id}/drain', access: nodeWrite, run: drain },
  { kind: 'write', methods: writeMethods, path: '/v1/node/{id}/evaluate', access: nodeWrite, run: evaluate },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/node/{id}/purge',
    access: nodeWrite,
    run: async ({ params }, { commands }) => {
      const done = await commands.purgeNode({ nodeId: params['id'] ?? '' });
      return { index: done.index, value: updateValue(done, done.index) };
    },
  },
];
