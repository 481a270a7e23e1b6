import { afterEach, describe, expect, it } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { silentLog } from '../lib/log.ts';
import type { RegisterJob, ServerCommands } from '../server/commands.ts';
import { serverContext } from '../server/context.ts';
import { ManualClock } from '../server/manual-clock.ts';
import { setSchedulerConfiguration } from '../server/scheduler-configuration.ts';
import { allocationRow, type FakeServer, startFakeServer, testId } from './fake-agent.ts';

let server: FakeServer;
afterEach(() => server.close());

const done = { evalId: 'e', evalCreateIndex: 5, jobModifyIndex: 5, index: 5 };

async function send(method: string, path: string, body: string, commands: Partial<ServerCommands> = {}) {
  server = await startFakeServer({ fakeCommands: commands });
  const answer = await fetch(server.address + path, { method, body });
  return { status: answer.status, text: await answer.text(), headers: answer.headers };
}

describe('registering a job', () => {
  it('hands the job on, keys read without regard to case, and answers with the evaluation', async () => {
    let seen: RegisterJob | undefined;
    const registerJob = async (request: RegisterJob) => {
      seen = request;
      return { ...done, warnings: 'w' };
    };
    const body =
      '{"job":{"id":"web","taskgroups":[{"name":"g"}],"namespace":"dev"},"enforceindex":true,"JobModifyIndex":3}';
    const { status, text, headers } = await send('POST', '/v1/jobs', body, { registerJob });
    expect(status).toBe(200);
    expect(seen?.job).toEqual({ ID: 'web', Namespace: 'dev', Region: 'global', TaskGroups: [{ Name: 'g' }] });
    expect([seen?.enforceIndex, seen?.jobModifyIndex]).toEqual([true, 3]);
    expect(headers.get('x-nomad-index')).toBe('5');
    expect(headers.get('x-nomad-knownleader')).toBeNull();
    expect(JSON.parse(text)).toEqual({
      EvalCreateIndex: 5,
      EvalID: 'e',
      Index: 5,
      JobModifyIndex: 5,
      KnownLeader: false,
      LastContact: 0,
      NextToken: '',
      Warnings: 'w',
    });
  });

  it.each([
    ['/v1/jobs', '', 400, 'Request body is empty'],
    ['/v1/jobs', '{}', 400, 'Job must be specified'],
    ['/v1/jobs', '{"Job": ', 400, 'unexpected EOF'],
    [
      '/v1/jobs',
      '{"Job": {"ID": 5}}',
      400,
      'json: cannot unmarshal number into Go struct field Job.Job.ID of type string',
    ],
    ['/v1/jobs', '{"Job":{"ID":"a"},"EvalPriority":200}', 400, 'Eval priority must be between 1 and 100 inclusively'],
    ['/v1/jobs', '{"Job":{"ID":"a","Region":"mars"}}', 500, 'No path to region'],
    ['/v1/job/other', '{"Job":{"ID":"a"}}', 400, 'Job ID does not match name'],
    ['/v1/job/zzz/plan', '{"Job":{"ID":"svc"}}', 400, 'Job ID does not match'],
    ['/v1/job/svc/plan', '{}', 400, 'Job must be specified'],
    ['/v1/jobs/parse', '{bad', 400, "invalid character 'b' looking for beginning of object key string"],
    ['/v1/jobs/parse', '{"JobHCL": ""}', 400, 'Job spec is empty'],
    ['/v1/node/x/drain', '{', 400, 'unexpected EOF'],
    ['/v1/job/svc/scale', '{"Count": 1}', 400, 'missing task group name for scaling action'],
    ['/v1/job/svc/scale', '{"Count":-1,"Target":{"Group":"g"}}', 400, "scaling action count can't be negative"],
  ])('PUT %s %s is %i %s', async (path, body, status, text) => {
    const answer = await send('PUT', path, body);
    expect([answer.status, answer.text]).toEqual([status, text]);
  });

  it('gives the faults of the server with the status and text they carry', async () => {
    const registerJob = async () => {
      throw new Fault('conflict', 'Enforcing job modify index 0: job already exists', { status: 500 });
    };
    const { status, text } = await send('PUT', '/v1/jobs', '{"Job":{"ID":"a"}}', { registerJob });
    expect([status, text]).toEqual([500, 'Enforcing job modify index 0: job already exists']);
  });

  it('says nothing of what went wrong inside', async () => {
    const registerJob = async () => {
      throw new TypeError('secret of the implementation');
    };
    const { status, text } = await send('PUT', '/v1/jobs', '{"Job":{"ID":"a"}}', { registerJob });
    expect([status, text]).toEqual([500, 'internal error']);
  });
});

