import * as http from 'node:http';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { jobId } from '../model/job-id.ts';
import {
  allocationRow,
  evaluationRow,
  type FakeServer,
  jobChanges,
  jobRow,
  nodeRow,
  startFakeServer,
  testId,
} from './fake-agent.ts';

let server: FakeServer;

beforeEach(async () => {
  server = await startFakeServer();
});
afterEach(() => server.close());

const get = (path: string, init?: RequestInit) => fetch(server.address + path, init);

interface Raw {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** fetch follows redirects, decompresses and cleans paths: some tests must not. */
function raw(method: string, path: string, headers: http.OutgoingHttpHeaders = {}): Promise<Raw> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.address);
    http
      .request({ hostname, port, method, path, headers }, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () =>
          resolve({ status: response.statusCode ?? 0, headers: response.headers, body: Buffer.concat(chunks) }),
        );
      })
      .on('error', reject)
      .end();
  });
}

describe('paths and methods', () => {
  it.each([
    ['GET', '/v2/jobs', 404, ''],
    ['GET', '/v1/jobs/', 404, ''],
    ['PATCH', '/v1/job/x', 405, 'Invalid method'],
    ['POST', '/v1/allocations', 405, 'Invalid method'],
    ['GET', '/v1/job/x/plan', 405, 'Invalid method'],
    ['GET', '/v1/system/gc', 405, 'Invalid method'],
    ['POST', '/v1/system/gc', 405, 'Invalid method'],
    ['PUT', '/v1/status/leader', 405, 'Invalid method'],
    ['OPTIONS', '/v1/jobs', 405, 'Invalid method'],
    ['GET', '/v1/jobs?stale=maybe', 400, 'Expect `true` or `false` for `stale` query string parameter'],
    ['GET', '/v1/jobs?wait=abc', 400, 'Invalid wait time'],
    ['GET', '/v1/jobs?index=abc', 400, 'Invalid index'],
    ['GET', '/v1/jobs?per_page=abc', 400, 'Expect a number for `per_page` query string parameter'],
    ['GET', '/v1/jobs?region=mars', 500, 'No path to region'],
    [
      'GET',
      '/v1/jobs?meta=maybe',
      500,
      'Failed to parse value of "meta" (maybe) as a bool: strconv.ParseBool: parsing "maybe": invalid syntax',
    ],
    ['GET', '/v1/quotas', 501, 'Nomad Enterprise only endpoint'],
    ['GET', '/v1/acl/tokens', 400, 'ACL support disabled'],
    ['GET', '/v1/job/none', 404, 'job not found'],
    ['GET', '/v1/allocation/zz', 500, 'alloc lookup failed: index error: UUID must be 36 characters'],
    [
      'GET',
      '/v1/nodes?prefix=zz',
      500,
      "node lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'",
    ],
    [
      'GET',
      '/v1/allocations?prefix=zz',
      500,
      "alloc lookup failed: index error: Invalid UUID: encoding/hex: invalid byte: U+007A 'z'",
    ],
    ['GET', '/v1/%zz', 400, 'the path "/v1/%zz" is not valid percent-encoding'],
  ])('%s %s is %i %s', async (method, path, status, text) => {
    const answer = await raw(method, path);
    expect([answer.status, answer.body.toString()]).toEqual([status, text]);
    if (text !== '') expect(answer.headers['content-type']).toBe('text/plain; charset=utf-8');
    else expect(answer.headers['content-type']).toBeUndefined();
  });

  it('sends unclean paths to clean ones, and the root to the UI', async () => {
    const doubled = await raw('GET', '/v1//jobs?prefix=a');
    expect([doubled.status, doubled.headers.location]).toEqual([307, '/v1/jobs?prefix=a']);
    const root = await raw('GET', '/?x=1');
    expect([root.status, root.headers.location]).toEqual([307, '/ui/?x=1']);
    expect((await raw('GET', '/')).body.toString()).toBe('<a href="/ui/">Temporary Redirect</a>.\n\n');
  });

  it('finds jobs whose ids have slashes, spaces and question marks', async () => {
    const id = 'par/dispatch-1 ü?/plan x';
    await server.put(...jobChanges(jobRow({ ID: id })));
    expect((await server.client.jobs.read(id)).value.ID).toBe(id);
    expect((await get('/v1/job/par/dispatch-1%20%C3%BC%3F/plan%20x/versions')).status).toBe(200);
  });
});

