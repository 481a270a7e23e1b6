import { Fault, isFault } from '../../lib/fault.ts';
import { formatErrors } from '../../model/error-list.ts';
import { Job } from '../../model/job.ts';
import { jobId } from '../../model/job-id.ts';
import { JobSubmission } from '../../model/job-submission.ts';
import { isDispatchable } from '../../model/parent-job.ts';
import { bool, type Infer, type Input, int, noun, nullable, object, string } from '../../model/schema.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import { notServed } from '../error-answer.ts';
import { namespacedOrder } from '../listing.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import type { JobParser } from '../routes.ts';
import { prefixTest, registrationAnswer } from '../shared-answers.ts';
import { shapeOf } from '../visible.ts';

export const JobRegisterRequest = noun('JobRegisterRequest', {
  Job: nullable(object(Job)),
  Submission: nullable(object(JobSubmission)),
  EnforceIndex: bool(),
  JobModifyIndex: int(),
  PreserveCounts: bool(),
  PreserveResources: bool(),
  EvalPriority: int(),
  Region: string(),
  Namespace: string(),
  Diff: bool(),
});

const maximumSource = 2_000_000;
const JobsParseRequest = noun('JobsParseRequest', { JobHCL: string(), Variables: string(), Canonicalize: bool() });

export const jobOrder = namespacedOrder<Job>(
  (job) => job.Namespace,
  (job) => job.ID,
);

/** Jobs of the asked namespace, or of all, whose id starts with the asked prefix: a range of the table. */
export function jobRows(snapshot: ServerSnapshot, { namespace, query }: ApiRequest): Iterable<Job> {
  if (namespace === '*') return snapshot.scan('jobs');
  return snapshot.scan('jobs', { prefix: jobId(namespace, query.text('prefix')) });
}

export function jobStub(request: ApiRequest, snapshot: ServerSnapshot): (job: Job) => unknown {
  const withMeta = request.query.boolean('meta');
  return (job) => ({
    ID: job.ID,
    ParentID: job.ParentID,
    Name: job.Name,
    Namespace: job.Namespace,
    Datacenters: job.Datacenters,
    Multiregion: job.Multiregion,
    NodePool: job.NodePool,
    Type: job.Type,
    Priority: job.Priority,
    Periodic: job.Periodic !== null,
    ParameterizedJob: isDispatchable(job),
    Stop: job.Stop,
    Status: job.Status,
    StatusDescription: job.StatusDescription,
    JobSummary: snapshot.get('jobSummaries', jobId(job.Namespace, job.ID)) ?? null,
    CreateIndex: job.CreateIndex,
    ModifyIndex: job.ModifyIndex,
    JobModifyIndex: job.JobModifyIndex,
    SubmitTime: job.SubmitTime,
    ...(withMeta && job.Meta !== null ? { Meta: job.Meta } : {}),
  });
}

type RegisterBody = Input<Infer<typeof JobRegisterRequest>>;

/** The job of a body with the region and namespace the request settles on. Faults: `invalid`. */
export function requestedJob(request: ApiRequest, body: RegisterBody, region: string): Input<Job> {
  const { Job: job } = body;
  if (job == null) throw new Fault('invalid', 'Job must be specified');
  if (!job.ID) throw new Fault('invalid', "Job ID hasn't been provided");
  const wanted = request.query.text('region') || body.Region || job.Region || region;
  if (wanted !== region && wanted !== 'global') throw new Fault('unavailable', 'No path to region');
  return { ...job, Region: region, Namespace: requestedNamespace(request, body) };
}

function requestedNamespace(request: ApiRequest, body: RegisterBody): string {
  return request.query.text('namespace') || body.Namespace || body.Job?.Namespace || 'default';
}

/** For the check before the route runs; a body that cannot be read is the route's to complain about. */
export function bodyNamespace(request: ApiRequest): string | undefined {
  try {
    return requestedNamespace(request, decodeBody(request, JobRegisterRequest));
  } catch {
    return undefined;
  }
}

/** `id`: the one of the path, which the body's must be. */
export async function registerJob(request: ApiRequest, services: Services, id?: string): Promise<Answer> {
  const body = decodeBody(request, JobRegisterRequest);
  const job = requestedJob(request, body, services.agent.region);
  if (id !== undefined && id !== job.ID) throw new Fault('invalid', 'Job ID does not match name');
  const evalPriority = body.EvalPriority ?? 0;
  if (evalPriority !== 0 && (evalPriority < 1 || evalPriority > 100))
    throw new Fault('invalid', 'Eval priority must be between 1 and 100 inclusively');
  const done = await services.commands.registerJob({
    job,
    submission: body.Submission ?? null,
    enforceIndex: body.EnforceIndex ?? false,
    jobModifyIndex: body.JobModifyIndex ?? 0,
    preserveCounts: body.PreserveCounts ?? false,
    preserveResources: body.PreserveResources ?? false,
    evalPriority,
  });
  return registrationAnswer(done, { Warnings: done.warnings });
}

function badJobFile(error: unknown): never {
  if (!isFault(error, 'invalid')) throw error;
  throw new Fault('invalid', `Failed to parse job: ${error.message}`, { cause: error });
}

export const jobsRoutes = (parseJob: JobParser | undefined): readonly Route[] => [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/jobs',
    access: { capability: 'list-jobs', scope: 'each-row' },
    tables: ['jobs', 'jobSummaries'],
    list: {
      rows: jobRows,
      order: jobOrder,
      admits: (request) => {
        request.query.boolean('meta');
        return prefixTest<Job>(request, (job) => job.ID);
      },
      namespaceOf: (job: Job) => job.Namespace,
      filterShape: shapeOf(Job),
      stub: jobStub,
    },
  },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/jobs',
    access: { capability: 'submit-job', scope: 'body', namespaceOf: bodyNamespace },
    run: (request, services) => registerJob(request, services),
  },
  {
    kind: 'ask',
    methods: writeMethods,
    path: '/v1/jobs/parse',
    access: { capability: 'parse-job', scope: 'query' },
    target: { kind: 'agent' },
    ask: async (request) => {
      const { JobHCL, Variables, Canonicalize } = decodeBody(request, JobsParseRequest);
      if (!JobHCL) throw new Fault('invalid', 'Job spec is empty');
      // nothing else is answered while it is read
      if (JobHCL.length > maximumSource)
        throw new Fault('invalid', `a job file may have at most ${maximumSource} characters`, { status: 413 });
      if (parseJob === undefined) throw notServed('this agent has no job file parser');
      const source = { JobHCL, Variables: Variables ?? '', Canonicalize: Canonicalize ?? false };
      return { value: await parseJob(source).catch(badJobFile) };
    },
  },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/validate/job',
    access: { capability: 'read-job', scope: 'body', namespaceOf: bodyNamespace },
    run: async (request, { commands, agent }) => {
      const job = requestedJob(request, decodeBody(request, JobRegisterRequest), agent.region);
      const { errors, warnings, driverConfig = [] } = await commands.validateJob(job);
      const value = {
        DriverConfigValidated: true,
        ValidationErrors: errors.length === 0 ? null : errors,
        Error: errors.length === 0 ? '' : formatErrors(errors),
        Warnings: warnings,
        ...(driverConfig.length === 0 ? {} : { DriverConfigProblems: driverConfig }),
      };
      return { value };
    },
  },
];
