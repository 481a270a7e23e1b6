import type { Deployment } from '../model/deployment.ts';
import type { AllocationStub } from './allocations.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

type Reading<T> = Promise<ReadResult<T>>;

export class DeploymentsClient {
  readonly #client: ApiClient;

  constructor(client: ApiClient) {
    this.#client = client;
  }

  list(options?: CallOptions): Reading<readonly Deployment[]> {
    return this.#client.get('/v1/deployments', options);
  }

  read(id: string, options?: CallOptions): Reading<Deployment> {
    return this.#client.get(path`/v1/deployment/${id}`, options);
  }

  allocations(id: string, options?: CallOptions): Reading<readonly AllocationStub[]> {
    return this.#client.get(path`/v1/deployment/allocations/${id}`, options);
  }
}