describe('an answer', () => {
  it('carries the state index of its row, or of the table where the row is not there', async () => {
    const index = await server.put(...jobChanges(jobRow({ ID: 'web', ModifyIndex: 7 } as never)));
    const found = await get('/v1/job/web');
    expect(found.headers.get('x-nomad-index')).toBe('7');
    expect(found.headers.get('x-nomad-knownleader')).toBe('true');
    expect(found.headers.get('x-nomad-lastcontact')).toBe('0');
    const missing = await get('/v1/job/none');
    expect(missing.headers.get('x-nomad-index')).toBe(String(index));
  });

  it('is indented by four spaces with ?pretty, and not with pretty=0', async () => {
    expect(await (await get('/v1/agent/health?pretty')).text()).toMatch(/^\{\n {4}"client": \{\n {8}"ok"/);
    expect(await (await get('/v1/regions?pretty=0')).text()).toBe('["global"]');
    await server.put(...jobChanges(jobRow({ ID: 'web' })));
    expect(await (await get('/v1/jobs?pretty=1')).text()).toMatch(/^\[\n {4}\{\n {8}"ID": "web"/);
  });

  it('is compressed for whoever takes gzip or deflate, errors too', async () => {
    const list = await raw('GET', '/v1/jobs', { 'accept-encoding': 'gzip' });
    expect([list.headers['content-encoding'], gunzipSync(list.body).toString()]).toEqual(['gzip', '[]']);
    const error = await raw('GET', '/v1/job/none', { 'accept-encoding': 'gzip' });
    expect([error.headers['content-encoding'], gunzipSync(error.body).toString()]).toEqual(['gzip', 'job not found']);
    expect((await raw('GET', '/v1/jobs', { 'accept-encoding': 'gzip;q=0, deflate' })).headers['content-encoding']).toBe(
      'deflate',
    );
    expect((await raw('GET', '/v1/jobs')).headers['content-encoding']).toBeUndefined();
  });

  it('never shows a node its own secret', async () => {
    await server.put({ table: 'nodes', id: testId(1), row: nodeRow({ ID: testId(1), SecretID: 'sesame' }) });
    const text = await (await get(`/v1/node/${testId(1)}`)).text();
    expect(text).toContain('"SecretID":""');
    expect(text + (await (await get('/v1/nodes?resources=true&os=true')).text())).not.toContain('sesame');
    expect(await (await get('/v1/nodes?filter=SecretID+matches+"^s"')).text()).toContain(
      'struct field with name "SecretID"',
    );
  });
});

describe('lists', () => {
  const jobsOf = async (query: string) => {
    const answer = await get(`/v1/jobs${query}`);
    const ids = ((await answer.json()) as { ID: string }[]).map((job) => job.ID);
    return [ids, answer.headers.get('x-nomad-nexttoken')] as const;
  };

  beforeEach(async () => {
    const jobs = ['p-one', 'p-three', 'p-two', 'svc'].map((ID) =>
      jobRow({ ID, Type: ID === 'svc' ? 'batch' : 'service' }),
    );
    await server.put(...jobs.flatMap(jobChanges), ...jobChanges(jobRow({ ID: 'other', Namespace: 'dev' })));
  });

  it('page by the token of the first row that is not among them', async () => {
    expect(await jobsOf('?per_page=2')).toEqual([['p-one', 'p-three'], 'default.p-two']);
    expect(await jobsOf('?per_page=2&next_token=default.p-two')).toEqual([['p-two', 'svc'], null]);
    expect(await jobsOf('?per_page=-1')).toEqual([[], 'default.p-one']);
    expect(await jobsOf('?per_page=1&reverse=true&next_token=default.p-two')).toEqual([['p-two'], 'default.p-three']);
    expect(await jobsOf('?per_page=1&next_token=default.p-t')).toEqual([['p-three'], 'default.p-two']);
  });

  it('take a prefix, a namespace, all namespaces, a filter', async () => {
    expect(await jobsOf('?prefix=p-t')).toEqual([['p-three', 'p-two'], null]);
    expect(await jobsOf('?namespace=dev')).toEqual([['other'], null]);
    expect(await jobsOf('?namespace=nope')).toEqual([[], null]);
    expect(await jobsOf('?namespace=*')).toEqual([['p-one', 'p-three', 'p-two', 'svc', 'other'], null]);
    expect(await jobsOf('?filter=Type+==+"batch"')).toEqual([['svc'], null]);
    expect(await jobsOf('?filter=ID+matches+"^p-t"&per_page=1')).toEqual([['p-three'], 'default.p-two']);
    const bad = await get('/v1/jobs?filter=Nope+==+"x"');
    expect([bad.status, await bad.text()]).toEqual([
      400,
      'failed to read result page: error finding value in datum: /Nope at part 0: couldn\'t find key: struct field with name "Nope"',
    ]);
    expect((await get('/v1/jobs?filter=Nope+==')).status).toBe(400);
  });

  it('of evaluations and allocations come by creation, and by id for a prefix', async () => {
    const created = [9, 2, 5].map((index) =>
      evaluationRow({ ID: testId(100 - index), CreateIndex: index, JobID: 'web' }),
    );
    await server.put(...created.map((row) => ({ table: 'evaluations' as const, id: row.ID, row })));
    const list = async (query: string) =>
      await server.client.api.get<{ CreateIndex: number }[]>(`/v1/evaluations${query}`);
    expect((await list('')).value.map((row) => row.CreateIndex)).toEqual([2, 5, 9]);
    expect((await list('?reverse=true')).value.map((row) => row.CreateIndex)).toEqual([9, 5, 2]);
    const page = await list('?per_page=1');
    expect(page.nextToken).toBe(`5.${testId(95)}`);
    expect((await list(`?next_token=${page.nextToken}`)).value.map((row) => row.CreateIndex)).toEqual([5, 9]);
    expect((await list('?prefix=0000005&per_page=1')).nextToken).toBe(testId(95));
    expect((await get('/v1/evaluations?status=x&filter=JobID=="x"')).status).toBe(400);
  });

  it('of allocations carry the type of their job, whole ones the job itself', async () => {
    const job = jobRow({ ID: 'web', Type: 'system', Version: 3 });
    const row = allocationRow({ ID: testId(1), JobID: 'web', JobVersion: 3, NodeID: testId(2) });
    await server.put(...jobChanges(job), { table: 'allocations', id: row.ID, row });
    const { value: list } = await server.client.allocations.list();
    expect([list[0]?.JobType, list[0]?.JobVersion]).toEqual(['system', 3]);
    const { value: whole } = await server.client.allocations.read(row.ID);
    expect([whole.Job?.Type, 'JobVersion' in whole]).toEqual(['system', false]);
    expect((await server.client.allocations.list({ query: { filter: 'Job.Type == "system"' } })).value).toHaveLength(1);
    expect((await server.client.nodes.allocations(testId(2))).value[0]?.Job?.ID).toBe('web');
  });
});

describe('blocking queries', () => {
  const park = (path: string) =>
    get(path).then(async (answer) => [Number(answer.headers.get('x-nomad-index')), await answer.text()] as const);

  it('wake within half a second of the change they wait for, and not of others', async () => {
    const index = await server.put(...jobChanges(jobRow({ ID: 'web', ModifyIndex: 1 })));
    const parked = park(`/v1/job/web?index=${index}&wait=10s`);
    await server.put(...jobChanges(jobRow({ ID: 'other' })));
    const early = await Promise.race([parked, new Promise((resolve) => setTimeout(resolve, 200, 'still parked'))]);
    expect(early).toBe('still parked');
    const before = performance.now();
    const now = await server.store.write((_head, next) => ({
      changes: jobChanges(jobRow({ ID: 'web' }, next)),
      result: null,
    }));
    expect((await parked)[0]).toBe(now.index);
    expect(performance.now() - before).toBeLessThan(500);
  });

  it('answer what there is after their wait and at most a sixteenth more', async () => {
    const index = await server.put(...jobChanges(jobRow({ ID: 'web' })));
    const before = performance.now();
    const [answered, text] = await park(`/v1/jobs?index=${index + 100}&wait=400ms`);
    const elapsed = performance.now() - before;
    expect([answered, text.includes('web')]).toEqual([index, true]);
    expect(elapsed).toBeGreaterThan(395);
    expect(elapsed).toBeLessThan(425 + 500);
  });

  it('wait for a row that is not there yet, and do not wait at index 0', async () => {
    const index = await server.put(...jobChanges(jobRow({ ID: 'web' })));
    const before = performance.now();
    await park('/v1/jobs?index=0&wait=5s');
    expect(performance.now() - before).toBeLessThan(1000);
    const parked = park(`/v1/job/late?index=${index}&wait=10s`);
    await server.store.write((_head, next) => ({ changes: jobChanges(jobRow({ ID: 'late' }, next)), result: null }));
    expect((await parked)[1]).toContain('late');
  });

  it('are answered at once when the agent stops', async () => {
    const index = await server.put(...jobChanges(jobRow({ ID: 'web' })));
    const parked = park(`/v1/jobs?index=${index}&wait=60s`);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const before = performance.now();
    await server.api.close();
    expect((await parked)[0]).toBe(index);
    expect(performance.now() - before).toBeLessThan(1000);
  });
});

it('search gives ids by context, in the shape of the reference', async () => {
  await server.put(...['p-one', 'p-two', 'q'].flatMap((ID) => jobChanges(jobRow({ ID }))));
  const { value } = await server.client.agent.search('p-', 'jobs');
  expect(value.Matches).toEqual({ jobs: ['p-one', 'p-two'] });
  const all = (await server.client.agent.search('p-')).value;
  expect(Object.keys(all.Matches).sort()).toEqual(
    ['host_volumes', 'jobs', 'namespaces', 'node_pools', 'plugins', 'scaling_policy', 'vars', 'volumes'].sort(),
  );
  await expect(server.client.agent.search('p', 'zz')).rejects.toThrow('context must be one of [allocs jobs nodes');
});

it('job summaries, evaluations and allocations of a job are told apart by namespace', async () => {
  const key = jobId('dev', 'web');
  const summary = { JobID: 'web', Namespace: 'dev', Summary: {}, Children: null, CreateIndex: 1, ModifyIndex: 1 };
  await server.put({ table: 'jobSummaries', id: key, row: summary });
  expect((await get('/v1/job/web/summary')).status).toBe(404);
  expect((await get('/v1/job/web/summary?namespace=dev')).status).toBe(200);
});

it('versions of a job come newest first, with what changed from one to the next where asked for', async () => {
  const versions = [50, 60, 70].map((Priority, Version) =>
    jobRow({ ID: 'web', Priority, Version, ModifyIndex: Version + 1 }),
  );
  await server.put(...versions.flatMap(jobChanges));
  const { value } = await server.client.jobs.versions('web', { query: { diffs: true } });
  expect(value.Versions?.map((job) => job.Version)).toEqual([2, 1, 0]);
  expect(value.Diffs?.map((diff) => diff.Fields?.map(({ Name, Old, New }) => `${Name} ${Old} ${New}`))).toEqual([
    ['Priority 60 70'],
    ['Priority 50 60'],
  ]);
  const against = await server.client.jobs.versions('web', { query: { diffs: true, diff_version: 0 } });
  expect(against.value.Diffs).toHaveLength(2);
  await expect(server.client.jobs.versions('web', { query: { diffs: true, diff_tag: 'nope' } })).rejects.toThrow(
    '500 (tag "nope" not found)',
  );
  await expect(server.client.jobs.versions('none')).rejects.toThrow('404 (job versions not found)');
});
