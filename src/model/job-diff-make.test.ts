import { describe, expect, it } from 'vitest';
import { canonicalJob } from './canonical.ts';
import type { Job } from './job.ts';
import { tasksUpdated } from './job-changes.ts';
import { annotateDiff } from './job-diff-annotate.ts';
import { diffJobs } from './job-diff-make.ts';
import type { Input } from './schema.ts';

const make = (task: object = {}, group: object = {}, job: object = {}) =>
  canonicalJob(
    {
      ID: 'j',
      TaskGroups: [{ Name: 'g', Tasks: [{ Name: 't', Driver: 'x', Config: { a: [1] }, ...task }], ...group }],
      ...job,
    } as Input<Job>,
    { region: 'global', namespace: 'default' },
  );
const updates = {
  Ignore: 1,
  Place: 1,
  Migrate: 0,
  Stop: 0,
  InPlaceUpdate: 0,
  DestructiveUpdate: 0,
  Canary: 0,
  Preemptions: 0,
  Disconnect: 0,
  Reconnect: 0,
  RescheduleNow: 0,
  RescheduleLater: 0,
};

describe('differences of two jobs', () => {
  it('are none for the same job, with its groups and tasks named', () => {
    expect(diffJobs(make(), make(), true)).toEqual({
      Type: 'None',
      ID: 'j',
      Fields: null,
      Objects: null,
      TaskGroups: [
        {
          Type: 'None',
          Name: 'g',
          Fields: null,
          Objects: null,
          Updates: null,
          Tasks: [{ Type: 'None', Name: 't', Fields: null, Objects: null, Annotations: null }],
        },
      ],
    });
  });

  it('name maps by key, and flatten free-form maps', () => {
    const diff = diffJobs(
      make(),
      make({ Env: { A: 'b' }, Config: { a: [2], b: { c: true } } }, {}, { Meta: { team: 'red' } }),
      false,
    );
    expect(diff.Fields).toEqual([{ Type: 'Added', Name: 'Meta[team]', Old: '', New: 'red', Annotations: null }]);
    const task = diff.TaskGroups![0]!.Tasks![0]!;
    expect(task.Fields!.map(({ Name }) => Name)).toEqual(['Env[A]']);
    expect(
      task.Objects!.map(({ Name, Fields }) => [Name, Fields!.map((field) => [field.Name, field.Old, field.New])]),
    ).toEqual([
      [
        'Config',
        [
          ['a[0]', '1', '2'],
          ['b[c]', '', 'true'],
        ],
      ],
    ]);
  });

  it('show unchanged fields of a changed object when asked for context', () => {
    const diff = diffJobs(make({ Resources: { CPU: 50 } }), make({ Resources: { CPU: 60 } }), true);
    const [resources] = diff.TaskGroups![0]!.Tasks![0]!.Objects!;
    expect(resources!.Fields!.map(({ Name, Type }) => `${Type} ${Name}`)).toEqual([
      'Edited CPU',
      'None Cores',
      'None DiskMB',
      'None IOPS',
      'None MemoryMB',
      'None MemoryMaxMB',
      'None SecretsMB',
    ]);
  });

  it('say what the scheduler does about them', () => {
    const diff = annotateDiff(diffJobs(make(), make({ Env: { A: 'b' } }, { Count: 2 }), true), { g: updates });
    const [group] = diff.TaskGroups!;
    expect(group!.Updates).toEqual({ ignore: 1, create: 1 });
    expect(group!.Fields![0]).toMatchObject({ Name: 'Count', Annotations: ['forces create'] });
    expect(group!.Tasks![0]!.Annotations).toEqual(['forces create/destroy update']);
  });

  it('call a longer kill timeout an in-place update', () => {
    const diff = annotateDiff(diffJobs(make(), make({ KillTimeout: 9_000_000_000 }), true), { g: updates });
    expect(diff.TaskGroups![0]!.Tasks![0]!.Annotations).toEqual(['forces in-place update']);
  });

  it('add everything of a new job and delete everything of an old one', () => {
    expect(diffJobs(null, make(), true).TaskGroups![0]!.Tasks![0]!.Type).toBe('Added');
    expect(diffJobs(make(), null, true)).toMatchObject({ Type: 'Deleted', ID: 'j' });
  });
});

describe('a change', () => {
  it.each<[string, boolean, Job]>([
    ['of the environment', true, make({ Env: { A: '1' } })],
    ['of the config', true, make({ Config: { a: [2] } })],
    ['of the memory', true, make({ Resources: { MemoryMB: 31 } })],
    ['of a port', true, make({}, { Networks: [{ DynamicPorts: [{ Label: 'http' }] }] })],
    ["of the job's meta, which tasks see", true, make({}, {}, { Meta: { a: 'b' } })],
    ['of the count', false, make({}, { Count: 3 })],
    ['of a constraint', false, make({}, { Constraints: [{ LTarget: '${attr.a}', RTarget: 'b', Operand: '=' }] })],
    ['of the priority', false, make({}, {}, { Priority: 70 })],
    ['of the kill timeout', false, make({ KillTimeout: 1_000_000_000 })],
    ['of the restart policy', false, make({}, { RestartPolicy: { Attempts: 9, Interval: 3_600_000_000_000 } })],
  ])('%s replaces the tasks: %s', (_, replaced, after) => {
    expect(tasksUpdated(make(), after, 'g')).toBe(replaced);
  });
});
