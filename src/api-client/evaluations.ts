import type { Evaluation } from '../model/evaluation.ts';
import type { AllocationStub } from './allocations.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

type Reading<T> = Promise<ReadResult<T>>;

export class EvaluationsClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  /** `query`: `prefix`, `filter`, `per_page`, `next_token`, `reverse`, `status`, `job`. */
  list(options?: CallOptions): Reading<readonly Evaluation[]> {
    return this.#client.get('/v1/evaluations', options);
  }

  /** `query.related`: with the evaluations before and after it. */
  read(id: string, options?: CallOptions): Reading<Evaluation> {
    return this.#client.get(path`/v1/evaluation/${id}`, options);
  }

  allocations(id: string, options?: CallOptions): Reading<readonly AllocationStub[]> {
    return this.#client.get(path`/v1/evaluation/${id}/allocations`, options);
  }
}
