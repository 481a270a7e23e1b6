import { Fault } from '../../lib/fault.ts';
import { formatJson } from '../../lib/json.ts';
import { compareText } from '../../lib/order.ts';
import type { AgentFacts, Metric } from '../agent-facts.ts';
import type { Channel } from '../channel.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type AskRoute, type LocalServices, type Route, readMethods, writeMethods } from '../route.ts';

const agentRead = { capability: 'agent:read', scope: 'none' } as const;
const agentWrite = { capability: 'agent:write', scope: 'none' } as const;
const open = { capability: 'open', scope: 'none' } as const;
const here = { kind: 'agent' } as const;

function ask(
  path: string,
  access: AskRoute['access'],
  answer: (agent: AgentFacts, request: ApiRequest) => Answer,
): AskRoute {
  return {
    kind: 'ask',
    methods: readMethods,
    path,
    access,
    target: here,
    ask: (request, { agent }) => answer(agent, request),
  };
}

function health(agent: AgentFacts, { query }: ApiRequest): Answer {
  const wanted = query.all('type');
  const { client, server } = agent.health();
  const asked = (name: string) => wanted.length === 0 || wanted.includes(name);
  const value = {
    ...(client !== undefined && asked('client') ? { client } : {}),
    ...(server !== undefined && asked('server') ? { server } : {}),
  };
  // the body of a failure is the same JSON, sent as text
  if (Object.values(value).some((each) => !each.ok)) throw new Fault('unavailable', formatJson(value));
  return { value };
}

const levels = new Set(['trace', 'debug', 'info', 'warn', 'error', 'off']);

async function monitor(request: ApiRequest, channel: Channel, { agent }: LocalServices): Promise<void> {
  const { query, signal } = request;
  const level = query.text('log_level').toLowerCase() || 'info';
  if (!levels.has(level)) throw new Fault('invalid', `Unknown log level: ${query.text('log_level')}`);
  if (query.has('node_id') && query.has('server_id'))
    throw new Fault('invalid', 'Cannot target node and server simultaneously');
  const json = query.boolean('log_json');
  const plain = query.booleanOr400('plain', false, 'failed to parse plain field to boolean: ');
  channel.start(200, plain ? 'text/plain' : 'application/json', true);
  const beat = plain ? undefined : setInterval(() => void channel.write('{}'), 1000);
  try {
    for await (const line of agent.monitor({ level, json }, signal)) {
      const data = Buffer.from(line).toString('base64');
      await channel.write(plain ? line : JSON.stringify({ Data: data, FileEvent: 'log' }));
    }
  } finally {
    clearInterval(beat);
  }
  channel.end();
}

const two = (value: number): string => String(value).padStart(2, '0');

/** Go's default form of an instant: `2026-11-24 02:08:00 +0000 UTC`. */
function goTime(date: Date): string {
  const day = `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000 UTC`;
}

function metricsSummary(metrics: readonly Metric[]): object {
  const gauges = metrics.filter((metric) => metric.kind === 'gauge');
  const counters = metrics.filter((metric) => metric.kind === 'counter');
  return {
    Timestamp: goTime(new Date()),
    Gauges: gauges.map(({ name, value, labels }) => ({ Name: name, Value: value, Labels: labels })),
    Points: [],
    PrecisionGauges: [],
    Counters: counters.map(({ name, value, labels }) => ({
      Name: name,
      Count: value,
      Rate: 0,
      Sum: value,
      Min: 0,
      Max: value,
      Mean: 0,
      Stddev: 0,
      Labels: labels,
    })),
    Samples: [],
  };
}

/** The text format of Prometheus. */
function prometheusText(metrics: readonly Metric[]): string {
  const byName = new Map<string, Metric[]>();
  for (const metric of metrics) {
    const name = metric.name.replace(/[^a-zA-Z0-9_:]/g, '_');
    byName.set(name, [...(byName.get(name) ?? []), metric]);
  }
  const lines: string[] = [];
  for (const [name, group] of byName) {
    lines.push(`# HELP ${name} ${name}`, `# TYPE ${name} ${group[0]!.kind}`);
    for (const { labels, value } of group) {
      const pairs = Object.entries(labels).map(
        ([label, text]) => `${label.replace(/\W/g, '_')}=${JSON.stringify(text)}`,
      );
      lines.push(`${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

const byName = (left: Metric, right: Metric): number => compareText(left.name, right.name);

async function sendMetrics({ query }: ApiRequest, channel: Channel, { agent }: LocalServices): Promise<void> {
  const metrics = [...(await agent.metrics())].sort(byName);
  if (query.text('format') === 'prometheus')
    return channel.send(200, 'text/plain; version=0.0.4; charset=utf-8', prometheusText(metrics));
  const pretty = query.has('pretty') && query.text('pretty') !== '0';
  const text = formatJson(metricsSummary(metrics), pretty ? 4 : 0);
  await channel.send(200, 'application/json', text);
}

function schedulers(agent: AgentFacts): Answer {
  const list = agent.schedulers().map(({ id, enabled, started, status }) => ({
    id,
    enabled_schedulers: enabled,
    started,
    status,
    workload_status: status,
  }));
  return { value: { server_id: `${agent.name}.${agent.region}`, schedulers: list } };
}

export const agentRoutes: readonly Route[] = [
  ask('/v1/agent/self', agentRead, (agent) => ({ value: agent.self() })),
  ask('/v1/agent/members', { capability: 'node:read', scope: 'none' }, (agent) => ({ value: agent.members() })),
  ask('/v1/agent/health', open, health),
  ask('/v1/agent/schedulers', agentRead, schedulers),
  ask('/v1/status/leader', open, (agent) => ({ value: agent.leader() })),
  ask('/v1/status/peers', open, (agent) => ({ value: agent.peers() })),
  ask('/v1/regions', open, (agent) => ({ value: [agent.region] })),
  {
    kind: 'ask',
    methods: readMethods,
    path: '/.well-known/jwks.json',
    access: open,
    ask: (_request, { agent, store }) => ({
      value: { keys: agent.jwks() },
      index: store?.snapshot().index ?? 0,
      headers: { 'cache-control': 'max-age=3600', 'x-nomad-knownleader': 'true', 'x-nomad-lastcontact': '0' },
    }),
  },
  ask('/.well-known/openid-configuration', open, () => {
    throw new Fault('not_found', 'OIDC Discovery endpoint disabled');
  }),
  {
    kind: 'stream',
    methods: readMethods,
    path: '/v1/agent/monitor',
    access: agentRead,
    target: here,
    stream: monitor,
  },
  { kind: 'stream', methods: readMethods, path: '/v1/metrics', access: open, target: here, stream: sendMetrics },
  {
    kind: 'ask',
    methods: writeMethods,
    path: '/v1/agent/reload',
    access: agentWrite,
    target: here,
    ask: async (_request, { agent }) => {
      await agent.reload();
      return {};
    },
  },
];
