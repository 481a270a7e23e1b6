import { describe, expect, it } from 'vitest';
import { canonicalJob } from './canonical.ts';
import {
  enforcedFloor,
  floorAttributes,
  floorOf,
  floorOfNode,
  floorOfTask,
  linesWanted,
  noFloor,
  onLoss,
  validateIsolation,
} from './isolation-floor.ts';
import type { Job } from './job.ts';
import { tasksUpdated } from './job-changes.ts';
import { diffJobs } from './job-diff-make.ts';
import { validateJob } from './job-validate.ts';
import type { Input } from './schema.ts';

function jobWith(job: Input<Job>, group: object = {}, task: object = {}): Job {
  const one = { Name: 't', Driver: 'exec', Config: { command: 'true' }, ...task };
  return canonicalJob(
    { ID: 'j', ...job, TaskGroups: [{ Name: 'g', Tasks: [one], ...group }] },
    { namespace: 'default', region: 'global', nodePool: 'default' },
  );
}

function floor(job: Job) {
  return floorOfTask(job, job.TaskGroups[0]!, job.TaskGroups[0]!.Tasks[0]!);
}

describe('the isolation floor of a task', () => {
  it('is none where nobody demands anything, and its job is plain Nomad then', () => {
    const job = jobWith({});
    expect(floor(job)).toEqual(noFloor);
    expect('Isolation' in job || 'Isolation' in job.TaskGroups[0]!).toBe(false);
  });

  it('of a node goes through its attributes and back', () => {
    const none = { ...noFloor };
    for (const each of [none, { ...none, min: 'sandbox' }, { ...none, require: ['pids_limit', 'seccomp'] }] as const)
      expect(floorOfNode({ Attributes: floorAttributes(each) })).toEqual(each);
    expect(floorAttributes(none)).toEqual({});
    expect(floorOfNode({ Attributes: null })).toEqual(noFloor);
  });

  it('is the highest of job, group and task, with every required line', () => {
    const job = jobWith(
      { Isolation: { Min: 'process', Require: ['pids'], OnDegrade: 'restart' } },
      { Isolation: { Min: 'container' } },
      { Isolation: { Min: 'sandbox', Require: ['seccomp', 'pids_limit'] } },
    );
    expect(floor(job)).toEqual({ min: 'container', require: ['pids_limit', 'seccomp'], onDegrade: 'restart' });
  });

  it('can be said in meta, at any level', () => {
    const job = jobWith(
      { Meta: { drover_isolation_min: 'sandbox' } },
      {},
      { Meta: { drover_isolation_require: 'devices, network' } },
    );
    expect(floor(job)).toEqual({ min: 'sandbox', require: ['devices', 'network_namespace'], onDegrade: '' });
  });

  it('is kept by nothing where it is of a newer server and not known here', () => {
    const unknown = { Min: 'bunker', Require: ['seccomp', 'moat'], OnDegrade: 'flood' };
    expect(floorOf(unknown)).toEqual({ min: 'vm', require: ['seccomp', 'moat'], onDegrade: '' });
  });

  it('takes from a namespace only what is enforced', () => {
    const demand = { Mode: 'enforce', Min: 'sandbox', Require: null, OnDegrade: '' };
    expect(enforcedFloor(demand).min).toBe('sandbox');
    expect(enforcedFloor({ ...demand, Mode: 'warn' })).toEqual(noFloor);
  });

  it('wants every line of its rung and of those below', () => {
    const wanted = linesWanted({ min: 'sandbox', require: ['devices'], onDegrade: 'warn' });
    expect(wanted).toEqual(expect.arrayContaining(['session', 'seccomp', 'devices']));
    expect(wanted).not.toContain('network_namespace');
  });
});

describe('a running task that loses a line', () => {
  const of = (min: 'none' | 'process' | 'sandbox', onDegrade: '' | 'warn' | 'restart' | 'stop') => ({
    ...noFloor,
    min,
    onDegrade,
  });

  it('is left alone where nobody demands the line, and started anew where somebody does', () => {
    expect(onLoss([noFloor], ['seccomp'])).toBe('warn');
    expect(onLoss([of('process', '')], ['seccomp'])).toBe('warn');
    expect(onLoss([of('sandbox', '')], ['seccomp'])).toBe('restart');
    expect(onLoss([{ ...noFloor, require: ['devices'] }], ['devices'])).toBe('restart');
  });

  it('is treated as its demand says, whatever the line', () => {
    expect(onLoss([of('sandbox', 'warn')], ['seccomp'])).toBe('warn');
    expect(onLoss([of('none', 'stop')], ['seccomp'])).toBe('stop');
  });

  it('is treated as the strictest of several demands says: none speaks for another', () => {
    expect(onLoss([of('sandbox', ''), of('process', 'warn')], ['seccomp'])).toBe('restart');
    expect(onLoss([of('none', 'warn'), of('process', 'stop')], ['pids_limit'])).toBe('stop');
  });
});

describe('a demand that means nothing', () => {
  it('is refused at submit, each word by name', () => {
    const { errors } = validateJob(
      jobWith({ Isolation: { Min: 'fortress' } }, {}, { Isolation: { Require: ['seccmop'], OnDegrade: 'panic' } }),
    );
    expect(errors.join('\n')).toMatch(/"fortress"[\s\S]*"panic"[\s\S]*"seccmop"/);
  });

  it('is refused in meta too', () => {
    expect(validateIsolation({ Meta: { drover_isolation_min: 'sandbx' } })).toEqual([
      expect.stringContaining('"sandbx"'),
    ]);
    expect(validateIsolation({ Meta: { isolation_min: 'anything' } })).toEqual([]);
  });
});

describe('a change of the floor', () => {
  it('is a difference of the job, and its tasks are started anew under it', () => {
    const [before, after] = [jobWith({}), jobWith({ Isolation: { Min: 'sandbox' } })];
    expect(tasksUpdated(before, after, 'g')).toBe(true);
    const diff = diffJobs(before, after, false);
    expect(diff.Objects).toMatchObject([{ Name: 'Isolation', Type: 'Added' }]);
  });
});
