import { describe, expect, it } from 'vitest';
import { moreProcesses, type ProcessRoom, processAdvice, processRoom, starvedProbe } from './process-room.ts';

const room = (more: Partial<ProcessRoom>): (() => ProcessRoom) => {
  return () => ({ groups: [], uid: 0, rlimit: null, ...more });
};
const full = { path: '/sys/fs/cgroup/pids/agent', max: 40, current: 40 };

describe('where no process can be started', () => {
  it('the group that is full is named, and its limit', () => {
    const wide = { path: '/sys/fs/cgroup/pids', max: 4000, current: 90 };
    expect(processAdvice('fork: Resource temporarily unavailable', room({ groups: [wide, full] }))).toBe(
      'no more processes can be started: /sys/fs/cgroup/pids/agent has 40 of 40; raise its pids.max (of a unit: TasksMax=)',
    );
  });

  it('a limit of the user counts for all but root', () => {
    const user = { uid: 1000, rlimit: 50 };
    expect(processAdvice('spawn EAGAIN', room(user))).toMatch(/uid 1000 may have 50; raise its limit \(ulimit -u/);
    expect(processAdvice('spawn EAGAIN', room({ ...user, groups: [{ ...full, current: 3 }] }))).toMatch(/ulimit -u/);
    expect(processAdvice('spawn EAGAIN', room({ ...user, groups: [full] }))).toMatch(/pids\.max/);
    expect(processAdvice('spawn EAGAIN', room({ rlimit: 50 }))).toMatch(/kernel\.pid_max/);
  });

  it("one of root's counts for each user of its tasks, where it is too tight for any", () => {
    expect(processAdvice('spawn EAGAIN', room({ rlimit: 10 }))).toMatch(/a user of tasks may have 10; raise its limit/);
    expect(moreProcesses(room({ rlimit: 10 })()).command).toMatch(/^let users of tasks have more than 10 processes/);
    expect(moreProcesses(room({ rlimit: 10, groups: [full] })()).kind).toBe('more_processes_of_group');
  });

  it('nothing is said of other errors', () => {
    expect(processAdvice('fork/exec /bin/x: no such file or directory', room({}))).toBeNull();
  });

  it('a probe that found nothing out for that is named, and none that saw its own bound hold', () => {
    const refused = { ok: true, evidence: 'sh: 0: Cannot fork: Resource temporarily unavailable' };
    const starved = { ok: false, evidence: 'spawn /usr/bin/bwrap EAGAIN' };
    expect(starvedProbe(new Map([['cgroup.pids', refused]]))).toBeNull();
    expect(starvedProbe(new Map(Object.entries({ 'cgroup.pids': refused, 'runtime.bwrap': starved })))).toBe(starved);
  });

  it.skipIf(process.platform !== 'linux')('this process is in groups whose counts are numbers', () => {
    for (const { max, current } of processRoom().groups) expect(max).toBeGreaterThanOrEqual(current);
  });
});
