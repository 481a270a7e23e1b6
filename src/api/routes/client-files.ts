import type { ClientNode } from '../../client/client-node.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import type { Channel } from '../channel.ts';
import { writeFrames, writePlain } from '../frames.ts';
import type { ApiRequest } from '../request.ts';
import { type LocalServices, type NodeRoute, type Route, readMethods, type StreamRoute } from '../route.ts';
import { findAllocationOf, nodeOf } from './allocation-target.ts';

const target = { kind: 'allocation', param: 'alloc' } as const;
const readFs = { capability: 'read-fs', scope: 'object', find: findAllocationOf('alloc') } as const;
const readLogs = { capability: 'read-logs', scope: 'object', find: findAllocationOf('alloc') } as const;

function allocOf({ params }: ApiRequest): string {
  const id = params['alloc'] ?? '';
  if (id === '') throw new Fault('invalid', 'must provide a valid alloc id');
  return id;
}

function fileOf({ query }: ApiRequest): string {
  const path = query.text('path');
  if (path === '') throw new Fault('invalid', 'must provide a file name');
  return path;
}

function offsetOf({ query }: ApiRequest): number {
  const text = query.text('offset');
  const offset = query.integer(
    'offset',
    0,
    `error parsing offset: strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`,
  );
  if (offset < 0) throw new Fault('invalid', 'offset must not be negative');
  return offset;
}

function originOf({ query }: ApiRequest): 'start' | 'end' {
  const origin = query.text('origin') || 'start';
  if (origin !== 'start' && origin !== 'end') throw new Fault('invalid', 'origin must be start or end');
  return origin;
}

/** Types that a browser would run or render are sent as text. */
function safeContentType(type: string | undefined): string {
  if (type === undefined || !/^(image\/(png|jpeg|gif|webp)|application\/(json|octet-stream))\b/.test(type))
    return 'text/plain; charset=utf-8';
  return type === 'application/json' || type === 'application/octet-stream' ? 'text/plain; charset=utf-8' : type;
}

type Reader = (
  client: ClientNode,
  request: ApiRequest,
) => { readonly path: string; readonly offset: number; readonly limit: number };

/** Errors of these two come with status 200, the message as body: the reference's clients never look at the status here. */
async function sendFile(request: ApiRequest, channel: Channel, services: LocalServices, reader: Reader): Promise<void> {
  try {
    const client = nodeOf(services);
    const alloc = allocOf(request);
    const { path, ...range } = reader(client, request);
    const info = await client.stat(alloc, path, request.signal);
    if (info.IsDir) throw new Fault('invalid', `file ${JSON.stringify(path)} is a directory`);
    const pieces = client.read(alloc, path, range, request.signal)[Symbol.asyncIterator]();
    // what cannot be opened is said as text: before the answer has begun
    let next = await pieces.next();
    channel.start(200, safeContentType(info.ContentType), false);
    try {
      for (; next.done !== true; next = await pieces.next()) await channel.write(next.value);
    } finally {
      await pieces.return?.();
    }
    channel.end();
  } catch (error) {
    if (channel.started || !isFault(error)) throw error;
    await channel.send(200, 'text/plain; charset=utf-8', error.message);
  }
}

function fileRoute(name: string, reader: Reader): StreamRoute {
  return {
    kind: 'stream',
    methods: readMethods,
    path: `/v1/client/fs/${name}/{alloc}`,
    access: readFs,
    target,
    stream: (request, channel, services) => sendFile(request, channel, services, reader),
  };
}

function directoryRoute(name: string, onNode: NodeRoute['onNode']): NodeRoute {
  return { kind: 'ask', methods: readMethods, path: `/v1/client/fs/${name}/{alloc}`, access: readFs, target, onNode };
}

async function streamFile(request: ApiRequest, channel: Channel, services: LocalServices): Promise<void> {
  const alloc = allocOf(request);
  const path = fileOf(request);
  const follow = request.query.booleanOr400('follow', true, 'failed to parse follow field to boolean: ');
  const from = { origin: originOf(request), offset: offsetOf(request), follow };
  const client = nodeOf(services);
  try {
    const info = await client.stat(alloc, path, request.signal);
    if (info.IsDir) throw new Fault('invalid', `file ${JSON.stringify(path)} is a directory`);
  } catch (error) {
    // a missing file is the caller's mistake here, unlike in `stat`
    if (isFault(error, 'not_found') && client.hasAllocation(alloc)) throw new Fault('invalid', error.message);
    throw error;
  }
  await writeFrames(client.follow(alloc, path, from, request.signal), channel, 'text/plain; charset=utf-8');
}

async function streamLogs(request: ApiRequest, channel: Channel, services: LocalServices): Promise<void> {
  const { query } = request;
  const alloc = allocOf(request);
  const task = query.text('task');
  if (task === '') throw new Fault('invalid', 'must provide task name');
  const follow = query.booleanOr400('follow', false, 'failed to parse follow field to boolean: ');
  const plain = query.booleanOr400('plain', false, 'failed to parse plain field to boolean: ');
  const type = query.text('type');
  if (type !== 'stdout' && type !== 'stderr') throw new Fault('invalid', 'must provide log type (stdout/stderr)');
  const wanted = { task, type, follow, origin: originOf(request), offset: offsetOf(request) } as const;
  const frames = nodeOf(services).logs(alloc, wanted, request.signal);
  await (plain ? writePlain(frames, channel) : writeFrames(frames, channel, 'application/json'));
}

export const clientFileRoutes: readonly Route[] = [
  directoryRoute('ls', async (request, client) => ({
    value: await client.list(allocOf(request), request.query.text('path') || '/', request.signal),
  })),
  directoryRoute('stat', async (request, client) => ({
    value: await client.stat(allocOf(request), fileOf(request), request.signal),
  })),
  fileRoute('cat', (_client, request) => ({ path: fileOf(request), offset: 0, limit: -1 })),
  fileRoute('readat', (_client, request) => {
    const limit = request.query.integer('limit', -1, 'error parsing limit: it must be a number');
    return { path: fileOf(request), offset: offsetOf(request), limit };
  }),
  {
    kind: 'stream',
    methods: readMethods,
    path: '/v1/client/fs/stream/{alloc}',
    access: readFs,
    target,
    stream: streamFile,
  },
  {
    kind: 'stream',
    methods: readMethods,
    path: '/v1/client/fs/logs/{alloc}',
    access: readLogs,
    target,
    stream: streamLogs,
  },
];
