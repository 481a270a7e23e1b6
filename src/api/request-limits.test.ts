import * as http from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FakeServer, startFakeServer } from './fake-agent.ts';

let server: FakeServer;
/** The configuration of the task that was registered. */
let registered: unknown;
let parsed: string[];

beforeEach(async () => {
  registered = undefined;
  parsed = [];
  server = await startFakeServer({
    fakeCommands: {
      registerJob: async ({ job }) => {
        registered = job.TaskGroups?.[0]?.Tasks?.[0]?.Config;
        return { evalId: '', evalCreateIndex: 0, jobModifyIndex: 0, index: 5, warnings: '' };
      },
    },
    parseJob: async ({ JobHCL }) => {
      parsed.push(JobHCL);
      return { ID: 'a' };
    },
  });
});
afterEach(() => server.close());

async function send(path: string, body: string) {
  const answer = await fetch(server.address + path, { method: 'PUT', body });
  return { status: answer.status, text: await answer.text() };
}

const jobWith = (config: string) => `{"Job":{"ID":"a","TaskGroups":[{"Tasks":[{"Config":{"value":${config}}}]}]}}`;
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);

describe('the body of a request', () => {
  it.each([501, 20_000, 1_000_000])('nested %i levels deep is refused with a sentence', async (levels) => {
    expect(await send('/v1/jobs', jobWith(nested(levels)))).toEqual({
      status: 400,
      text: 'the request body is nested deeper than 500 levels',
    });
  });

  it('may be nested as deep as any job is', async () => {
    expect((await send('/v1/jobs', jobWith(nested(450)))).status).toBe(200);
    expect(registered).toEqual({ value: JSON.parse(nested(450)) });
  });

  it('may hold any number of brackets in texts, and objects beside each other', async () => {
    const value = [`${'['.repeat(900)}"\\"${'{'.repeat(900)}`, ...Array.from({ length: 900 }, () => ({}))];
    expect((await send('/v1/jobs', jobWith(JSON.stringify(value)))).status).toBe(200);
    expect(registered).toEqual({ value });
  });

  it('with a number of more than 1,000 digits is refused', async () => {
    const { status, text } = await send('/v1/jobs', jobWith('9'.repeat(1001)));
    expect(status).toBe(400);
    expect(text).toMatch(/a number of 1001 characters$/);
  });

  it('that is large and cut short inside of a text is refused like any that is no JSON', async () => {
    const { status, text } = await send('/v1/jobs', `{"a":"${'x'.repeat(5_000_000)}`);
    expect(status).toBe(400);
    expect(text).toMatch(/^invalid JSON at line 1/);
  });
});

describe('a job file sent to be parsed', () => {
  it('of more than two million characters is refused before it is read', async () => {
    expect(await send('/v1/jobs/parse', JSON.stringify({ JobHCL: 'x'.repeat(2_000_001) }))).toEqual({
      status: 413,
      text: 'a job file may have at most 2000000 characters',
    });
    expect(parsed).toEqual([]);
  });

  it('of two million characters is read', async () => {
    expect((await send('/v1/jobs/parse', JSON.stringify({ JobHCL: 'x'.repeat(2_000_000) }))).status).toBe(200);
    expect(parsed[0]).toHaveLength(2_000_000);
  });
});

it('a path with backslashes is never redirected to another host', async () => {
  const location = (path: string): Promise<string | undefined> =>
    new Promise((resolve, reject) => {
      const { hostname, port } = new URL(server.address);
      const request = http.get({ hostname, port, path }, (answer) => {
        answer.resume();
        resolve(answer.headers.location);
      });
      request.on('error', reject);
    });
  for (const path of ['/.//\\evil.example/', '//\\evil.example', '/..//\\\\evil.example', '/a/../\\evil.example//x']) {
    const to = await location(path);
    expect(to, path).toBeDefined();
    expect(new URL(to!, server.address).origin, path).toBe(server.address);
  }
});
