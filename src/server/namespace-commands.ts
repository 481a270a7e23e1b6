import { Fault } from '../lib/fault.ts';
import { formatErrors } from '../model/error-list.ts';
import { fill } from '../model/fill.ts';
import { Namespace } from '../model/namespace.ts';
import { validateNamespace } from '../model/namespace-validate.ts';
import type { Input } from '../model/schema.ts';
import { contentHash } from './content-hash.ts';
import type { ServerContext } from './context.ts';

const refused = (text: string): Fault => new Fault('invalid', text, { status: 500 });

/** The whole of a namespace, new or in place of what is there. Faults: `invalid` with every problem. */
export async function putNamespace(context: ServerContext, input: Input<Namespace>): Promise<{ index: number }> {
  const wanted = fill(Namespace, input);
  const problems = validateNamespace(wanted);
  if (problems.length > 0) throw refused(`Invalid namespace "${wanted.Name}": ${formatErrors(problems)}`);
  const { index } = await context.write((draft) => {
    const { Hash: _, CreateIndex: _created, ModifyIndex: _modified, ...content } = wanted;
    const CreateIndex = draft.get('namespaces', wanted.Name)?.CreateIndex ?? draft.index;
    draft.put('namespaces', { ...wanted, Hash: contentHash(content), CreateIndex, ModifyIndex: draft.index });
  });
  return { index };
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
