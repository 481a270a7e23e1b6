import { expect, it } from 'vitest';
import { page, scriptedClient } from './cli-test-kit.ts';
import { Interrupted } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';

const evaluation = {
  ID: 'e1e1e1e1-0000-4000-8000-000000000001',
  TriggeredBy: 'job-register',
  JobID: 'web',
  DeploymentID: '',
  NextEval: '',
  BlockedEval: '',
  FailedTGAllocs: null,
  CreateIndex: 10,
  ModifyIndex: 10,
};
const allocation = {
  ID: 'a1a1a1a1-0000-4000-8000-000000000001',
  NodeID: 'd1d1d1d1-0000-4000-8000-000000000001',
  TaskGroup: 'g',
  DesiredStatus: 'run',
  CreateIndex: 12,
};
const metric = {
  NodesEvaluated: 1,
  NodesExhausted: 1,
  DimensionExhausted: { cpu: 1 },
  CoalescedFailures: 2,
  NodesAvailable: { dc1: 1 },
};
const path = `/v1/evaluation/${evaluation.ID}`;
const withoutTimes = (text: string): string => text.replace(/\d{4}-\d\d-\d\dT[\d:]+(Z|[+-]\d\d:\d\d)/g, 'T');

async function monitor(answers: { [path: string]: unknown[] }, interrupted = new AbortController().signal) {
  const { client } = scriptedClient(answers);
  const written = page();
  const options = { client, terminal: written.terminal, verbose: false, interrupted, offersDetach: true };
  const code = await monitorEvaluation(options, evaluation.ID);
  return { code, out: withoutTimes(written.out), error: written.error };
}

it('says what an evaluation led to, in the order and layout that scripts know', async () => {
  const older = { ...allocation, ID: 'a2a2a2a2-0000-4000-8000-000000000002', CreateIndex: 3 };
  const stopped = { ...allocation, ID: 'a3a3a3a3-0000-4000-8000-000000000003', DesiredStatus: 'stop' };
  const { code, out } = await monitor({
    [path]: [
      { ...evaluation, Status: 'pending' },
      { ...evaluation, Status: 'complete' },
    ],
    [`${path}/allocations`]: [[allocation, older, stopped]],
  });
  expect(code).toBe(0);
  expect(out).toBe(
    [
      '==> T: Monitoring evaluation "e1e1e1e1"',
      '    T: Evaluation triggered by job "web"',
      '    T: Allocation "a1a1a1a1" created: node "d1d1d1d1", group "g"',
      '    T: Allocation "a2a2a2a2" modified: node "d1d1d1d1", group "g"',
      '    T: Evaluation status changed: "pending" -> "complete"',
      '==> T: Evaluation "e1e1e1e1" finished with status "complete"',
      '',
    ].join('\n'),
  );
});

it('names every reason why something is not placed, and ends with 2', async () => {
  const complete = {
    ...evaluation,
    Status: 'complete',
    BlockedEval: 'b1b1b1b1-0000-4000-8000-000000000001',
    FailedTGAllocs: { g: metric },
  };
  const { code, out, error } = await monitor({ [path]: [complete], [`${path}/allocations`]: [[]] });
  expect(code).toBe(2);
  expect(error).toBe(''); // there is no deployment that would be watched on
  expect(out).toContain(`finished with status "complete" but failed to place all allocations:
    T: Task Group "g" (failed to place 3 allocations):
      * Resources exhausted on 1 nodes
      * Dimension "cpu" exhausted on 1 nodes
    T: Evaluation "b1b1b1b1" waiting for additional capacity to place remainder
`);
});

it('goes on to the deployment, says what keeps it, and writes each state of it once', async () => {
  const group = { DesiredTotal: 1, PlacedAllocs: 0, HealthyAllocs: 0, UnhealthyAllocs: 0, RequireProgressBy: '' };
  const deployment = {
    ID: 'dddddddd-1',
    JobID: 'web',
    JobVersion: 0,
    StatusDescription: 'x',
    TaskGroups: { g: group },
  };
  const complete = { ...evaluation, Status: 'complete', DeploymentID: 'dddddddd-1', FailedTGAllocs: { g: metric } };
  const running = { ...deployment, Status: 'running' };
  const { code, out, error } = await monitor({
    [path]: [complete],
    [`${path}/allocations`]: [[]],
    '/v1/deployment/dddddddd-1': [running, running, { ...deployment, Status: 'successful' }],
  });
  expect(code).toBe(2);
  expect(error).toContain('keeps job "web" from being placed');
  expect(error).toContain('-detach');
  expect(out.match(/^Status {6}= running$/gm)).toHaveLength(1);
  expect(out.match(/^Status {6}= successful$/gm)).toHaveLength(1);
});

it('on a terminal one line in place says how far it is; a log file gets none of that', async () => {
  const group = { DesiredTotal: 3, PlacedAllocs: 3, HealthyAllocs: 1, UnhealthyAllocs: 0, RequireProgressBy: '' };
  const deployment = {
    ID: 'dddddddd-1',
    JobID: 'web',
    JobVersion: 0,
    StatusDescription: 'x',
    TaskGroups: { g: group },
  };
  const answers = {
    [path]: [{ ...evaluation, Status: 'complete', DeploymentID: 'dddddddd-1' }],
    [`${path}/allocations`]: [[]],
    '/v1/deployment/dddddddd-1': [
      { ...deployment, Status: 'running' },
      { ...deployment, Status: 'successful' },
    ],
  };
  const person = page(60);
  const interrupted = new AbortController().signal;
  const { client } = scriptedClient(answers);
  await monitorEvaluation({ client, terminal: person.terminal, verbose: false, interrupted }, evaluation.ID);
  expect(person.out).toContain('    g: 1 of 3 healthy, 3 placed …\r\u001b[K');
  expect((await monitor(answers)).out).not.toContain('healthy, 3 placed');
});

it('a failed evaluation ends with 1', async () => {
  const { code } = await monitor({ [path]: [{ ...evaluation, Status: 'failed' }], [`${path}/allocations`]: [[]] });
  expect(code).toBe(1);
});

it('Ctrl-C ends it as such, not with an exit code', async () => {
  const controller = new AbortController();
  controller.abort();
  await expect(monitor({ [path]: [{ ...evaluation, Status: 'pending' }] }, controller.signal)).rejects.toThrow(
    Interrupted,
  );
});
