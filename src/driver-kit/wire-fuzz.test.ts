/** What comes from the other side of the plugin protocol, broken at random: it is refused with a fault, never with a crash or a hang. */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { checkConfig } from '../driver/config-check.ts';
import { option } from '../driver/config-schema.ts';
import { SpecSchema } from '../driver/gen/nomad/hclspec_pb.ts';
import { parseHandshake } from '../driver/handshake.ts';
import { parsePluginLine } from '../driver/hclog.ts';
import { specOf } from '../driver/hclspec.ts';
import { readSpec, type SpecNode } from '../driver/spec-tree.ts';
import { isFault } from '../lib/fault.ts';
import { decodeValue, encodeValue } from './wire-config.ts';

const long = process.env['DROVER_LONG'] !== undefined;
const seed = Number(process.env['DROVER_SEED'] ?? Date.now() % 1_000_000_007);
const rounds = Number(process.env['DROVER_ROUNDS'] ?? (long ? 1_000_000 : 10_000));

/** mulberry32 */
function randomOf(start: number): () => number {
  let state = start >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

const schema = {
  command: option.string({ required: true }),
  args: option.list(option.string(), { default: ['a', '${b}'] }),
  count: option.number({ default: 3 }),
  labels: option.map(option.string()),
  any: option.any(),
  mount: option.blocks({ target: option.string(), inner: option.block({ on: option.bool() }) }),
};
const specBytes = Buffer.from(toBinary(SpecSchema, specOf(schema)));
const options = {
  command: 'x',
  args: ['a', 'b'],
  count: 2n ** 40n,
  labels: [{ a: 'b' }],
  mount: [{ target: '/a', inner: { on: true } }],
};
const optionBytes = Buffer.from(encodeValue(options));
const levels = new Set(['trace', 'debug', 'info', 'warn', 'error']);
const handshake =
  '1|2|unix|/run/plugin3141592|grpc|MIIBTjCB9aADAgECAgEBMAoGCCqGSM49BAMCMAAwHhcNMjQwMTAxMDAwMDAwWhcN|true';
const config = { command: 'x', args: ['${meta.a}'], mount: [{ target: '/a', inner: [{ on: 'true' }] }] };

/** One to eight bytes changed, taken away, added or doubled. */
function broken(bytes: Buffer, random: () => number): Buffer {
  let result = Buffer.from(bytes);
  const pick = (limit: number): number => Math.floor(random() * limit);
  for (let left = 1 + pick(8); left > 0; left--) {
    const at = pick(result.length + 1);
    const [head, tail] = [result.subarray(0, at), result.subarray(at)];
    switch (pick(5)) {
      case 0:
        result = Buffer.concat([head, tail.subarray(1)]);
        break;
      case 1:
        result = Buffer.concat([head, Buffer.from([pick(256)]), tail]);
        break;
      case 2:
        result = Buffer.concat([head, tail.subarray(0, pick(16)), tail]);
        break;
      case 3:
        result = Buffer.concat([head, tail.subarray(0, pick(64))]);
        break;
      default:
        if (at < result.length) result[at] = pick(256);
    }
  }
  return result;
}

function eachBroken(bytes: Buffer, take: (input: Buffer) => void): void {
  const random = randomOf(seed);
  for (let round = 0; round < rounds; round++) {
    const input = broken(bytes, random);
    const from = performance.now();
    try {
      take(input);
    } catch (error) {
      if (!isFault(error, 'invalid'))
        throw new Error(`seed ${seed}, round ${round}, input ${input.toString('hex')}: ${String(error)}`, {
          cause: error,
        });
    }
    const ms = performance.now() - from;
    if (ms > 2_000) throw new Error(`seed ${seed}, round ${round}, input ${input.toString('hex')}: took ${ms} ms`);
  }
}

describe(`the wire, broken at random (DROVER_SEED=${seed}, ${rounds} inputs each; DROVER_ROUNDS, or DROVER_LONG=1: a million)`, () => {
  const limit = Math.max(60_000, 4 * rounds);

  it('the inputs are good before they are broken', () => {
    expect(parseHandshake(handshake)).toMatchObject({ address: '/run/plugin3141592' });
    expect(decodeValue(schema, optionBytes)).toMatchObject({ command: 'x', count: 2 ** 40 });
    expect(checkConfig(config, readSpec(fromBinary(SpecSchema, specBytes)))).toEqual([]);
  });

  it(
    'handshakes',
    () => eachBroken(Buffer.from(handshake), (input) => parseHandshake(input.toString('latin1'))),
    limit,
  );

  it(
    'lines of logs',
    () => {
      const line = '{"@level":"warn","@message":"m","@timestamp":"2026-01-01T00:00:00.000000Z","a":{"b":[1,null]}}';
      eachBroken(Buffer.from(line), (input) => {
        const { level, message } = parsePluginLine(input.toString());
        if (!levels.has(level) || typeof message !== 'string') throw new Error(`read as ${level}: ${typeof message}`);
      });
    },
    limit,
  );

  it('options as MessagePack', () => eachBroken(optionBytes, (input) => decodeValue(schema, input)), limit);

  it(
    'specifications, and options checked against what is left of them',
    () => {
      eachBroken(specBytes, (input) => {
        let spec: SpecNode;
        try {
          spec = readSpec(fromBinary(SpecSchema, input));
        } catch (error) {
          // what is no protocol buffer is refused by its library, as INTERNAL of the call
          if (isFault(error) || !(error instanceof Error)) throw error;
          return;
        }
        checkConfig(config, spec);
      });
    },
    limit,
  );
});
