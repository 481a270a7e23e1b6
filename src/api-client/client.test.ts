import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatJson } from '../lib/json.ts';
import { jsonObjects } from './byte-stream.ts';
import { connect } from './index.ts';
import { path, withQuery } from './path.ts';
import type { Transport, TransportRequest } from './transport.ts';

/** Answers requests from a list and keeps what was asked. */
function scripted(answers: readonly { status?: number; headers?: Record<string, string>; body?: string }[]) {
  const asked: TransportRequest[] = [];
  const transport: Transport = {
    async request(request) {
      asked.push(request);
      const { status = 200, headers = {}, body = '' } = answers[asked.length - 1] ?? {};
      return {
        status,
        headers,
        body: (async function* () {
          yield new TextEncoder().encode(body);
        })(),
        dispose: () => {},
      };
    },
    webSocket: () => Promise.reject(new Error('none here')),
    close: () => {},
  };
  return { asked, transport };
}

describe('the client', () => {
  it('puts namespace, region and token on every request, those of the call first', async () => {
    const { asked, transport } = scripted([{ body: '[]' }, { body: '[]' }]);
    const client = connect({ transport, namespace: 'dev', region: 'eu', token: 'secret' });
    await client.jobs.list({ query: { prefix: 'a b' } });
    await client.jobs.list({ query: { namespace: '*' } });
    expect(asked.map((request) => request.path)).toEqual([
      '/v1/jobs?namespace=dev&region=eu&prefix=a%20b',
      '/v1/jobs?namespace=*&region=eu',
    ]);
    expect(asked[0]?.headers['x-nomad-token']).toBe('secret');
  });

  it('gives value and state of an answer', async () => {
    const headers = {
      'x-nomad-index': '7',
      'x-nomad-knownleader': 'true',
      'x-nomad-lastcontact': '3',
      'x-nomad-nexttoken': 't',
    };
    const { transport } = scripted([
      { body: '{"ID":"a","SubmitTime":1700000000123456789,"Config":{"Big":12345678901234567890}}', headers },
    ]);
    expect(await connect({ transport }).jobs.read('a')).toEqual({
      value: { ID: 'a', SubmitTime: 1_700_000_000_123_456_800, Config: { Big: 12345678901234567890n } },
      index: 7,
      knownLeader: true,
      lastContactMs: 3,
      nextToken: 't',
    });
  });

  it('throws the text that Nomad’s clients print', async () => {
    const { transport } = scripted([{ status: 404, body: 'job not found\n' }]);
    const reading = connect({ transport }).jobs.read('a');
    await expect(reading).rejects.toMatchObject({
      kind: 'not_found',
      message: 'Unexpected response code: 404 (job not found)',
      body: 'job not found',
    });
  });

  it('takes an empty answer for null', async () => {
    const { transport } = scripted([{}]);
    expect((await connect({ transport }).agent.collectGarbage()).value).toBeNull();
  });

  it('reads all pages', async () => {
    const { asked, transport } = scripted([{ body: '[1,2]', headers: { 'x-nomad-nexttoken': 'b' } }, { body: '[3]' }]);
    const pages: unknown[] = [];
    for await (const page of connect({ transport }).api.pages('/v1/jobs', { perPage: 2 })) pages.push(...page);
    expect(pages).toEqual([1, 2, 3]);
    expect(asked[1]?.path).toBe('/v1/jobs?per_page=2&next_token=b');
  });

  it('watches: one value now, then one for each new index, also one that went back', async () => {
    const answer = (index: number) => ({ body: String(index), headers: { 'x-nomad-index': String(index) } });
    const { asked, transport } = scripted([answer(5), answer(5), answer(8), answer(2)]);
    const seen: number[] = [];
    for await (const { index } of connect({ transport }).api.watch('/v1/jobs', { waitMs: 10 })) {
      seen.push(index);
      if (seen.length === 3) break;
    }
    expect(seen).toEqual([5, 8, 2]);
    expect(asked.map((request) => /[?&]index=(\d+)/.exec(request.path)?.[1])).toEqual([undefined, '5', '5', '8']);
  });
});

it('paths encode whatever an id is made of', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', minLength: 1 }), (id) => {
      const encoded = path`/v1/job/${id}/plan`;
      expect(encoded.split('/')).toHaveLength(5);
      expect(decodeURIComponent(encoded.split('/')[3]!)).toBe(id);
    }),
  );
  expect(withQuery('/a', { b: undefined, c: ['1', '2'], d: true })).toBe('/a?c=1&c=2&d=true');
});

it('concatenated JSON objects come out whole, wherever the pieces are cut', async () => {
  const value = fc.oneof(fc.dictionary(fc.string(), fc.jsonValue()), fc.array(fc.jsonValue()));
  await fc.assert(
    fc.asyncProperty(
      fc.array(value, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 }),
      async (values, cuts) => {
        const bytes = new TextEncoder().encode(values.map((each) => JSON.stringify(each)).join('\n'));
        const chunks = async function* () {
          for (let at = 0, cut = 0; at < bytes.length; cut++) {
            const length = cuts[cut % cuts.length]!;
            yield bytes.subarray(at, at + length);
            at += length;
          }
        };
        const found: unknown[] = [];
        for await (const each of jsonObjects(chunks())) found.push(each);
        expect(formatJson(found)).toBe(JSON.stringify(values));
      },
    ),
  );
});
