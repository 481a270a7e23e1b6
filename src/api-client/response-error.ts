import { Fault, type FaultKind } from '../lib/fault.ts';

const kinds: { readonly [status: number]: FaultKind } = {
  400: 'invalid',
  401: 'denied',
  403: 'denied',
  404: 'not_found',
  405: 'unsupported',
  409: 'conflict',
  412: 'conflict',
  501: 'unsupported',
};

/**
 * An answer other than success. The message is the one Nomad's clients show and scripts match:
 * `Unexpected response code: 404 (job not found)`.
 */
export class ResponseError extends Fault {
  /** The body as sent. */
  readonly body: string;
  readonly responseStatus: number;

  constructor(status: number, body: string) {
    super(kinds[status] ?? 'unavailable', `Unexpected response code: ${status} (${body})`, { status });
    this.name = 'ResponseError';
    this.body = body;
    this.responseStatus = status;
  }
}

/** True for an answer that was no success, e.g. `isResponseError(error, 404)`; without a status: any. */
export function isResponseError(error: unknown, status?: number): error is ResponseError {
  return error instanceof ResponseError && (status === undefined || error.responseStatus === status);
}
