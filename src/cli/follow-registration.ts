/** What `job eval`, `revert`, `scale` and `start` do once the servers took them. */
import type { DroverClient, JobRegistration } from '../api-client/index.ts';
import type { Call } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import type { FlagTable } from './flags.ts';
import { sayWarnings } from './warnings.ts';

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
  sayWarnings(terminal, registration.Warnings ?? '');
  if (flags.bool('detach') || evalId === '') {
    terminal.out(detached(evalId));
    return 0;
  }
  return monitorEvaluation(
    { client, terminal, verbose: flags.bool('verbose'), interrupted, offersDetach: true },
    evalId,
  );
}
