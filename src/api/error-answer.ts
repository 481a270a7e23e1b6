import { Fault, type FaultKind, messageOf } from '../lib/fault.ts';

const statuses: { readonly [kind in FaultKind]: number } = {
  invalid: 400,
  denied: 403,
  not_found: 404,
  exists: 409,
  conflict: 409,
  unsupported: 501,
  unavailable: 500,
};

export interface ErrorAnswer {
  readonly status: number;
  /** Plain text, as Nomad's clients show it. */
  readonly text: string;
  /** Not the caller's doing: worth a line in the agent's log. */
  readonly internal: boolean;
}

/** What was thrown → status and text. Anything but a Fault is a defect: the caller learns that, the log what it was. */
export function errorAnswer(error: unknown): ErrorAnswer {
  if (!(error instanceof Fault)) return { status: 500, text: 'internal error', internal: true };
  return { status: error.status ?? statuses[error.kind], text: messageOf(error), internal: false };
}

/** The text the reference and its clients use for every refusal. */
export const permissionDenied = (): Fault => new Fault('denied', 'Permission denied');

export const notServed = (sentence: string): Fault => new Fault('unsupported', sentence);
