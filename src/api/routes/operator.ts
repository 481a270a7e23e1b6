import { Fault } from '../../lib/fault.ts';
import { fill } from '../../model/fill.ts';
import { SchedulerConfiguration } from '../../model/scheduler-configuration.ts';
import type { ServerSnapshot } from '../../state/server-tables.ts';
import { decodeBody } from '../body.ts';
import type { ApiRequest } from '../request.ts';
import { type Answer, type Route, readMethods, type Services, writeMethods } from '../route.ts';
import { withState } from '../shared-answers.ts';

function configurationOf(snapshot: ServerSnapshot): SchedulerConfiguration {
  const [row] = snapshot.scan('schedulerConfiguration');
  if (row !== undefined) return row;
  return fill(SchedulerConfiguration, {
    SchedulerAlgorithm: 'binpack',
    PreemptionConfig: { SystemSchedulerEnabled: true },
  });
}

function readConfiguration(snapshot: ServerSnapshot) {
  const configuration = configurationOf(snapshot);
  const index = configuration.ModifyIndex;
  return { index, value: withState({ SchedulerConfig: configuration }, index, true) };
}

async function writeConfiguration(request: ApiRequest, { commands }: Services): Promise<Answer> {
  const text = request.query.text('cas');
  if (text !== '' && !/^\d+$/.test(text))
    throw new Fault(
      'invalid',
      `Error parsing cas value: strconv.ParseUint: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  const done = await commands.setSchedulerConfiguration({
    configuration: decodeBody(request, SchedulerConfiguration),
    modifyIndex: text === '' ? null : Number(text),
  });
  return { index: done.index, value: { Updated: done.updated, Index: done.index } };
}

export const operatorRoutes: readonly Route[] = [
  {
    kind: 'read',
    methods: readMethods,
    path: '/v1/operator/scheduler/configuration',
    access: { capability: 'operator:read', scope: 'none' },
    tables: ['schedulerConfiguration'],
    read: readConfiguration,
  },
  {
    kind: 'write',
    methods: writeMethods,
    path: '/v1/operator/scheduler/configuration',
    access: { capability: 'operator:write', scope: 'none' },
    run: writeConfiguration,
  },
  {
    kind: 'ask',
    methods: readMethods,
    path: '/v1/operator/license',
    access: { capability: 'open', scope: 'none' },
    ask: () => ({ status: 204 }),
  },
];
