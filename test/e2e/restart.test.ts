/** What an agent finds again after it was stopped, and what it says when it cannot start as it should. */
import {
  closeSync,
  existsSync,
  ftruncateSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type AgentOptions, type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { instances } from '../processes.ts';
import { runCli } from './cli.ts';
import { allocationsOf, nodeReady, output, shellJob } from './jobs.ts';
import { users } from './users.ts';

const isRoot = process.getuid?.() === 0;
const counting = 'i=0; while :; do i=$((i+1)); echo line $i; sleep 0.05; done';

let agents: AgentProcess[] = [];
/** Of the agents of the tests that run now. */
let uid: number | undefined;
afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.dispose();
});

async function start(options: AgentOptions = {}): Promise<AgentProcess> {
  const agent = await startAgent({ ...(uid === undefined ? {} : { user: uid }), ...options });
  agents.push(agent);
  await nodeReady(agent);
  return agent;
}

async function again(agent: AgentProcess): Promise<AgentProcess> {
  const next = await agent.restart();
  agents = [...agents.filter((other) => other !== agent), next];
  await nodeReady(next);
  return next;
}

/** Not by what the task takes for its pid: it may be one of a namespace. */
const runs = (allocId: string): boolean => instances().some((one) => one.allocId === allocId);

const pidOf = async (agent: AgentProcess, allocId: string): Promise<string> =>
  eventually(
    async () => /^pid (\d+)$/m.exec(await output(agent, allocId))?.[1] ?? Promise.reject(new Error('no pid yet')),
  );

/** However long the test takes, there is no second allocation. */
const once = { ReschedulePolicy: { Attempts: 0, Unlimited: false } };

describe.each(users.filter(({ skip }) => !skip))('an agent of $who that is started again', (user) => {
  beforeAll(() => {
    uid = user.uid;
  });
  afterAll(() => {
    uid = undefined;
  });

  it('after Ctrl-C says how many tasks run on and how to stop them, and finds everything again', async () => {
    const first = await start();
    await first.client.jobs.register(shellJob('steady', `echo pid $$; ${counting}`, { count: 2 }));
    await first.client.jobs.register(shellJob('over', 'exit 3', { type: 'batch', group: once }));
    const [before] = await allocationsOf(first, 'steady', 'running', 2);
    await allocationsOf(first, 'over', 'failed');
    const pid = await pidOf(first, before!.ID);
    const follower = first.client.jobs.list();
    const index = (await follower).index;

    expect(await first.interrupt()).toBe(0);
    expect(first.log()).toContain('2 tasks keep running without the agent');
    expect(first.log()).toContain('drover job stop');
    expect(runs(before!.ID)).toBe(true);

    const second = await again(first);
    const jobs = await second.client.jobs.list();
    expect(jobs.value.map((job) => job.ID)).toEqual(['over', 'steady']);
    expect(jobs.index).toBeGreaterThanOrEqual(index);
    const { value: after } = await second.client.allocations.read(before!.ID);
    expect(after.ClientStatus).toBe('running');
    expect(after.TaskStates?.['t']?.Restarts).toBe(0);
    const events = (row: typeof after) => row.TaskStates?.['t']?.Events?.map((event) => [event.Type, event.Time]);
    expect(events(after)).toEqual(events(before as unknown as typeof after));
    const [over] = await allocationsOf(second, 'over', 'failed');
    expect(over!.TaskStates?.['t']?.Events?.map((event) => event.Type)).toContain('Terminated');
    expect(await pidOf(second, before!.ID)).toBe(pid);
    expect((await second.client.evaluations.list()).value.length).toBeGreaterThanOrEqual(2);
  });

  it('follows a log on where it stood: nothing missing, nothing twice', async () => {
    const first = await start();
    await first.client.jobs.register(shellJob('counts', counting));
    const [{ ID: id } = { ID: '' }] = await allocationsOf(first, 'counts', 'running');
    await first.crash();
    const second = await again(first);
    const enough = new AbortController();
    let text = '';
    const following = (async () => {
      for await (const frame of second.client.files.logs(
        id,
        { task: 't', type: 'stdout', follow: true },
        { signal: enough.signal },
      )) {
        text += Buffer.from(frame.data).toString('utf8');
        if (text.split('\n').length > 80) return;
      }
    })();
    await following;
    enough.abort();
    const lines = text.split('\n').slice(0, 80);
    expect(lines).toEqual(Array.from({ length: 80 }, (_, at) => `line ${at + 1}`));
  });

  it('in dev mode ends its tasks when it is interrupted', async () => {
    const agent = await start({ args: ['-dev'] });
    await agent.client.jobs.register(shellJob('short-lived', `echo pid $$; ${counting}`));
    const [row] = await allocationsOf(agent, 'short-lived', 'running');
    expect(runs(row!.ID)).toBe(true);
    expect(await agent.interrupt()).toBe(0);
    expect(runs(row!.ID)).toBe(false);
    expect(agent.log()).not.toContain('running without the agent');
  });
});

describe('an agent that cannot start', () => {
  it('names who holds the data directory', async () => {
    const agent = await start();
    await expect(startAgent({ directory: agent.directory })).rejects.toThrow(
      new RegExp(`data is in use by drover agent \\(node1\\) \\(pid ${agent.pid}\\)`),
    );
    expect((await agent.client.agent.health()).value).toBeDefined();
  });

  it('names who has its port', async () => {
    const agent = await start();
    const args = [
      'agent',
      '-server',
      '-client',
      `-data-dir=${join(agent.directory, 'other')}`,
      `-http-port=${agent.port}`,
    ];
    const other = await runCli(null, args);
    expect(other.code).toBe(1);
    expect(other.stderr).toMatch(
      new RegExp(`cannot listen on 127.0.0.1:${agent.port}: .*EADDRINUSE.* \\(by \\S+, pid ${agent.pid}\\)`),
    );
  });
});

