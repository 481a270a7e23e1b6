import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';
import { users } from './users.ts';

for (const { who, uid, skip } of users) {
  describe.skipIf(skip)(`the main path as ${who}`, () => {
    let agent: AgentProcess;
    const files = mkdtempSync(join(tmpdir(), 'drover-jobs-'));

    beforeAll(async () => {
      agent = await startAgent(uid === undefined ? {} : { user: uid });
      await eventually(async () => {
        const { value } = await agent.client.nodes.list();
        if (value[0]?.Status !== 'ready') throw new Error('the node is not ready');
      });
    });
    afterAll(async () => {
      await agent.dispose();
      rmSync(files, { recursive: true, force: true });
    });

    const jobFile = (name: string, text: string): string => {
      const path = join(files, `${name}.nomad.hcl`);
      writeFileSync(path, text);
      return path;
    };
    const shell = (name: string, script: string, more = '', type = 'batch', driver = 'raw_exec'): string =>
      jobFile(
        name,
        `job "${name}" {
          type = "${type}"
          group "g" {
            restart {
              attempts = 0
              mode     = "fail"
            }
            task "t" {
              driver = "${driver}"
              config {
                command = "/bin/sh"
                args    = ["-c", ${JSON.stringify(script)}]
              }
              resources {
                cpu    = 20
                memory = 64
              }
              ${more}
            }
          }
        }`,
      );
    const logs = async (job: string, ...flags: string[]): Promise<string> => {
      const ran = await runCli(agent, ['alloc', 'logs', ...flags, '-job', job]);
      expect(ran).toMatchObject({ code: 0 });
      return ran.stdout;
    };
    const ended = async (job: string, status: string) =>
      eventually(async () => {
        const { value } = await agent.client.jobs.allocations(job);
        if (value[0]?.ClientStatus !== status)
          throw new Error(
            `${job}: ${JSON.stringify(value[0]?.ClientStatus)}, wanted ${status}\n${JSON.stringify(value[0]?.TaskStates)}`,
          );
        return value[0]!;
      });

    it('runs a job file to its end and shows its output', async () => {
      const ran = await runCli(agent, ['job', 'run', shell('hello', 'echo out; echo err >&2')]);
      expect(ran).toMatchObject({ code: 0 });
      expect(ran.stdout).toContain('finished with status "complete"');
      await ended('hello', 'complete');
      expect(await logs('hello', '-stdout')).toBe('out\n');
      expect(await logs('hello', '-stderr')).toBe('err\n');
    });

    it('tells the exit code, and 137 apart from SIGKILL', async () => {
      for (const [name, script, code, signal] of [
        ['exits', 'exit 137', 137, 0],
        ['killed', 'kill -KILL $$', 137, 9],
        ['crashed', 'kill -SEGV $$', 139, 11],
      ] as const) {
        await runCli(agent, ['job', 'run', '-detach', shell(name, script)]);
        const allocation = await ended(name, 'failed');
        const events = allocation.TaskStates?.['t']?.Events;
        const event = events?.find((item) => item.Type === 'Terminated');
        expect(event, `${name}: ${JSON.stringify(events)}`).toMatchObject({ ExitCode: code, Signal: signal });
      }
    });

    it('keeps tasks running while the agent is killed and started again, and finds their logs and ends', async () => {
      const script = 'i=0; while [ $i -lt 400 ]; do i=$((i+1)); echo line $i; sleep 0.02; done; exit 5';
      await runCli(agent, ['job', 'run', '-detach', shell('survivor', script)]);
      const before = await eventually(async () => {
        const { value } = await agent.client.jobs.allocations('survivor');
        if (value[0]?.ClientStatus !== 'running') throw new Error('not running yet');
        return value[0]!;
      });
      const client = agent;
      await client.crash();
      agent = await client.restart();
      const after = await agent.client.allocations.read(before.ID);
      expect(after.value.ID).toBe(before.ID);
      expect(after.value.TaskStates?.['t']?.Restarts).toBe(0);
      const end = await ended('survivor', 'failed');
      expect(end.ID).toBe(before.ID);
      expect(end.TaskStates?.['t']?.Events?.find((item) => item.Type === 'Terminated')).toMatchObject({ ExitCode: 5 });
      const lines = (await logs('survivor', '-stdout')).trimEnd().split('\n');
      expect(lines).toEqual(Array.from({ length: 400 }, (_, at) => `line ${at + 1}`));
    }, 60_000);

    it('runs exec at the best rung this user can have, and says which', async () => {
      await runCli(agent, [
        'job',
        'run',
        shell('boxed', 'id -u; ls /proc | grep -c "^[0-9]"; cat /proc/1/comm', '', 'batch', 'exec'),
      ]);
      const allocation = await ended('boxed', 'complete');
      const [user, processes] = (await logs('boxed', '-stdout')).split('\n');
      const { value: report } = await agent.client.allocations.isolation(allocation.ID);
      const { value: nodes } = await agent.client.nodes.list();
      const { value: node } = await agent.client.nodes.read(nodes[0]!.ID);
      // the job says nothing of networks: it has the host's
      const rung = node.Attributes?.['driver.exec.isolation.host_network'];
      expect(rung).toBeDefined();
      expect(report['t']).toMatchObject({ rung });
      if (rung === 'sandbox' || rung === 'container') {
        expect(Number(processes)).toBeLessThan(10);
        expect(user).not.toBe('0');
      }
    });

    it('enters a running task with exec and passes its exit code on', async () => {
      await runCli(agent, ['job', 'run', '-detach', shell('house', 'sleep 60', '', 'service')]);
      await eventually(async () => {
        const { value } = await agent.client.jobs.allocations('house');
        if (value[0]?.ClientStatus !== 'running') throw new Error('not running yet');
      });
      const ran = await runCli(
        agent,
        ['alloc', 'exec', '-job', '-t=false', 'house', '/bin/sh', '-c', 'cat; echo inside >&2; exit 9'],
        { stdin: 'from outside\n' },
      );
      expect(ran).toEqual({ code: 9, stdout: 'from outside\n', stderr: 'inside\n' });
      expect(await runCli(agent, ['job', 'stop', '-detach', 'house'])).toMatchObject({ code: 0 });
      await ended('house', 'complete');
    });

    it('says every problem of a job file with its place, and exits with 1', async () => {
      const path = jobFile(
        'broken',
        'job "broken" {\n  group "g" {\n    cout = 1\n    task "t" {\n      drivr = "exec"\n    }\n  }\n}\n',
      );
      const ran = await runCli(agent, ['job', 'run', path]);
      expect(ran.code).toBe(1);
      expect(ran.stderr).toContain('3,5-9');
      expect(ran.stderr).toContain('5,7-12');
      expect(ran.stderr).toContain('driver');
    });
  });
}

it('an agent in dev mode that refuses to start leaves nothing behind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-refused-'));
  const config = join(directory, 'agent.json');
  const TMPDIR = join(directory, 'tmp');
  mkdirSync(TMPDIR);
  writeFileSync(config, JSON.stringify({ acl: { enabled: true } }));
  const { code, stderr } = await runCli(null, ['agent', '-dev', `-config=${config}`], { env: { TMPDIR } });
  expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringMatching(/acl/i) });
  expect(readdirSync(TMPDIR)).toEqual([]);
  rmSync(directory, { recursive: true });
});
