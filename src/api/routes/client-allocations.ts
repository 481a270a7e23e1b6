import { bool, noun, string } from '../../model/schema.ts';
import type { Access } from '../access.ts';
import { decodeOptionalBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type Method, type NodeRoute, type Route, readMethods, writeMethods } from '../route.ts';
import { findAllocationOf } from './allocation-target.ts';
import { execSession } from './exec.ts';

const target = { kind: 'allocation', param: 'alloc' } as const;
const RestartRequest = noun('AllocRestartRequest', { TaskName: string(), AllTasks: bool() });
const SignalRequest = noun('AllocSignalRequest', { Task: string(), Signal: string() });

const find = findAllocationOf('alloc');
const readJob: Access = { capability: 'read-job', scope: 'object', find };
const lifecycle: Access = { capability: 'alloc-lifecycle', scope: 'object', find };
const submitJob: Access = { capability: 'submit-job', scope: 'object', find };

function onNode(
  kind: 'ask' | 'write',
  methods: readonly Method[],
  action: string,
  access: Access,
  run: NodeRoute['onNode'],
): NodeRoute {
  return { kind, methods, path: `/v1/client/allocation/{alloc}/${action}`, access, target, onNode: run };
}

const allocOf = ({ params }: ApiRequest): string => params['alloc'] ?? '';

export const clientAllocationRoutes: readonly Route[] = [
  onNode('ask', readMethods, 'stats', readJob, async (request, client) => ({
    value: await client.allocationStats(allocOf(request), request.query.text('task'), request.signal),
  })),
  onNode('ask', readMethods, 'isolation', readJob, async (request, client) => ({
    value: await client.isolation(allocOf(request), request.signal),
  })),
  // no checks are run yet
  onNode('ask', readMethods, 'checks', readJob, async () => ({ value: null })),
  onNode('write', writeMethods, 'restart', lifecycle, async (request, client) => {
    const { TaskName, AllTasks } = decodeOptionalBody(request, RestartRequest);
    await client.restart(allocOf(request), { task: TaskName ?? '', allTasks: AllTasks ?? false }, request.signal);
    return { value: { Index: 0 } };
  }),
  onNode('write', writeMethods, 'signal', lifecycle, async (request, client) => {
    const { Task, Signal } = decodeOptionalBody(request, SignalRequest);
    await client.signal(allocOf(request), { task: Task ?? '', signal: Signal ?? '' }, request.signal);
    return { value: { Index: 0 } };
  }),
  onNode('write', ['GET', 'PUT', 'POST', 'DELETE'], 'gc', submitJob, async (request, client) => {
    await client.collectGarbage(allocOf(request), request.signal);
    return {};
  }),
  {
    kind: 'stream',
    methods: readMethods,
    path: '/v1/client/allocation/{alloc}/exec',
    access: { capability: 'alloc-exec', scope: 'object', find },
    target,
    socket: execSession,
  },
];
