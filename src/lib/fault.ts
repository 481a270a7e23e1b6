/** What the *caller* does next decides the kind: mend the request, ask for rights, look elsewhere, retry later, … */
export type FaultKind = (typeof faultKinds)[number];

export const faultKinds = [
  'invalid',
  'denied',
  'not_found',
  'exists',
  'conflict',
  'unsupported',
  'unavailable',
] as const;

export interface FaultOptions {
  /** The exact text and status an API client of Nomad expects, where that differs from what the kind gives. */
  readonly status?: number;
  readonly cause?: unknown;
  /** True where the same call may succeed later without any change by the caller (a task start is then retried by its restart policy). */
  readonly recoverable?: boolean;
}

/** An operating error: expected, explained, translated once per edge (HTTP status, gRPC status, exit code). */
export class Fault extends Error {
  readonly kind: FaultKind;
  readonly status: number | undefined;
  readonly recoverable: boolean;

  constructor(kind: FaultKind, message: string, options: FaultOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'Fault';
    this.kind = kind;
    this.status = options.status;
    this.recoverable = options.recoverable ?? false;
  }
}

/** True for a fault, of one kind where that is given. */
export function isFault(error: unknown, kind?: FaultKind): error is Fault {
  return error instanceof Fault && (kind === undefined || error.kind === kind);
}

/** The text of anything that was thrown: an Error's message, or the value itself. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
