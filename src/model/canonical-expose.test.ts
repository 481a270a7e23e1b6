import { describe, expect, it } from 'vitest';
import { second } from '../lib/duration.ts';
import { canonicalJob } from './canonical.ts';
import type { Job } from './job.ts';
import { validateJob } from './job-validate.ts';
import type { Input } from './schema.ts';
import type { Service } from './service.ts';
import type { TaskGroup } from './task-group.ts';

const agent = { region: 'global', namespace: 'default' };
const check = { Name: 'h', Type: 'http', Path: '/health', Interval: 10 * second, Timeout: 3 * second, Expose: true };
const service = { Name: 'c', PortLabel: '8080', Checks: [check], Connect: { SidecarService: {} } };
const job = (of: Input<Service> = {}, group: Input<TaskGroup> = {}) =>
  canonicalJob(
    {
      ID: 'a',
      TaskGroups: [
        {
          Name: 'g',
          Networks: [{ Mode: 'bridge' }],
          Services: [{ ...service, ...of }],
          Tasks: [{ Name: 't', Driver: 'mock_driver' }],
          ...group,
        },
      ],
    },
    agent,
  );
const groupOf = (of: Job) => of.TaskGroups[0]!;
const pathsOf = (of: Job) => groupOf(of).Services![0]!.Connect!.SidecarService!.Proxy?.Expose?.Paths ?? [];
const complaint = (of: Job) => validateJob(of).errors.join('\n');

describe('a check with expose', () => {
  it('gets a port that is called the same each time, and a path of the proxy', () => {
    const exposed = job();
    const label = 'svc_c_ck_54c953';
    expect(groupOf(exposed).Services![0]!.Checks![0]!.PortLabel).toBe(label);
    expect(groupOf(exposed).Networks![0]!.DynamicPorts!.map(({ Label }) => Label)).toContain(label);
    expect(pathsOf(exposed)).toEqual([{ Path: '/health', Protocol: '', LocalPathPort: 8080, ListenerPort: label }]);
    expect(canonicalJob(exposed, agent)).toEqual(exposed);
    expect(complaint(exposed)).toBe('');
  });

  it('keeps the port that it names, and finds a static port of its service', () => {
    const exposed = job(
      { PortLabel: 'web', Checks: [{ ...check, PortLabel: 'mine' }] },
      { Networks: [{ Mode: 'bridge', ReservedPorts: [{ Label: 'web', Value: 9090 }] }] },
    );
    expect(pathsOf(exposed)).toMatchObject([{ LocalPathPort: 9090, ListenerPort: 'mine' }]);
  });

  it('gives two alike checks of one service a port each', () => {
    const labels = groupOf(job({ Checks: [check, { ...check, Name: 'i' }] })).Services![0]!.Checks!.map(
      ({ PortLabel }) => PortLabel,
    );
    expect(new Set(labels).size).toBe(2);
  });

  it.each<[string, Job, string]>([
    ['no sidecar', job({ Connect: null }), 'needs a group service with connect'],
    ['no bridge', job({}, { Networks: [{ Mode: 'host' }] }), 'one network, of mode "bridge"'],
    ['a port that nobody knows', job({ PortLabel: 'web' }), 'a number or a static port, not "web"'],
  ])('is refused with %s', (_, exposed, text) => expect(complaint(exposed)).toContain(text));
});
