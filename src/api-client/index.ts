/**
 * A typed client of the HTTP API:
 *
 *   const drover = connect({ transport: nodeTransport({ address: 'http://127.0.0.1:4646' }) });
 *   const { value: jobs } = await drover.jobs.list({ query: { prefix: 'web' } });
 */
import { AgentClient } from './agent.ts';
import { AllocationsClient } from './allocations.ts';
import { ApiClient, type ApiClientOptions } from './client.ts';
import { DeploymentsClient } from './deployments.ts';
import { EvaluationsClient } from './evaluations.ts';
import { type ExecOptions, exec, type RemoteExec } from './exec.ts';
import { FilesClient } from './files.ts';
import { JobsClient } from './jobs.ts';
import { NodesClient } from './nodes.ts';

export interface DroverClient {
  readonly jobs: JobsClient;
  readonly allocations: AllocationsClient;
  readonly files: FilesClient;
  readonly evaluations: EvaluationsClient;
  readonly deployments: DeploymentsClient;
  readonly nodes: NodesClient;
  readonly agent: AgentClient;
  exec(allocId: string, options: ExecOptions): Promise<RemoteExec>;
  /** Any route: `get`, `put`, `post`, `delete`, `watch`, `pages`, `stream`, `webSocket`, `raw`. */
  readonly api: ApiClient;
  close(): void;
}

/** Connects nothing yet: every call is a request of its own. `close()` ends what the transport keeps open. */
export function connect(options: ApiClientOptions): DroverClient {
  const api = new ApiClient(options);
  return {
    jobs: new JobsClient(api),
    allocations: new AllocationsClient(api),
    files: new FilesClient(api),
    evaluations: new EvaluationsClient(api),
    deployments: new DeploymentsClient(api),
    nodes: new NodesClient(api),
    agent: new AgentClient(api),
    exec: (allocId, execOptions) => exec(api, allocId, execOptions),
    api,
    close: () => api.close(),
  };
}

export type { FileInfo as AllocationFile } from '../model/file-info.ts';
export type { IsolationReport } from '../model/isolation-report.ts';
export type { JobExplanation } from '../model/job-explanation.ts';
export type { AgentHealth, AgentMember, AgentMembers, AgentSelf, SearchAnswer } from './agent.ts';
export type { AllocationStub } from './allocations.ts';
export { collectText, jsonObjects } from './byte-stream.ts';
export { ApiClient, type ApiClientOptions, type CallOptions, type RawRequest, type ReadResult } from './client.ts';
export type { DeploymentUpdate } from './deployments.ts';
export type { ExecOptions, RemoteExec } from './exec.ts';
export type { LogsRequest, StreamFrame } from './files.ts';
export type { JobPlanAnswer, JobRegistration, JobStub, JobValidation, RegisterJobOptions } from './jobs.ts';
export type { DrainRequest, NodeStub, NodeUpdate } from './nodes.ts';
export { path, type Query, withQuery } from './path.ts';
export { isResponseError, ResponseError } from './response-error.ts';
export type { Transport, TransportRequest, TransportResponse, TransportSocket } from './transport.ts';
