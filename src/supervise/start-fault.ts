/** Why a start came to nothing, as its caller hears it. */
import { Fault, isFault } from '../lib/fault.ts';
import type { ExitRecord } from './contract.ts';
import { parseJson } from './exit-record.ts';

/** The step that failed: `{ stage: "chdir", errno: 2, message: "No such file or directory" }`. */
export type StartError = NonNullable<ExitRecord['error']>;

export function startFault({ by, error }: Pick<ExitRecord, 'by' | 'error'>): Fault {
  if (by === 'never-started')
    return new Fault('unavailable', 'the command was held and not released in time', { recoverable: true });
  if (error === null) return new Fault('invalid', 'the command did not start');
  const cause = inside(error) ?? error;
  return new Fault('invalid', `${cause.stage}: ${cause.message}`, { cause });
}

/** Null: the fault is of no step of a start. */
export function startErrorOf(fault: unknown): StartError | null {
  const cause = isFault(fault) ? (fault.cause as Partial<StartError> | undefined) : undefined;
  return typeof cause?.stage === 'string' && typeof cause.message === 'string' ? (cause as StartError) : null;
}

/** Of a step that the verifier took, in whose place its shim has the line in which it told of it; null: it is none, or was cut off. */
function inside({ stage, message }: StartError): StartError | null {
  if (stage !== 'verify' || !message.startsWith('{')) return null;
  try {
    const told = parseJson(message);
    return { stage: String(told['stage']), errno: Number(told['errno']), message: String(told['message']) };
  } catch {
    return null;
  }
}
