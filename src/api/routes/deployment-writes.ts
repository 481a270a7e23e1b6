/** What users do to deployments. */
import { Fault } from '../../lib/fault.ts';
import { bool, list, noun, nullable, string } from '../../model/schema.ts';
import type { DeploymentChange } from '../../server/deployment-commands.ts';
import { decodeOptionalBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, type Services, writeMethods } from '../route.ts';
import { findDeployment } from './deployments.ts';

const DeploymentRequest = noun('DeploymentUpdateRequest', {
  DeploymentID: string(),
  Pause: bool(),
  All: bool(),
  Groups: nullable(list(string())),
  HealthyAllocationIDs: nullable(list(string())),
  UnhealthyAllocationIDs: nullable(list(string())),
});

function bodyOf(request: ApiRequest) {
  const body = decodeOptionalBody(request, DeploymentRequest);
  if (body.DeploymentID && body.DeploymentID !== request.params['id'])
    throw new Fault('invalid', 'Deployment ID does not match');
  return body;
}

const idOf = ({ params }: ApiRequest): string => params['id'] ?? '';
const names = (given: readonly (string | null)[] | null | undefined): readonly string[] =>
  (given ?? []).flatMap((name) => name ?? []);

async function promote(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const { All, Groups } = bodyOf(request);
  const groups = names(Groups);
  if (!All && groups.length === 0) throw new Fault('invalid', 'must specify all or at least one group');
  return changed(await commands.promoteDeployment({ id: idOf(request), groups: All ? null : groups }));
}

async function pause(request: ApiRequest, { commands }: Services): Promise<Answer> {
  return changed(await commands.pauseDeployment({ id: idOf(request), pause: bodyOf(request).Pause ?? false }));
}

async function fail(request: ApiRequest, { commands }: Services): Promise<Answer> {
  return changed(await commands.failDeployment({ id: idOf(request) }));
}

async function setHealth(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const body = bodyOf(request);
  const healthy = names(body.HealthyAllocationIDs);
  const unhealthy = names(body.UnhealthyAllocationIDs);
  return changed(await commands.setAllocationHealth({ id: idOf(request), healthy, unhealthy }));
}

/** Only deployments over several regions block, and there are none: nothing to do. */
async function unblock(request: ApiRequest): Promise<Answer> {
  bodyOf(request);
  return changed({ evalId: '', evalCreateIndex: 0, deploymentModifyIndex: 0, revertedJobVersion: null, index: 0 });
}

const changed = (done: DeploymentChange): Answer => ({
  index: done.index,
  value: {
    DeploymentModifyIndex: done.deploymentModifyIndex,
    EvalCreateIndex: done.evalCreateIndex,
    EvalID: done.evalId,
    Index: done.index,
    RevertedJobVersion: done.revertedJobVersion,
  },
});

const access = { capability: 'submit-job', scope: 'object', find: findDeployment } as const;
const write = (verb: string, run: (request: ApiRequest, services: Services) => Promise<Answer>): Route => ({
  kind: 'write',
  methods: writeMethods,
  path: `/v1/deployment/${verb}/{id}`,
  access,
  run,
});

export const deploymentWriteRoutes: readonly Route[] = [
  write('promote', promote),
  write('pause', pause),
  write('fail', fail),
  write('allocation-health', setHealth),
  write('unblock', unblock),
];
