/**
 *   (unknown) ──register──▶ ready ──heartbeat missed──▶ down ──heartbeat or register──▶ ready
 *
 * A node proves who it is by its secret id: the server keeps the first it sees and refuses another.
 */
import { timingSafeEqual } from 'node:crypto';
import { Fault } from '../lib/fault.ts';
import { formatJson } from '../lib/json.ts';
import type { Node } from '../model/node.ts';
import { computedClass } from './computed-class.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { evaluateNodeJobs } from './node-evaluations.ts';
import { putNode, withEvent } from './rows.ts';

/** Who presents itself: refused unless the secret is the one first seen. */
export function checkSecret(known: Node, secretId: string): void {
  const [a, b] = [Buffer.from(known.SecretID), Buffer.from(secretId)];
  if (a.length !== b.length || !timingSafeEqual(a, b)) {
    throw new Fault('denied', 'node secret ID does not match', { status: 403 });
  }
}

/** First registration and every change of the fingerprint; registering the same again changes nothing. */
export async function registerNode(context: ServerContext, node: Node, mayJoin: boolean): Promise<number> {
  if (node.ID === '' || node.SecretID === '')
    throw new Fault('invalid', 'missing node ID or secret for client registration');
  if (node.Datacenter === '' || node.Name === '')
    throw new Fault('invalid', 'missing datacenter or name for client registration');
  const known = context.store.snapshot().get('nodes', node.ID);
  if (known !== undefined) {
    checkSecret(known, node.SecretID);
    if (known.Status === 'ready' && formatJson(reported(known)) === formatJson(reported(node)))
      return known.ModifyIndex;
  } else if (!mayJoin)
    throw new Fault('denied', `node ${node.ID} is not known here, and its join token is missing or wrong`);
  const { index } = await context.write((draft) => register(context, draft, node));
  return index;
}

/** Only what the node itself says, without times that change with every report. */
function reported(node: Node): unknown {
  const drivers = Object.entries(node.Drivers ?? {}).map(([name, driver]) => [name, { ...driver, UpdateTime: '' }]);
  return { ...node, ...serverOwned(node, node), Drivers: drivers.sort() };
}

/** The part of a node's row that the server decides. */
function serverOwned(node: Node, known: Node | undefined): Partial<Node> {
  const blank = known === node;
  return {
    Drain: blank ? false : (known?.Drain ?? false),
    DrainStrategy: blank ? null : (known?.DrainStrategy ?? null),
    SchedulingEligibility: blank ? '' : (known?.SchedulingEligibility ?? 'eligible'),
    Status: blank ? '' : 'ready',
    StatusDescription: '',
    StatusUpdatedAt: 0,
    Events: blank ? null : (known?.Events ?? null),
    LastDrain: blank ? null : (known?.LastDrain ?? null),
    CreateIndex: 0,
    ModifyIndex: 0,
    ComputedClass: blank ? '' : computedClass(node),
    SecretID: blank ? '' : node.SecretID,
    LastAllocUpdateIndex: blank ? 0 : (known?.LastAllocUpdateIndex ?? 0),
    LastMissedHeartbeatIndex: blank ? 0 : (known?.LastMissedHeartbeatIndex ?? 0),
  };
}

function register(context: ServerContext, draft: Draft, node: Node): void {
  const known = draft.get('nodes', node.ID);
  if (known !== undefined) checkSecret(known, node.SecretID);
  const pool = node.NodePool === '' ? 'default' : node.NodePool;
  if (draft.get('nodePools', pool) === undefined) createPool(draft, pool);
  const came = known === undefined || known.Status !== 'ready';
  const base: Node = { ...node, NodePool: pool };
  const merged: Node = {
    ...base,
    ...serverOwned(base, known),
    StatusUpdatedAt: came ? Math.floor(draft.now / 1e9) : known.StatusUpdatedAt,
  };
  const noted = !came
    ? merged
    : withEvent(draft, merged, 'Cluster', known === undefined ? 'Node registered' : 'Node re-registered');
  const stored = putNode(draft, noted);
  if (came || known.ComputedClass !== stored.ComputedClass) evaluateNodeJobs(draft, stored, context.newId);
}

/** A pool comes to be with the first node that is in it, as in Nomad. */
function createPool(draft: Draft, name: string): void {
  draft.put('nodePools', {
    Name: name,
    Description: '',
    Meta: null,
    NodeIdentityTTL: 0,
    SchedulerConfiguration: null,
    CreateIndex: draft.index,
    ModifyIndex: draft.index,
    Hash: null,
  });
}

/** A node that was taken for gone is there again. */
export async function reviveNode(context: ServerContext, nodeId: string): Promise<void> {
  await context.write((draft) => {
    const node = draft.get('nodes', nodeId);
    if (node === undefined || node.Status === 'ready') return;
    const ready = { ...node, Status: 'ready', StatusUpdatedAt: Math.floor(draft.now / 1e9) };
    evaluateNodeJobs(
      draft,
      putNode(draft, withEvent(draft, ready, 'Cluster', 'Node reregistered by heartbeat')),
      context.newId,
    );
  });
}

/** Its heartbeats stayed away: what runs there counts as lost. */
export async function markNodesDown(context: ServerContext, nodeIds: readonly string[]): Promise<void> {
  await context.write((draft) => {
    for (const nodeId of nodeIds) {
      const node = draft.get('nodes', nodeId);
      if (node === undefined || node.Status === 'down') continue;
      const down = {
        ...node,
        Status: 'down',
        StatusUpdatedAt: Math.floor(draft.now / 1e9),
        LastMissedHeartbeatIndex: draft.index,
      };
      evaluateNodeJobs(
        draft,
        putNode(draft, withEvent(draft, down, 'Cluster', 'Node heartbeat missed')),
        context.newId,
      );
    }
  });
}
