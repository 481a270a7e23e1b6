import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { eventTypes, exit, TestNode, testAllocation, testJob, until } from './client-test-kit.ts';

let world: TestNode;

beforeEach(() => {
  world = new TestNode();
});
afterEach(() => world.end());

const noRestart = { RestartPolicy: { Attempts: 0, Mode: 'fail' } };
const fastRestart = { RestartPolicy: { Attempts: 2, Delay: 1e6, Interval: 300e9, Mode: 'fail' } };
const status = (id: string): string | undefined => world.server.last(id)?.ClientStatus;

describe('an allocation on a node', () => {
  it('runs its task and reports each state with the events clients know', async () => {
    await world.start();
    const alloc = testAllocation(testJob('one', [{ Name: 't' }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    expect(world.client.api.runningTasks()).toBe(1);
    const drivers = world.client.api.drivers.list().map(({ Driver, Tasks }) => [Driver, Tasks]);
    expect(drivers).toEqual([
      ['machine', 1],
      ['other', 0],
    ]);
    world.machine.find('t').end(exit(0));
    await until(() => status(alloc.ID) === 'complete');
    const last = world.server.last(alloc.ID)!;
    expect(last.ClientDescription).toBe('All tasks have completed');
    expect(eventTypes(last, 't')).toEqual(['Received', 'Task Setup', 'Started', 'Terminated']);
    expect(last.TaskStates['t']).toMatchObject({ State: 'dead', Failed: false, Restarts: 0 });
    expect(world.machine.tasks.size).toBe(0);
  });

  it('fails when its task does and no restart is allowed', async () => {
    await world.start();
    const alloc = testAllocation(testJob('fails', [{ Name: 't', ...noRestart }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    world.machine.find('t').end(exit(3));
    await until(() => status(alloc.ID) === 'failed');
    const events = world.server.last(alloc.ID)!.TaskStates['t']!.Events!;
    expect(events.at(-1)).toMatchObject({
      Type: 'Not Restarting',
      DisplayMessage: 'Policy allows no restarts',
      FailsTask: true,
    });
    expect(events.at(-2)).toMatchObject({ ExitCode: 3, Details: { exit_code: '3', signal: '0', oom_killed: 'false' } });
  });

  it('restarts within its policy and then gives up', async () => {
    await world.start();
    const alloc = testAllocation(testJob('again', [{ Name: 't', ...fastRestart }]));
    world.server.put(alloc);
    for (let start = 1; start <= 3; start++) {
      await until(() => world.machine.starts.length === start && world.machine.live().length === 1);
      world.machine.find('t').end(exit(1));
    }
    await until(() => status(alloc.ID) === 'failed');
    const state = world.server.last(alloc.ID)!.TaskStates['t']!;
    expect(state.Restarts).toBe(2);
    expect(state.Events!.at(-1)!.DisplayMessage).toBe(
      'Exceeded allowed attempts 2 in interval 5m0s and mode is "fail"',
    );
    expect(state.Events).toHaveLength(10);
  });

  it('stops when the servers say so: interrupt, exit, killed', async () => {
    await world.start();
    const alloc = testAllocation(testJob('stops', [{ Name: 't' }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    world.server.edit(alloc.ID, { DesiredStatus: 'stop' });
    await until(() => status(alloc.ID) === 'complete');
    expect(eventTypes(world.server.last(alloc.ID), 't').slice(-3)).toEqual(['Killing', 'Terminated', 'Killed']);
  });

  it('says its health anew when an update in place puts it into another deployment', async () => {
    await world.start();
    const update = { HealthCheck: 'task_states', MinHealthyTime: 1e6, HealthyDeadline: 60e9 };
    const job = testJob('healthy', [{ Name: 't' }], { type: 'service', group: { Update: update } });
    const alloc = testAllocation(job, { DeploymentID: 'first' });
    const healthy = (): boolean => world.server.last(alloc.ID)?.DeploymentStatus?.Healthy === true;
    world.server.put(alloc);
    await until(healthy);
    // in the same millisecond: the same words, and news all the same
    const then = Date.parse(world.server.last(alloc.ID)!.DeploymentStatus!.Timestamp!);
    world.now = () => then;
    world.server.history.length = 0;
    world.server.edit(alloc.ID, { DeploymentID: 'second', DeploymentStatus: null });
    await until(healthy);
  });

  it('is complete at once when it is stopped before anything ran', async () => {
    await world.start();
    const alloc = testAllocation(testJob('early', [{ Name: 't' }]), { DesiredStatus: 'stop' });
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'complete');
    expect(world.machine.starts).toEqual([]);
  });

  it('waits shutdown_delay before the kill', async () => {
    await world.start();
    const alloc = testAllocation(testJob('delay', [{ Name: 't', ShutdownDelay: 150e6 }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const since = Date.now();
    world.server.edit(alloc.ID, { DesiredStatus: 'stop' });
    await until(() => status(alloc.ID) === 'complete');
    expect(Date.now() - since).toBeGreaterThanOrEqual(145);
    expect(eventTypes(world.server.last(alloc.ID), 't').slice(-4)).toEqual([
      'Killing',
      'Waiting for shutdown delay',
      'Terminated',
      'Killed',
    ]);
  });

  it('says what the driver refused and retries only where that can help', async () => {
    await world.start();
    world.machine.refuseStart = new Fault('invalid', 'cannot start');
    const fatal = testAllocation(testJob('fatal', [{ Name: 't', ...fastRestart }]));
    world.server.put(fatal);
    await until(() => status(fatal.ID) === 'failed');
    expect(eventTypes(world.server.last(fatal.ID), 't').slice(-2)).toEqual(['Driver Failure', 'Not Restarting']);
    world.machine.refuseStart = new Fault('unavailable', 'not now', { recoverable: true });
    const patient = { RestartPolicy: { ...fastRestart.RestartPolicy, Attempts: 1000 } };
    const passing = testAllocation(testJob('passing', [{ Name: 't', ...patient }]));
    world.server.put(passing);
    await until(() => (world.server.last(passing.ID)?.TaskStates['t']?.Restarts ?? 0) >= 1);
    world.machine.refuseStart = null;
    await until(() => status(passing.ID) === 'running');
  });

  it('does not even start what must be isolated with a driver that cannot show it, and says so', async () => {
    await world.start();
    const job = testJob('strict', [{ Name: 't', ...fastRestart, Isolation: { Min: 'process' } }]);
    const alloc = testAllocation(job);
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'failed');
    expect(world.machine.starts).toEqual([]);
    expect(world.server.last(alloc.ID)?.TaskStates['t']?.Events?.at(-2)?.DisplayMessage).toMatch(
      /isolation floor "process" cannot be shown to be kept: driver "machine"/,
    );
  });

  it('runs prestart, main, poststart and poststop in their order and ends the sidecar', async () => {
    await world.start();
    const hook = (Hook: string, Sidecar = false) => ({ Lifecycle: { Hook, Sidecar }, ...noRestart });
    const alloc = testAllocation(
      testJob('life', [
        { Name: 'init', ...hook('prestart') },
        { Name: 'side', ...hook('prestart', true) },
        { Name: 'main', ...noRestart },
        { Name: 'after', ...hook('poststart') },
        { Name: 'bye', ...hook('poststop') },
      ]),
    );
    const started = (): string[] => world.machine.starts.map((start) => start.split('/')[1]!).sort();
    world.server.put(alloc);
    await until(() => started().length === 2);
    expect(started()).toEqual(['init', 'side']);
    world.machine.find('init').end(exit(0));
    await until(() => started().length === 4);
    expect(started()).toEqual(['after', 'init', 'main', 'side']);
    world.machine.find('after').end(exit(0));
    world.machine.find('main').end(exit(0));
    await until(() => started().length === 5);
    expect(world.machine.live().map((task) => task.config.name)).toEqual(['bye']);
    world.machine.find('bye').end(exit(0));
    await until(() => status(alloc.ID) === 'complete');
    expect(eventTypes(world.server.last(alloc.ID), 'side').slice(-4)).toEqual([
      'Main Tasks Dead',
      'Killing',
      'Terminated',
      'Killed',
    ]);
  });

  it('ends the others when one fails, and never reports a terminal state while one still runs', async () => {
    await world.start();
    const alloc = testAllocation(
      testJob('siblings', [
        { Name: 'bad', ...noRestart },
        { Name: 'good', ...noRestart },
      ]),
    );
    world.server.put(alloc);
    await until(() => world.client.api.runningTasks() === 2);
    world.machine.onStop = (task) => void setTimeout(() => task.end(exit(137, 9)), 60);
    world.machine.find('bad').end(exit(4));
    await until(() => status(alloc.ID) === 'failed');
    expect(eventTypes(world.server.last(alloc.ID), 'good').slice(-4)).toEqual([
      'Sibling Task Failed',
      'Killing',
      'Terminated',
      'Killed',
    ]);
    const early = world.server.history.filter(
      (update) => update.ClientStatus === 'failed' && update.TaskStates['good']!.State !== 'dead',
    );
    expect(early).toEqual([]);
  });

  it('restarts and signals on request', async () => {
    await world.start();
    const alloc = testAllocation(testJob('ops', [{ Name: 't', ...noRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const { api } = world.client;
    const { signal } = new AbortController();
    await api.signal(alloc.ID, { task: 't', signal: 'SIGUSR1' }, signal);
    expect(world.machine.find('t').signals).toEqual(['SIGUSR1']);
    await api.restart(alloc.ID, { task: 't', allTasks: false }, signal);
    await until(
      () => world.machine.starts.length === 2 && world.server.last(alloc.ID)?.TaskStates['t']?.Restarts === 1,
    );
    await until(() => status(alloc.ID) === 'running');
    await api.restart(alloc.ID, { task: '', allTasks: true }, signal);
    await until(() => world.machine.starts.length === 3 && world.machine.live().length === 1);
    await until(() => eventTypes(world.server.last(alloc.ID), 't').at(-1) === 'Started');
    expect(eventTypes(world.server.last(alloc.ID), 't').slice(-4)).toEqual([
      'Restart Signaled',
      'Terminated',
      'Restarting',
      'Started',
    ]);
    await expect(api.restart(alloc.ID, { task: 'zz', allTasks: false }, signal)).rejects.toThrow(
      'Could not find task runner for task: zz',
    );
    await expect(api.signal(alloc.ID, { task: 'zz', signal: 'SIGHUP' }, signal)).rejects.toThrow('Task not found');
    await expect(api.signal('nope', { task: 't', signal: 'SIGHUP' }, signal)).rejects.toThrow(
      'Unknown allocation "nope"',
    );
  });

  it('is forgotten with its directory once the servers do not know it any more', async () => {
    await world.start();
    const alloc = testAllocation(testJob('purged', [{ Name: 't' }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    expect(existsSync(join(world.allocDir, alloc.ID, 't', 'local'))).toBe(true);
    world.server.change(() => world.server.allocations.delete(alloc.ID));
    await until(() => !world.client.api.hasAllocation(alloc.ID));
    expect(existsSync(join(world.allocDir, alloc.ID))).toBe(false);
    expect(world.machine.live()).toEqual([]);
    expect(world.disk.rows.size).toBe(1);
  });
});
