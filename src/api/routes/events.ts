/** The stream of events: one JSON object a line for each write, an empty one at the beginning and every thirty seconds. */
import { Fault } from '../../lib/fault.ts';
import { formatJson } from '../../lib/json.ts';
import { Allocation } from '../../model/allocation.ts';
import { Node } from '../../model/node.ts';
import type { EventBatch, StreamEvent } from '../../server/event-stream.ts';
import type { Channel } from '../channel.ts';
import type { ApiRequest } from '../request.ts';
import { type LocalServices, type Route, readMethods, type Services } from '../route.ts';
import { visibleForm } from '../visible.ts';

const heartbeatMs = 30_000;
const visibleNode = visibleForm(Node);
const visibleAllocation = visibleForm(Allocation);

/** Topic → the keys wanted of it; `*` for all, of either. */
type Topics = ReadonlyMap<string, ReadonlySet<string>>;

function topicsOf({ query }: ApiRequest): Topics {
  const topics = new Map<string, Set<string>>();
  for (const text of query.all('topic').length === 0 ? ['*'] : query.all('topic')) {
    const [topic = '', key = '*', ...more] = text.split(':');
    if (more.length > 0)
      throw new Fault(
        'invalid',
        `Invalid topic query: error parsing topics: Invalid key value pair for topic, topic: ${text}`,
      );
    topics.set(topic, (topics.get(topic) ?? new Set()).add(key === '' ? '*' : key));
  }
  return topics;
}

function indexOf({ query }: ApiRequest): number {
  const text = query.text('index');
  if (text !== '' && !/^[+-]?\d+$/.test(text))
    throw new Fault('invalid', `Unable to parse index: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Math.max(0, Number(text));
}

function isWanted(event: StreamEvent, topics: Topics, namespace: string): boolean {
  if (event.namespace !== '' && namespace !== '*' && namespace !== event.namespace) return false;
  const keys = [...(topics.get(event.topic) ?? []), ...(topics.get('*') ?? [])];
  return keys.some((key) => key === '*' || key === event.key || event.filterKeys.includes(key));
}

/** The row as a reader of its own route sees it; an allocation without its job. */
function rowOf(event: StreamEvent): object {
  if (event.topic === 'Node') return visibleNode(event.row);
  return event.topic === 'Allocation' ? { ...visibleAllocation(event.row), Job: null } : event.row;
}

function line({ index, events }: EventBatch, topics: Topics, namespace: string): string | undefined {
  const wanted = events.filter((event) => isWanted(event, topics, namespace));
  if (wanted.length === 0) return undefined;
  const value = {
    Index: index,
    Events: wanted.map((event) => ({
      Topic: event.topic,
      Type: event.type,
      Key: event.key,
      Namespace: event.namespace,
      FilterKeys: event.filterKeys.length === 0 ? null : event.filterKeys,
      Index: index,
      Payload: { [event.topic]: rowOf(event) },
    })),
  };
  return `${formatJson(value)}\n`;
}

async function stream(
  request: ApiRequest,
  channel: Channel,
  { commands }: LocalServices & Partial<Pick<Services, 'commands'>>,
): Promise<void> {
  const topics = topicsOf(request);
  const from = indexOf(request);
  if (commands === undefined) throw new Fault('unavailable', 'this agent is a client without a server');
  channel.headers['cache-control'] = 'no-cache';
  channel.start(200, 'application/json', true);
  await channel.write('{}\n');
  const beat = setInterval(() => void channel.write('{}\n'), heartbeatMs);
  try {
    for await (const batch of commands.followEvents(from, request.signal)) {
      const text = line(batch, topics, request.namespace);
      if (text !== undefined) await channel.write(text);
    }
  } finally {
    clearInterval(beat);
  }
  channel.end();
}

export const eventRoutes: readonly Route[] = [
  {
    kind: 'stream',
    methods: readMethods,
    path: '/v1/event/stream',
    access: { capability: 'read-job', scope: 'query' },
    stream,
  },
];
