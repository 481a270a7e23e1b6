import { Fault } from '../lib/fault.ts';
import { formatErrors } from '../model/error-list.ts';
import { fill } from '../model/fill.ts';
import { NodePool } from '../model/node-pool.ts';
import { defaultIdentityTtl, isBuiltInPool, validateNodePool } from '../model/node-pool-validate.ts';
import type { Input } from '../model/schema.ts';
import { contentHash } from './content-hash.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';

const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/** The whole of a node pool, new or in place of what is there. Faults: `invalid` with every problem. */
export async function putNodePool(context: ServerContext, input: Input<NodePool>): Promise<{ index: number }> {
  const given = fill(NodePool, input);
  const wanted = { ...given, NodeIdentityTTL: given.NodeIdentityTTL || defaultIdentityTtl };
  const problems = validateNodePool(wanted);
  if (problems.length > 0) throw refused(`invalid node pool "${wanted.Name}": ${formatErrors(problems)}`);
  if (isBuiltInPool(wanted.Name)) throw refused(`modifying node pool "${wanted.Name}" is not allowed`);
  const { index } = await context.write((draft) => {
    const { Hash: _, CreateIndex: _created, ModifyIndex: _modified, ...content } = wanted;
    const CreateIndex = draft.get('nodePools', wanted.Name)?.CreateIndex ?? draft.index;
    draft.put('nodePools', { ...wanted, Hash: contentHash(content), CreateIndex, ModifyIndex: draft.index });
  });
  return { index };
}

/** Faults, with Nomad's texts: it is not there, comes with every cluster, or something is still in it. */
export async function deleteNodePool(context: ServerContext, name: string): Promise<{ index: number }> {
  const { index } = await context.write((draft) => {
    if (draft.get('nodePools', name) === undefined) throw refused(`node pool ${name} not found`);
    const problems = inUse(draft, name).map(
      (what) => `node pool "${name}" has ${what} in regions: [${context.region}]`,
    );
    if (problems.length > 0) throw refused(formatErrors(problems));
    if (isBuiltInPool(name)) throw refused(`deleting node pool "${name}" is not allowed`);
    draft.delete('nodePools', name);
  });
  return { index };
}

function inUse(draft: Draft, name: string): readonly string[] {
  const some = <T>(rows: Iterable<T>, test: (row: T) => boolean): boolean => {
    for (const row of rows) if (test(row)) return true;
    return false;
  };
  return [
    ...(some(draft.scan('jobs'), (job) => job.NodePool === name && job.Status !== 'dead') ? ['non-terminal jobs'] : []),
    ...(some(draft.scan('nodes'), (node) => node.NodePool === name) ? ['nodes'] : []),
  ];
}