describe.each(users.filter(({ skip }) => !skip))('an agent of $who whose state was damaged', (user) => {
  beforeAll(() => {
    uid = user.uid;
  });
  afterAll(() => {
    uid = undefined;
  });

  const damages: readonly {
    readonly what: string;
    readonly half: 'server' | 'client';
    readonly loses: boolean;
    damage(folder: string): void;
  }[] = [
    {
      what: 'the server state is cut in half',
      half: 'server',
      loses: true,
      damage: (folder) => truncate(join(folder, 'data.mdb'), 0.5),
    },
    {
      what: 'the server state is overwritten in the middle',
      half: 'server',
      loses: true,
      damage: (folder) => scribble(join(folder, 'data.mdb')),
    },
    {
      what: 'the client state is cut in half',
      half: 'client',
      loses: true,
      damage: (folder) => truncate(join(folder, 'data.mdb'), 0.5),
    },
    {
      what: 'the client state is noise',
      half: 'client',
      loses: true,
      damage: (folder) => writeFileSync(join(folder, 'data.mdb'), Buffer.alloc(65_536, 0xa5)),
    },
    {
      what: 'the second copy is cut in half',
      half: 'server',
      loses: false,
      damage: (folder) => truncate(join(folder, 'commits.log'), 0.5),
    },
  ];

  it.each(damages)(
    'starts where $what: says so, keeps the original, and runs nothing twice',
    async ({ half, damage, loses }) => {
      const first = await start();
      for (const id of ['one', 'two', 'three'])
        await first.client.jobs.register(shellJob(id, `echo pid $$; ${counting}`));
      const [row] = await allocationsOf(first, 'one', 'running');
      await allocationsOf(first, 'two', 'running');
      await pidOf(first, row!.ID);
      await first.crash();
      const folder = join(first.directory, 'data', half);
      damage(folder);
      const logLength = first.log().length;

      const second = await again(first);
      const jobs = (await second.client.jobs.list()).value.map((job) => job.ID);
      expect(jobs).toEqual(['one', 'three', 'two']);
      await allocationsOf(second, 'one', 'running');
      const said = second.log().slice(logLength);
      const kept = [...said.matchAll(/state was damaged.*kept_at=(\S+)/g)].map((match) => match[1]!);
      if (loses) expect(kept.length).toBeGreaterThan(0);
      for (const file of kept) expect(existsSync(file), file).toBe(true);
      // at most one instance, and it is the one from before if the allocation is
      const { value } = await second.client.allocations.read(row!.ID);
      if (value.ClientStatus === 'running') expect((await output(second, row!.ID)).match(/^pid /gm)).toHaveLength(1);
      await second.client.jobs.register(shellJob('new', 'exit 0', { type: 'batch' }));
      await allocationsOf(second, 'new', 'complete');
    },
  );
});

describe.skipIf(!isRoot)('an agent whose disk is full', () => {
  it('keeps its tasks running, refuses new work with the reason, and goes on when there is room', async () => {
    const agent = await start({
      wrap: (command, directory) => {
        const script = `mount -t tmpfs -o size=24m,mode=755 tmpfs '${directory}/data' && exec "$@"`;
        return ['unshare', '-m', '--propagation', 'private', '/bin/sh', '-c', script, 'sh', ...command];
      },
    });
    await agent.client.jobs.register(shellJob('before', `echo pid $$; ${counting}`));
    const [row] = await allocationsOf(agent, 'before', 'running');
    const pid = await pidOf(agent, row!.ID);
    const inside = `/proc/${agent.pid}/root${agent.directory}/data`;
    const filler = fill(join(inside, 'filler'));

    const refusal = await refused(agent);
    expect(refusal).toMatch(/disk|space|ENOSPC/i);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    expect((await agent.client.allocations.read(row!.ID)).value.ClientStatus).toBe('running');

    rmSync(filler);
    await eventually(() => agent.client.jobs.register(shellJob('after', 'exit 0', { type: 'batch' })), 10_000);
    await allocationsOf(agent, 'after', 'complete');
    expect(existsSync(`/proc/${pid}`)).toBe(true);
  });
});

/** Registers jobs until one is not taken; small leftovers of room may let the first through. */
async function refused(agent: AgentProcess): Promise<string> {
  for (let at = 0; at < 200; at++) {
    try {
      await agent.client.jobs.register(shellJob(`no-room-${at}`, `exit 0 # ${'x'.repeat(20_000)}`, { type: 'batch' }));
    } catch (error) {
      return String(error);
    }
  }
  return 'every job was taken';
}

function fill(file: string): string {
  const descriptor = openSync(file, 'w');
  for (const size of [1 << 20, 4096, 1]) {
    try {
      for (;;) writeSync(descriptor, Buffer.alloc(size));
    } catch {
      // no room for a piece of this size any more
    }
  }
  closeSync(descriptor);
  return file;
}

/** Of what is in it: the room that a state has taken ahead is zeros. */
function truncate(file: string, share: number): void {
  const descriptor = openSync(file, 'r+');
  const length = readFileSync(file).findLastIndex((byte) => byte !== 0) + 1;
  ftruncateSync(descriptor, Math.floor(length * share));
  closeSync(descriptor);
}

function scribble(file: string): void {
  const descriptor = openSync(file, 'r+');
  const { length } = readFileSync(file);
  for (let at = 8192 + 1000; at < length; at += 4096) writeSync(descriptor, Buffer.alloc(64, 0x5a), 0, 64, at);
  closeSync(descriptor);
}
