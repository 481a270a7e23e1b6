import type { Deployment } from '../model/deployment.ts';
import type { AllocationStub } from './allocations.ts';
import type { ApiClient, CallOptions, ReadResult } from './client.ts';
import { path } from './path.ts';

/** What a change answers; the evaluation is empty where there is nothing to schedule. */
export interface DeploymentUpdate {
  readonly EvalID: string;
  readonly EvalCreateIndex: number;
  readonly DeploymentModifyIndex: number;
  readonly RevertedJobVersion: number | null;
}

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

  /** Without groups: all of them. */
  promote(id: string, groups: readonly string[] = [], options?: CallOptions): Reading<DeploymentUpdate> {
    const body = { DeploymentID: id, All: groups.length === 0, Groups: groups.length === 0 ? null : groups };
    return this.#client.put(path`/v1/deployment/promote/${id}`, body, options);
  }

  pause(id: string, pause: boolean, options?: CallOptions): Reading<DeploymentUpdate> {
    return this.#client.put(path`/v1/deployment/pause/${id}`, { DeploymentID: id, Pause: pause }, options);
  }

  fail(id: string, options?: CallOptions): Reading<DeploymentUpdate> {
    return this.#client.put(path`/v1/deployment/fail/${id}`, undefined, options);
  }

  unblock(id: string, options?: CallOptions): Reading<DeploymentUpdate> {
    return this.#client.put(path`/v1/deployment/unblock/${id}`, { DeploymentID: id }, options);
  }
}
