// What servers make of the specifications of options that nodes publish, also of those that lie.
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { expect, it } from 'vitest';
import { SpecSchema } from '../driver/gen/nomad/hclspec_pb.ts';
import { canonicalJob } from '../model/canonical.ts';
import { checkDriverConfigs } from './driver-config.ts';
import { startCluster, testJob, testNode } from './test-cluster.ts';

type Part = MessageInitShape<typeof SpecSchema>;
const spec = (part: Part) => create(SpecSchema, part);
const published = (part: Part): string => Buffer.from(toBinary(SpecSchema, spec(part))).toString('base64');
const attribute = (name: string) => spec({ block: { case: 'Attr', value: { name, type: 'string' } } });

const block = spec({ block: { case: 'blockList', value: { name: 'b', nested: attribute('x') } } });

const honest = published({ block: { case: 'object', value: { attributes: { text: attribute('text') } } } });
let deepest = attribute('x');
for (let at = 0; at < 200; at++) deepest = spec({ block: { case: 'array', value: { values: [deepest] } } });

/** Each of a node that is no client of ours, or broken. */
const lies: Readonly<Record<string, string>> = {
  'no base64': '!!!',
  'other bytes': Buffer.from('no specification at all').toString('base64'),
  nothing: '',
  'a kind that nobody knows': Buffer.from([0x7a, 2, 8, 1]).toString('base64'),
  'two hundred levels': published(deepest),
  'half a megabyte': published({ block: { case: 'literal', value: { value: `"${'x'.repeat(500_000)}"` } } }),
  'a literal that is no expression': published({ block: { case: 'literal', value: { value: '${' } } }),
};

async function problems(schemas: readonly string[], config: Record<string, unknown>) {
  const { server, store } = await startCluster();
  const nodes = schemas.map((text, at) =>
    testNode(`n${at}`, { Status: 'ready', DriverSchemas: { mock_driver: text } }),
  );
  const changes = nodes.map((row) => ({ table: 'nodes', id: row.ID, row }) as const);
  await store.write(() => ({ changes, result: null }));
  const [group] = testJob('j').TaskGroups!;
  const [task] = group!.Tasks!;
  const input = testJob('j', { TaskGroups: [{ ...group!, Tasks: [{ ...task!, Config: config }] }] });
  const job = canonicalJob(input, { region: 'global', namespace: 'default' });
  const found = checkDriverConfigs(store.snapshot(), job);
  await server.close();
  return found;
}

it('options are wrong where every node refuses them, doubtful where some do', async () => {
  expect(await problems([honest], { text: 'x' })).toEqual([]);
  expect(await problems([honest, honest], { txt: 'x' })).toMatchObject([
    { Path: ['txt'], Certain: true, Detail: expect.stringMatching(/Did you mean "text"/) },
  ]);
  const other = published({ block: { case: 'object', value: { attributes: { txt: attribute('txt') } } } });
  expect(await problems([honest, other], { txt: 'x' })).toMatchObject([{ Certain: false }]);
});

it.each(Object.keys(lies))('%s says nothing of options, and hides nothing that others say', async (name) => {
  expect(await problems([lies[name]!], { txt: 'x' })).toEqual([]);
  expect(await problems([lies[name]!, honest], { txt: 'x' })).toMatchObject([{ Path: ['txt'], Certain: true }]);
});

it('what would make more than a server has is a problem of the options', async () => {
  const many = published({ block: { case: 'array', value: { values: Array(5000).fill(block) } } });
  expect(await problems([many], { b: Array(500).fill({}) })).toMatchObject([{ Summary: 'Too many options' }]);
});
