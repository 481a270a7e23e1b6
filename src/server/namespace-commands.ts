import { Fault } from '../lib/fault.ts';
import { deepEqual } from '../model/deep-equal.ts';
import { formatErrors } from '../model/error-list.ts';
import { fill } from '../model/fill.ts';
import { floorOf, noFloor } from '../model/isolation-floor.ts';
import { Namespace } from '../model/namespace.ts';
import { validateNamespace } from '../model/namespace-validate.ts';
import type { Input } from '../model/schema.ts';
import { isTerminal } from '../scheduler/fit.ts';
import { contentHash } from './content-hash.ts';
import type { ServerContext } from './context.ts';
import type { Draft } from './draft.ts';
import { evaluateJobsEverywhere } from './node-evaluations.ts';
import { putAllocation } from './rows.ts';

const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/**
 * The whole of a namespace, new or in place of what is there; but a demand for isolation is taken away only by who says so (an
 * empty one), for Nomad's own clients know of none. What runs is told of a demand that changed: it counts from each task's next start.
 * Faults: `invalid` with every problem.
 */
export async function putNamespace(context: ServerContext, input: Input<Namespace>): Promise<{ index: number }> {
  const wanted = fill(Namespace, input);
  const problems = validateNamespace(wanted);
  if (problems.length > 0) throw refused(`Invalid namespace "${wanted.Name}": ${formatErrors(problems)}`);
  const { index } = await context.write((draft) => {
    const before = draft.get('namespaces', wanted.Name);
    const { Hash: _, CreateIndex: _created, ModifyIndex: _modified, Isolation: said, ...rest } = wanted;
    const demand = said == null ? before?.Isolation : deepEqual(floorOf(said), noFloor) ? null : said;
    const content: Omit<Namespace, 'Hash' | 'CreateIndex' | 'ModifyIndex'> =
      demand == null ? rest : { ...rest, Isolation: demand };
    const CreateIndex = before?.CreateIndex ?? draft.index;
    draft.put('namespaces', { ...content, Hash: contentHash(content), CreateIndex, ModifyIndex: draft.index });
    if (deepEqual(before?.Isolation ?? null, content.Isolation ?? null)) return;
    tellAllocations(draft, wanted.Name);
    evaluateJobsEverywhere(draft, wanted.Name, context.newId);
  });
  return { index };
}

function tellAllocations(draft: Draft, namespace: string): void {
  for (const allocation of [...draft.scan('allocations')])
    if (allocation.Namespace === namespace && !isTerminal(allocation)) putAllocation(draft, allocation);
}

/** Faults, with Nomad's texts: it is not there, is the default one, or has jobs that are not dead. */
export async function deleteNamespace(context: ServerContext, name: string): Promise<{ index: number }> {
  const { index } = await context.write((draft) => {
    if (name === 'default') throw refused('can not delete default namespace');
    if (draft.get('namespaces', name) === undefined) throw refused('namespace not found');
    for (const job of draft.scan('jobs')) {
      if (job.Namespace !== name || job.Status === 'dead') continue;
      throw refused(formatErrors([`namespace "${name}" has non-terminal jobs in regions: [${context.region}]`]));
    }
    draft.delete('namespaces', name);
  });
  return { index };
}
