import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { eventTypes, exit, TestNode, testAllocation, testJob, until } from './client-test-kit.ts';

let world: TestNode;

beforeEach(() => {
  world = new TestNode();
});
afterEach(() => world.end());

const noRestart = { RestartPolicy: { Attempts: 0, Mode: 'fail' } };
const fastRestart = { RestartPolicy: { Attempts: 100, Delay: 1e6, Interval: 300e9, Mode: 'fail' } };
const status = (id: string): string | undefined => world.server.last(id)?.ClientStatus;

describe('after a restart of the agent', () => {
  it('is the same node and finds its tasks still running, with their events', async () => {
    await world.start();
    const alloc = testAllocation(testJob('stays', [{ Name: 't', ...noRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const nodeId = world.client.api.node().ID;
    const before = world.server.last(alloc.ID)!.TaskStates;
    await world.crash();
    await world.start();
    expect(world.client.api.node().ID).toBe(nodeId);
    await until(() => world.client.api.runningTasks() === 1);
    expect(world.machine.starts).toHaveLength(1);
    await until(() => world.server.last(alloc.ID)!.TaskStates['t']!.State === 'running');
    expect(world.server.last(alloc.ID)!.TaskStates).toEqual(before);
    world.machine.find('t').end(exit(7));
    await until(() => status(alloc.ID) === 'failed');
    expect(eventTypes(world.server.last(alloc.ID), 't').at(-2)).toBe('Terminated');
  });

  it('has everything as it was, read back from a real file', async () => {
    world.lmdbDirectory = mkdtempSync(join(tmpdir(), 'drover-client-state-'));
    await world.start();
    const alloc = testAllocation(
      testJob('file', [{ Name: 't', ...noRestart, Config: { id: 9007199254740993n } }], { type: 'service' }),
    );
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const before = world.server.last(alloc.ID)!;
    await world.crash();
    await world.start();
    await until(() => world.client.api.runningTasks() === 1);
    await until(() => world.server.history.length > 1 && world.server.history.at(-1) !== before);
    expect(world.server.last(alloc.ID)).toEqual(before);
    world.machine.find('t').end(exit(1));
    await until(() => status(alloc.ID) === 'failed');
    expect(typeof world.server.last(alloc.ID)!.TaskStates['t']!.Events![0]!.Time).toBe('number');
    rmSync(world.lmdbDirectory, { recursive: true, force: true });
  });

  it('takes away the network of a driver whose removal it began', async () => {
    const networks = new Set<string>();
    world.machine.networks = networks;
    world.machine.holdNetwork = new Promise(() => {});
    await world.start();
    const group = { Networks: [{ Mode: 'none' }] };
    const alloc = testAllocation(testJob('networked', [{ Name: 't', ...noRestart }], { group }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    expect([...networks]).toEqual([alloc.ID]);
    world.machine.find('t').end(exit(0));
    await until(() => status(alloc.ID) === 'complete');
    await world.crash();
    world.machine.holdNetwork = Promise.resolve();
    await world.start();
    await until(() => networks.size === 0);
    expect(world.machine.starts).toHaveLength(1);
  });

  it('reports an end that came while the agent was away, with its true code', async () => {
    await world.start();
    const alloc = testAllocation(testJob('ended', [{ Name: 't', ...noRestart }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const task = world.machine.find('t');
    await world.crash();
    task.end(exit(9));
    await world.start();
    await until(() => status(alloc.ID) === 'failed');
    expect(world.server.last(alloc.ID)!.TaskStates['t']!.Events!.at(-2)).toMatchObject({ ExitCode: 9 });
    expect(world.machine.starts).toHaveLength(1);
  });

  it('reports an end again that the servers had not taken', async () => {
    await world.start();
    const alloc = testAllocation(testJob('unheard', [{ Name: 't', ...noRestart }]));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    world.server.down = true;
    world.machine.find('t').end(exit(0));
    await until(() => world.client.api.runningTasks() === 0);
    await world.crash();
    world.server.down = false;
    await world.start();
    await until(() => status(alloc.ID) === 'complete');
  });

  it('says that the end of a vanished task is unknown, asks the servers first, then follows the restart policy', async () => {
    await world.start();
    const alloc = testAllocation(testJob('gone', [{ Name: 't', ...fastRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    await world.crash();
    world.machine.tasks.clear();
    world.server.down = true;
    await world.start();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(world.machine.starts).toHaveLength(1);
    world.server.down = false;
    await until(() => world.machine.starts.length === 2);
    // "running" is also what it was before
    await until(() => eventTypes(world.server.last(alloc.ID), 't').includes('Terminated'));
    await until(() => status(alloc.ID) === 'running');
    const events = world.server.last(alloc.ID)!.TaskStates['t']!.Events!;
    expect(events.find((event) => event.Type === 'Terminated')).toMatchObject({ DisplayMessage: 'Exit unknown: lost' });
    expect(events.find((event) => event.Type === 'Terminated')!.Details).not.toHaveProperty('exit_code');
  });

  it('does not run a vanished task again that the servers stopped meanwhile', async () => {
    await world.start();
    const alloc = testAllocation(testJob('replaced', [{ Name: 't', ...fastRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    await world.crash();
    world.machine.tasks.clear();
    world.server.edit(alloc.ID, { DesiredStatus: 'stop' });
    await world.start();
    await until(() => status(alloc.ID) === 'complete');
    expect(world.machine.starts).toHaveLength(1);
  });

  it('leaves a running task alone while its driver is missing', async () => {
    await world.start();
    const alloc = testAllocation(testJob('driverless', [{ Name: 't', ...noRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    await world.crash();
    await world.start({ options: { 'driver.denylist': 'machine' } });
    await until(() => world.logged.some((line) => line.includes('left alone until its driver is back')));
    expect(world.machine.live()).toHaveLength(1);
    await world.crash();
    await world.start();
    await until(() => world.client.api.runningTasks() === 1);
    expect(world.machine.starts).toHaveLength(1);
  });

  it('asks the servers before it restarts a task whose end nobody saw', async () => {
    await world.start();
    const alloc = testAllocation(testJob('reboot', [{ Name: 't', ...fastRestart }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    const task = world.machine.find('t');
    await world.crash();
    task.end({ exitCode: 0, signal: 0, oomKilled: false, unknown: 'reboot' });
    world.server.down = true;
    await world.start();
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(world.machine.starts).toHaveLength(1);
    world.server.down = false;
    await until(() => world.machine.starts.length === 2);
  });

  it('does not run a task twice whose start it did not hear the end of', async () => {
    world.machine.recalls = true;
    world.machine.answer = new Promise(() => undefined);
    await world.start();
    const alloc = testAllocation(testJob('unheard', [{ Name: 't', ...noRestart }]));
    world.server.put(alloc);
    await until(() => world.machine.starts.length === 1);
    await world.crash();
    world.machine.answer = Promise.resolve();
    world.machine.find('t').end(exit(0));
    await world.start();
    await until(() => status(alloc.ID) === 'complete');
    expect(world.machine.starts).toHaveLength(1);
    expect(eventTypes(world.server.last(alloc.ID), 't').slice(-2)).toEqual(['Started', 'Terminated']);
  });

  it('ends what the servers forgot meanwhile', async () => {
    await world.start();
    const alloc = testAllocation(testJob('forgotten', [{ Name: 't' }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    await world.crash();
    world.server.change(() => world.server.allocations.delete(alloc.ID));
    await world.start();
    await until(() => world.machine.live().length === 0 && !world.client.api.hasAllocation(alloc.ID));
  });

  it('goes on with a kill that had begun', async () => {
    await world.start();
    world.machine.onStop = () => undefined;
    const alloc = testAllocation(testJob('dying', [{ Name: 't' }], { type: 'service' }));
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'running');
    world.server.edit(alloc.ID, { DesiredStatus: 'stop' });
    await until(() => eventTypes(world.server.last(alloc.ID), 't').includes('Killing'));
    await world.crash();
    world.machine.onStop = (task) => task.end(exit(0));
    await world.start();
    await until(() => status(alloc.ID) === 'complete');
    expect(eventTypes(world.server.last(alloc.ID), 't').slice(-3)).toEqual(['Killing', 'Terminated', 'Killed']);
  });

  it('never runs two instances of a task, and ends in one of the allowed states, wherever the agent is cut off', {
    timeout: 60_000,
  }, async () => {
    // a crash between any two steps: the store simply stops taking what comes after a random commit
    for (let seed = 0; seed < 40; seed++) {
      const round = new TestNode();
      try {
        const alloc = testAllocation(testJob(`cut-${seed}`, [{ Name: 't', ...fastRestart }], { type: 'service' }));
        round.server.put(alloc);
        for (let life = 0; life < 3; life++) {
          let commits = 0;
          const last = (seed * 7 + life * 3) % 9;
          round.failDisk = () => (++commits > last ? 'lost' : 'no');
          const begun = await round.start().then(
            () => true,
            () => false,
          );
          if (!begun) continue;
          await new Promise((resolve) => setTimeout(resolve, (seed % 5) * 4));
          if (round.machine.live().length > 0 && seed % 2 === 0) round.machine.live()[0]!.end(exit(1));
          await new Promise((resolve) => setTimeout(resolve, seed % 7));
          await round.crash();
          expect(round.machine.live().length).toBeLessThanOrEqual(1);
        }
        round.failDisk = () => 'no';
        await round.start();
        await until(() => round.server.last(alloc.ID)?.ClientStatus === 'running' && round.machine.live().length === 1);
      } finally {
        await round.end();
      }
    }
  });
});

describe('a task whose directories cannot be made', () => {
  it('leaves nothing of what its driver made ready for it', async () => {
    await world.start();
    const alloc = testAllocation(testJob('blocked', [{ Name: 't', ...noRestart }]));
    const directory = join(world.allocDir, alloc.ID, 't');
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'private'), 'a file');
    world.server.put(alloc);
    await until(() => status(alloc.ID) === 'failed');
    await until(() => world.machine.told.at(-1) !== 'expect t');
    expect(world.machine.told.filter((each) => each !== 'expect t' && each !== 'destroy t')).toEqual([]);
  });
});

describe('an allocation that replaces another of this node, after a restart of the agent', () => {
  it('begins, and its task restarts, though the other had ended before', async () => {
    await world.start();
    const job = testJob('after', [{ Name: 't', ...fastRestart }], { type: 'service' });
    const old = testAllocation(job);
    world.server.put(old);
    await until(() => status(old.ID) === 'running');
    world.server.edit(old.ID, { DesiredStatus: 'stop' });
    await until(() => status(old.ID) === 'complete');
    const second = testAllocation(job, { PreviousAllocation: old.ID });
    world.server.put(second);
    await until(() => status(second.ID) === 'running');
    await world.crash();
    await world.start();
    await until(() => world.client.api.runningTasks() === 1);
    world.machine.find('t').end(exit(1));
    await until(() => world.machine.starts.length === 3);
    world.server.edit(second.ID, { DesiredStatus: 'stop' });
    await until(() => world.machine.live().length === 0);
    const third = testAllocation(job, { PreviousAllocation: old.ID });
    world.server.put(third);
    await until(() => status(third.ID) === 'running');
  });

  it('waits for the end of the other, whichever of the two is stored first', async () => {
    const { onStop } = world.machine;
    world.machine.onStop = () => undefined;
    await world.start();
    const job = testJob('order', [{ Name: 't' }], { type: 'service' });
    const old = testAllocation(job, { ID: 'ffffffff-0000-4000-8000-000000000000' });
    world.server.put(old);
    await until(() => status(old.ID) === 'running');
    const next = testAllocation(job, { PreviousAllocation: old.ID });
    world.server.put(next);
    world.server.edit(old.ID, { DesiredStatus: 'stop' });
    await until(() => world.client.api.hasAllocation(next.ID));
    await world.crash();
    await world.start();
    await until(() => world.client.api.runningTasks() === 1);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(world.machine.starts).toHaveLength(1);
    world.machine.find('t').end(exit(0));
    await until(() => status(next.ID) === 'running');
    world.machine.onStop = onStop;
  });
});

describe('a full disk', () => {
  it('keeps tasks running and refuses new ones with the reason', async () => {
    await world.start();
    const first = testAllocation(testJob('first', [{ Name: 't' }], { type: 'service' }));
    world.server.put(first);
    await until(() => status(first.ID) === 'running');
    world.failDisk = () => 'lost';
    const second = testAllocation(testJob('second', [{ Name: 'u', ...noRestart }], { type: 'service' }));
    world.server.put(second);
    await until(() => status(second.ID) === 'failed');
    const events = world.server.last(second.ID)!.TaskStates['u']!.Events!;
    expect(events.map((event) => event.DisplayMessage)).toContain(
      "the client's state cannot be written: the disk may be full",
    );
    expect(world.machine.live().map((task) => task.config.name)).toEqual(['t']);
    // what was made ready for a start that may not come is freed
    expect(world.machine.told).toEqual(['expect t', 'start t', 'expect u', 'destroy u']);
    world.failDisk = () => 'no';
    const third = testAllocation(testJob('third', [{ Name: 'v' }], { type: 'service' }));
    world.server.put(third);
    await until(() => status(third.ID) === 'running');
  });

  it('has a driver keep an end until that is stored, and the allocation collected once it could be', async () => {
    await world.start();
    const [first, second] = ['first', 'second'].map((name) => testAllocation(testJob(name, [{ Name: name }])));
    for (const alloc of [first!, second!]) {
      world.server.put(alloc);
      await until(() => status(alloc.ID) === 'running');
    }
    world.failDisk = () => 'lost';
    world.machine.find('first').end(exit(0));
    await until(() => status(first!.ID) === 'complete');
    expect(world.machine.told).not.toContain('destroy first');
    await world.crash();
    world.failDisk = () => 'no';
    await world.start({ gcIntervalMs: 20, gcMaxAllocs: 0 });
    await until(() => world.machine.told.includes('destroy first'));
    world.failDisk = () => 'lost';
    world.machine.find('second').end(exit(0));
    await until(() => status(second!.ID) === 'complete');
    expect(world.machine.told).not.toContain('destroy second');
    world.failDisk = () => 'no';
    await until(() => world.machine.told.includes('destroy second'));
    await until(() => !existsSync(join(world.allocDir, second!.ID)));
    // neither ran a second time
    expect(world.machine.starts).toHaveLength(2);
  });

  it('takes no wait for room as a leak, however many ends are to be stored', async () => {
    await world.start();
    const names = Array.from({ length: 12 }, (_, at) => `t${at}`);
    const allocs = names.map((name) => testAllocation(testJob(name, [{ Name: name }])));
    for (const alloc of allocs) world.server.put(alloc);
    await until(() => allocs.every(({ ID }) => status(ID) === 'running'));
    const warned: string[] = [];
    const listen = ({ name }: Error): void => void warned.push(name);
    process.on('warning', listen);
    world.failDisk = () => 'lost';
    for (const name of names) world.machine.find(name).end(exit(0));
    const unstored = () => world.logged.filter((line) => line.includes('the end of an allocation could not be stored'));
    await until(() => unstored().length >= names.length);
    world.failDisk = () => 'no';
    await until(() => names.every((name) => world.machine.told.includes(`destroy ${name}`)));
    process.off('warning', listen);
    expect(warned).toEqual([]);
  });

  it('does not keep what the servers forgot', async () => {
    await world.start();
    const old = testAllocation(testJob('old', [{ Name: 't' }]));
    world.server.put(old);
    await until(() => status(old.ID) === 'running');
    world.machine.find('t').end(exit(0));
    await until(() => status(old.ID) === 'complete');
    world.failDisk = () => 'lost';
    world.server.change(() => {
      world.server.allocations.delete(old.ID);
      const next = testAllocation(testJob('next', [{ Name: 'u', ...noRestart }]));
      world.server.allocations.set(next.ID, { ...next, AllocModifyIndex: world.server.index });
    });
    await until(() => !existsSync(join(world.allocDir, old.ID)));
    world.failDisk = () => 'no';
  });
});
