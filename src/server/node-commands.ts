/** What the API does to a node: eligibility, drain, evaluate, purge. */
import { Fault } from '../lib/fault.ts';
import { formatInstant } from '../lib/instant.ts';
import type { DrainMetadata, DrainSpec } from '../model/drain.ts';
import type { Node } from '../model/node.ts';
import type { Input } from '../model/schema.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { evaluateNodeJobs } from './node-evaluations.ts';
import { putNode, withEvent } from './rows.ts';

export interface NodeChange {
  readonly evalIds: readonly string[];
  readonly evalCreateIndex: number;
  readonly index: number;
}

async function changeNode(
  context: ServerContext,
  nodeId: string,
  change: (draft: Draft, node: Node) => readonly string[],
): Promise<NodeChange> {
  const { index, result } = await context.write((draft) => {
    const node = draft.get('nodes', nodeId);
    if (node === undefined) throw new Fault('not_found', 'node not found', { status: 500 });
    return change(draft, node);
  });
  return { evalIds: result, evalCreateIndex: result.length > 0 ? index : 0, index };
}

/** Lets new work onto a node, or keeps it away; what runs there stays. `invalid`: a draining node cannot be made eligible. */
export function setEligibility(
  context: ServerContext,
  request: { readonly nodeId: string; readonly eligible: boolean },
): Promise<NodeChange> {
  const { nodeId, eligible } = request;
  return changeNode(context, nodeId, (draft, node) => {
    if (eligible && node.DrainStrategy !== null) {
      throw new Fault('invalid', "can not set node's scheduling eligibility to eligible while it is draining", {
        status: 500,
      });
    }
    const state = eligible ? 'eligible' : 'ineligible';
    if (node.SchedulingEligibility === state) return [];
    const changed = withEvent(
      draft,
      { ...node, SchedulingEligibility: state },
      'Cluster',
      `Node marked as ${state} for scheduling`,
    );
    const stored = putNode(draft, changed);
    return eligible ? evaluateNodeJobs(draft, stored, context.newId) : [];
  });
}

export interface DrainNode {
  readonly nodeId: string;
  readonly spec: Input<DrainSpec> | null;
  readonly markEligible: boolean;
  readonly meta: { readonly [key: string]: string };
}

/** Begins, changes or (spec null) ends a drain. The allocations are moved by drainer.ts. */
export async function drainNode(context: ServerContext, request: DrainNode): Promise<NodeChange> {
  const { spec } = request;
  const change = await changeNode(context, request.nodeId, (draft, node) => {
    if (spec !== null) {
      putNode(draft, startDrain(draft, node, spec, request.meta));
      return [];
    }
    const ended = endDrain(draft, node, request);
    const stored = putNode(draft, ended);
    return ended.SchedulingEligibility === 'eligible' && node.SchedulingEligibility !== 'eligible'
      ? evaluateNodeJobs(draft, stored, context.newId)
      : [];
  });
  // Nomad's answer to a drain names no evaluations.
  return { ...change, evalIds: [] };
}

function startDrain(draft: Draft, node: Node, spec: Input<DrainSpec>, meta: DrainNode['meta']): Node {
  const now = formatInstant(draft.now);
  const before = node.DrainStrategy;
  const deadline = spec.Deadline ?? 0;
  const startedAt = before?.StartedAt ?? now;
  const drained: Node = {
    ...node,
    Drain: true,
    DrainStrategy: {
      Deadline: deadline,
      IgnoreSystemJobs: spec.IgnoreSystemJobs ?? false,
      // 0: no deadline; below: at once.
      ForceDeadline: deadline > 0 ? formatInstant(draft.now + deadline) : null,
      StartedAt: startedAt,
    } as NonNullable<Node['DrainStrategy']>,
    SchedulingEligibility: 'ineligible',
    LastDrain: drainMetadata(draft, node, 'draining', {
      StartedAt: startedAt,
      Meta: Object.keys(meta).length > 0 ? meta : null,
    }),
  };
  return withEvent(
    draft,
    drained,
    'Drain',
    before === null ? 'Node drain strategy set' : 'Node drain strategy updated',
  );
}

function endDrain(draft: Draft, node: Node, { markEligible, meta }: DrainNode): Node {
  const eligibility = markEligible ? 'eligible' : node.SchedulingEligibility;
  if (node.DrainStrategy === null) return { ...node, SchedulingEligibility: eligibility };
  const Meta = Object.keys(meta).length > 0 ? meta : (node.LastDrain?.Meta ?? null);
  const ended: Node = {
    ...node,
    Drain: false,
    DrainStrategy: null,
    SchedulingEligibility: eligibility,
    LastDrain: drainMetadata(draft, node, 'canceled', { Meta }),
  };
  return withEvent(draft, ended, 'Drain', 'Node drain strategy unset');
}

export function drainMetadata(
  draft: Draft,
  node: Node,
  status: string,
  more: Partial<DrainMetadata> = {},
): DrainMetadata {
  const now = formatInstant(draft.now);
  return {
    StartedAt: node.LastDrain?.StartedAt ?? now,
    // Until there are tokens, whoever may reach the API may do this.
    AccessorID: 'token:acls-disabled',
    Meta: node.LastDrain?.Meta ?? null,
    ...more,
    UpdatedAt: now,
    Status: status,
  };
}

export function evaluateNode(context: ServerContext, request: { readonly nodeId: string }): Promise<NodeChange> {
  return changeNode(context, request.nodeId, (draft, node) => evaluateNodeJobs(draft, node, context.newId));
}

/** Forgets the node; if it lives, it registers again. */
export function purgeNode(context: ServerContext, request: { readonly nodeId: string }): Promise<NodeChange> {
  return changeNode(context, request.nodeId, (draft, node) => {
    draft.delete('nodes', node.ID);
    return evaluateNodeJobs(draft, node, context.newId);
  });
}
