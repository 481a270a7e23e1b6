import { expect, it } from 'vitest';
import type { DiffType, FieldDiff, JobDiff, ObjectDiff } from '../model/job-diff.ts';
import { page } from './cli-test-kit.ts';
import { jobDiffView } from './job-diff-view.ts';

const field = (Type: DiffType, Name: string, Old: string, New: string, notes: string[] | null = null): FieldDiff => ({
  ...{ Type, Name, Old, New },
  Annotations: notes,
});
const object = (Type: DiffType, Name: string, Fields: FieldDiff[], Objects: ObjectDiff[] = []): ObjectDiff => ({
  Type,
  Name,
  Fields,
  Objects,
});
const job = (Type: DiffType, rest: Partial<JobDiff>): JobDiff => ({
  ...{ Type, ID: 'svc', Fields: null, Objects: null, TaskGroups: null },
  ...rest,
});
const task = { Annotations: null, Fields: null, Objects: null };
const view = (diff: JobDiff, verbose = false): string => jobDiffView(page().terminal, diff, verbose);

it('a changed job: what changed with its marker, its surroundings without, names lined up', () => {
  const resources = object('Edited', 'Resources', [
    field('Edited', 'CPU', '50', '60'),
    field('None', 'MemoryMB', '32', '32'),
  ]);
  const diff = job('Edited', {
    Objects: [object('Edited', 'Meta', [field('Edited', 'team', 'red', 'blue')])],
    TaskGroups: [
      {
        Type: 'Edited',
        Name: 'g',
        Fields: [field('Edited', 'Count', '1', '2', ['forces create'])],
        Objects: null,
        Tasks: [
          { ...task, Type: 'Edited', Name: 't', Objects: [resources], Annotations: ['forces create/destroy update'] },
        ],
        Updates: { create: 1, 'create/destroy update': 1 },
      },
    ],
  });
  expect(view(diff)).toBe(`+/- Job: "svc"
+/- Meta {
  +/- team: "red" => "blue"
    }
+/- Task Group: "g" (1 create, 1 create/destroy update)
  +/- Count: "1" => "2" (forces create)
  +/- Task: "t" (forces create/destroy update)
    +/- Resources {
      +/- CPU:      "50" => "60"
          MemoryMB: "32"
        }`);
});

it('a new job is its groups and tasks; verbosely all of it', () => {
  const group = { Type: 'Added' as const, Name: 'g', Fields: [field('Added', 'Count', '', '1')], Objects: null };
  const diff = job('Added', {
    Fields: [field('Added', 'Priority', '', '50')],
    TaskGroups: [
      {
        ...group,
        Tasks: [{ ...task, Type: 'Added', Name: 't', Fields: [field('Added', 'Driver', '', 'exec')] }],
        Updates: { create: 1 },
      },
    ],
  });
  expect(view(diff)).toBe('+ Job: "svc"\n+ Task Group: "g" (1 create)\n  + Task: "t"');
  expect(view(diff, true)).toBe(`+ Job: "svc"
+ Priority: "50"
+ Task Group: "g" (1 create)
  + Count: "1"
  + Task: "t"
    + Driver: "exec"`);
});

it('what goes is marked so, what stays is only named', () => {
  const groups = (['Deleted', 'None'] as const).map((Type) => ({
    ...{ Type, Name: Type, Fields: null, Objects: null, Tasks: null, Updates: Type === 'None' ? { ignore: 2 } : null },
  }));
  expect(view(job('Edited', { TaskGroups: groups }))).toBe(
    '+/- Job: "svc"\n- Task Group: "Deleted"\nTask Group: "None" (2 ignore)',
  );
});
