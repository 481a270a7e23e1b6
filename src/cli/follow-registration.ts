/** What `job eval`, `revert`, `scale` and `start` do once the servers took them. */
import type { DroverClient, JobRegistration } from '../api-client/index.ts';
import type { Call } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import type { FlagTable } from './flags.ts';

export const followFlags: FlagTable = {
  detach: { kind: 'bool', help: "Print the evaluation's id and return at once." },
  verbose: { kind: 'bool', help: 'Print whole ids.' },
};

/** `detached`: what -detach prints. */
export async function followRegistration(
  { flags, terminal, interrupted }: Call,
  client: DroverClient,
  registration: JobRegistration,
  detached: (evalId: string) => string,
): Promise<number> {
  const { EvalID: evalId } = registration;
  // what there is to warn of was said when the job was submitted
  if (flags.bool('detach') || evalId === '') {
    terminal.out(detached(evalId));
    return 0;
  }
  return monitorEvaluation(
    { client, terminal, verbose: flags.bool('verbose'), interrupted, offersDetach: true },
    evalId,
  );
}
