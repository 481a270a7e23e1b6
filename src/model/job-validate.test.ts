import { describe, expect, it } from 'vitest';
import { canonicalJob } from './canonical.ts';
import type { Job } from './job.ts';
import { formatErrors, formatWarnings, validateJob } from './job-validate.ts';
import type { Input } from './schema.ts';

const agent = { region: 'global', namespace: 'default' };
const check = (job: Input<Job>) => validateJob(canonicalJob(job, agent));
const task = { Name: 't', Driver: 'mock_driver' };
const group = { Name: 'g', Tasks: [task] };
const errorsOf = (job: Input<Job>) => check({ ID: 'a', TaskGroups: [group], ...job }).errors;

describe('validating a job', () => {
  it('accepts the smallest job there is', () => {
    expect(check({ ID: 'a', TaskGroups: [group] })).toEqual({ errors: [], warnings: [] });
  });

  it('says every problem at once, nested by group and task', () => {
    const { errors } = check({
      ID: 'v v',
      Name: '',
      Type: 'odd',
      Priority: 900,
      TaskGroups: [
        { Name: '', Count: -1, Tasks: [{ Name: '', Driver: '' }] },
        { Name: 'g', Tasks: [] },
      ],
    });
    expect(formatErrors(errors)).toBe(
      '7 errors occurred:\n\t* Job ID contains a space\n\t* Missing job name\n\t* Invalid job type: "odd"\n\t* Job task group 1 missing name\n\t* Task group  validation failed: 4 errors occurred:\n\t* Missing task group name\n\t* Task group count can\'t be negative\n\t* Task 1 missing name\n\t* Task  validation failed: 2 errors occurred:\n\t* Missing task name\n\t* Missing task driver\n\n\n\n\n\t* Task group g validation failed: 1 error occurred:\n\t* Missing tasks for task group\n\n\n\t* job priority must be between [1, 100]\n\n',
    );
  });

  it.each([
    [
      'a cron line that cannot be read',
      { Type: 'batch', Periodic: { Spec: 'x y' } },
      '1 error occurred:\n\t* Invalid cron spec "x y": missing field(s)\n\n',
    ],
    [
      'a regular expression that does not compile',
      { Constraints: [{ LTarget: '${node.class}', RTarget: '[', Operand: 'regexp' }] },
      'Constraint 1 validation failed: 1 error occurred:\n\t* Regular expression failed to compile: error parsing regexp: missing closing ]: `[`\n\n',
    ],
    [
      'a task defined twice',
      { TaskGroups: [{ Name: 'g', Tasks: [task, task] }] },
      "Task group g validation failed: 1 error occurred:\n\t* Task 2 redefines 't' from task 1\n\n",
    ],
    ['a job without groups', { TaskGroups: [] }, 'Missing job task groups'],
    [
      'a task whose directory would be the one above its own',
      { TaskGroups: [{ Name: 'g', Tasks: [{ ...task, Name: '..' }] }] },
      'Task group g validation failed: 1 error occurred:\n\t* Task .. validation failed: 1 error occurred:\n\t* Task name ".." is no name of a directory\n\n\n\n',
    ],
  ])('refuses %s in the recorded words', (_, job, text) => {
    expect(errorsOf(job as Input<Job>)).toEqual([text]);
  });

  it.each<[string, Input<Job>]>([
    [
      'a mount of a volume that the group has not',
      { TaskGroups: [{ Name: 'g', Tasks: [{ ...task, VolumeMounts: [{ Volume: 'x', Destination: '/x' }] }] }] },
    ],
    [
      'two leaders',
      {
        TaskGroups: [
          {
            Name: 'g',
            Tasks: [
              { ...task, Leader: true },
              { ...task, Name: 'u', Leader: true },
            ],
          },
        ],
      },
    ],
    [
      'a group of prestart tasks only',
      { TaskGroups: [{ Name: 'g', Tasks: [{ ...task, Lifecycle: { Hook: 'prestart' } }] }] },
    ],
    [
      'a template that leaves the task directory',
      { TaskGroups: [{ Name: 'g', Tasks: [{ ...task, Templates: [{ EmbeddedTmpl: 'x', DestPath: '../../x' }] }] }] },
    ],
    [
      'the same fixed port twice',
      {
        TaskGroups: [
          {
            ...group,
            Networks: [
              {
                ReservedPorts: [
                  { Label: 'a', Value: 80 },
                  { Label: 'b', Value: 80 },
                ],
              },
            ],
          },
        ],
      },
    ],
    ['more than one copy of a system job', { Type: 'system', TaskGroups: [{ ...group, Count: 2 }] }],
    ['an update block in a batch job', { Type: 'batch', Update: { MaxParallel: 1 } }],
    ['a time zone that does not exist', { Type: 'batch', Periodic: { Specs: ['@daily'], TimeZone: 'Mars/Olympus' } }],
  ])('refuses %s', (_, job) => {
    expect(errorsOf(job)).toHaveLength(1);
  });

  it('warns that what a task mounts stays with it where its driver is none that could let it out', () => {
    const warned = (Driver: string, PropagationMode: string) => {
      const VolumeMounts = [{ Volume: 'v', Destination: '/v', PropagationMode }];
      const Tasks = [{ ...task, Driver, VolumeMounts }];
      const job = { ID: 'a', TaskGroups: [{ ...group, Volumes: { v: { Type: 'host', Source: 'v' } }, Tasks }] };
      return check(job).warnings.filter((text) => text.includes('propagation_mode'));
    };
    expect(warned('exec', 'bidirectional')).toEqual([
      expect.stringMatching(/volume "v" is mounted as .*"host-to-task"/),
    ]);
    expect([...warned('exec', 'host-to-task'), ...warned('docker', 'bidirectional')]).toEqual([]);
  });

  it('warns about services without a shutdown delay, in the recorded layout', () => {
    const { warnings } = check({ ID: 'a', TaskGroups: [{ ...group, Services: [{ Name: 's', Provider: 'nomad' }] }] });
    expect(formatWarnings(warnings)).toBe(
      '1 warning:\n\n* group "g" defines services, but neither the group nor any of its tasks have shutdown_delay set',
    );
  });
});
