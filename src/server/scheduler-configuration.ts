import { Fault } from '../lib/fault.ts';
import { fill } from '../model/fill.ts';
import { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import type { Input } from '../model/schema.ts';
import type { ServerContext } from './context.ts';

export interface SetSchedulerConfiguration {
  readonly configuration: Input<SchedulerConfiguration>;
  /** Written only where the present one was last changed at this index; null: in any case. */
  readonly modifyIndex: number | null;
}

/** The whole of how the servers schedule. A paused broker gives out nothing from then on (scheduling.ts). Faults: `invalid`. */
export async function setSchedulerConfiguration(
  context: ServerContext,
  { configuration, modifyIndex }: SetSchedulerConfiguration,
): Promise<{ readonly updated: boolean; readonly index: number }> {
  const wanted = fill(SchedulerConfiguration, configuration);
  const SchedulerAlgorithm = wanted.SchedulerAlgorithm || 'binpack';
  if (SchedulerAlgorithm !== 'binpack' && SchedulerAlgorithm !== 'spread')
    throw new Fault('invalid', `invalid scheduler algorithm: ${SchedulerAlgorithm}`);
  const { index, result } = await context.write((draft) => {
    const present = draft.get('schedulerConfiguration', 'scheduler');
    if (modifyIndex !== null && (present?.ModifyIndex ?? 0) !== modifyIndex) return false;
    const CreateIndex = present?.CreateIndex || draft.index;
    draft.put('schedulerConfiguration', { ...wanted, SchedulerAlgorithm, CreateIndex, ModifyIndex: draft.index });
    return true;
  });
  return { updated: result, index };
}