it('validation lists every error and repeats them as one text', async () => {
  const validateJob = async () => ({ errors: ['a', 'b'], warnings: '' });
  const { text } = await send('PUT', '/v1/validate/job', '{"Job":{"ID":"a"}}', { validateJob });
  expect(JSON.parse(text)).toEqual({
    DriverConfigValidated: true,
    ValidationErrors: ['a', 'b'],
    Error: '2 errors occurred:\n\t* a\n\t* b\n\n',
    Warnings: '',
  });
});

it('deregistering answers with the fields of volumes that are never there', async () => {
  const { text } = await send('DELETE', '/v1/job/a%2Fb?purge=true', '', { deregisterJob: async () => done });
  expect(JSON.parse(text)).toMatchObject({ EvalID: 'e', VolumeEvalID: '', VolumeEvalIndex: 0, KnownLeader: false });
});

it('stopping an allocation that is not there is 404, one that is there answers with its evaluation', async () => {
  server = await startFakeServer({ fakeCommands: { stopAllocation: async () => ({ evalId: 'e', index: 9 }) } });
  await expect(server.client.allocations.stop(testId(1))).rejects.toThrow('404 (allocation not found)');
  await server.put({ table: 'allocations', id: testId(1), row: allocationRow({ ID: testId(1) }) });
  expect((await server.client.allocations.stop(testId(1))).value).toEqual({ EvalID: 'e', Index: 9 });
});

it('eligibility answers null for no evaluations', async () => {
  const setEligibility = async () => ({ evalIds: [], evalCreateIndex: 0, index: 4 });
  const body = '{"NodeID":"n","Eligibility":"ineligible"}';
  const { text } = await send('PUT', '/v1/node/n/eligibility', body, { setEligibility });
  expect(JSON.parse(text)).toEqual({ EvalCreateIndex: 0, EvalIDs: null, Index: 4, NodeModifyIndex: 0 });
});

/** With the real command of the scheduler configuration. */
async function startConfigurable(): Promise<FakeServer> {
  const fakeCommands: Partial<ServerCommands> = {};
  const started = await startFakeServer({ fakeCommands });
  const { store } = started;
  const [newId, random] = [() => '', () => 0];
  const context = serverContext({ store, clock: new ManualClock(), log: silentLog, region: 'global', newId, random });
  fakeCommands.setSchedulerConfiguration = (request) => setSchedulerConfiguration(context, request);
  return started;
}

it('the scheduler configuration is kept, and changed only where the index given is right', async () => {
  server = await startConfigurable();
  const put = async (body: object, query = '') =>
    (
      await server.client.api.put<{ Updated: boolean; Index: number }>(
        `/v1/operator/scheduler/configuration${query}`,
        body,
      )
    ).value;
  expect((await server.client.agent.schedulerConfiguration()).value.SchedulerConfig.SchedulerAlgorithm).toBe('binpack');
  const first = await put({ SchedulerAlgorithm: 'spread', PreemptionConfig: { ServiceSchedulerEnabled: true } });
  expect(first.Updated).toBe(true);
  expect((await put({ SchedulerAlgorithm: 'binpack' }, '?cas=99999')).Updated).toBe(false);
  expect((await server.client.agent.schedulerConfiguration()).value.SchedulerConfig.SchedulerAlgorithm).toBe('spread');
  await expect(put({ SchedulerAlgorithm: 'zz' })).rejects.toThrow('invalid scheduler algorithm: zz');
});

describe('the scheduler configuration', () => {
  it('is one row, the one that the scheduler reads', async () => {
    server = await startConfigurable();
    await server.put({
      table: 'schedulerConfiguration',
      id: 'scheduler',
      row: { SchedulerAlgorithm: 'binpack', CreateIndex: 1, ModifyIndex: 1 } as never,
    });
    const url = `${server.address}/v1/operator/scheduler/configuration`;
    await fetch(url, { method: 'PUT', body: '{"SchedulerAlgorithm":"spread","MemoryOversubscriptionEnabled":true}' });
    const rows = [...server.store.snapshot().scan('schedulerConfiguration')];
    expect(rows).toMatchObject([{ SchedulerAlgorithm: 'spread', MemoryOversubscriptionEnabled: true, CreateIndex: 1 }]);
  });
});

describe('going back to a version', () => {
  it('answers with what is to be said about the job', async () => {
    const revertJob = async () => ({ ...done, warnings: '1 warning' });
    const body = '{"JobID":"web","JobVersion":0}';
    const { text } = await send('PUT', '/v1/job/web/revert', body, { revertJob });
    expect(JSON.parse(text)).toMatchObject({ Warnings: '1 warning' });
  });
});
