/** What a container is reported to have was tried in one made alike: of docker's and of podman's engine. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { IsolationReport, TaskConfig } from '../../driver/contract.ts';
import {
  lackingForDaemon,
  lackingForPodman,
  type ScratchEngine,
} from '../../driver-kit/container-engine/scratch-daemon.ts';
import { predictIsolation } from '../../model/isolation-ability.ts';
import { noFloor } from '../../model/isolation-floor.ts';
import { listen, ScratchDocker, shell } from './scratch-docker.ts';

const never = new AbortController().signal;
const engines: readonly { readonly engine: ScratchEngine; readonly lacking: readonly string[] }[] = [
  { engine: 'docker', lacking: lackingForDaemon },
  { engine: 'podman', lacking: lackingForPodman },
];

const lineOf = (report: IsolationReport, name: string) => report.mechanisms.find((each) => each.name === name);

describe.each(engines)('containers of $engine', ({ engine, lacking }) => {
  let scratch: ScratchDocker;
  beforeAll(async () => {
    if (lacking.length === 0) scratch = await ScratchDocker.open({ engine });
  }, 120_000);
  afterAll(() => scratch?.close(), 60_000);
  const strict = { user: 'nobody' } as const;

  it.skipIf(lacking.length > 0)(
    'are tried from inside, once for each configuration',
    async () => {
      const driver = scratch.driver();
      const since = Math.floor(Date.now() / 1000) - 1;
      const start = async (config: Record<string, unknown>, more: Partial<TaskConfig> = {}) => {
        const task = await scratch.task({ ...shell('sleep 1'), ...config }, { ...strict, ...more });
        return (await scratch.run(driver.engine, task)).isolation;
      };
      // the engine's own filter lets pass what the line forbids; the one of a floor does not
      const open = await start({ cap_drop: ['all'] });
      expect(open.rung).toBe('process');
      expect(lineOf(open, 'seccomp')?.evidence).toMatch(/^tried from inside: .* took effect$/);
      const first = await start({ cap_drop: ['all'] }, { isolationFloor: 'sandbox' });
      expect(first.rung).toBe('sandbox');
      expect(lineOf(first, 'seccomp')?.evidence).toMatch(/^Seccomp 2; (2[0-9]|[3-9]\d) tries from inside stopped$/);
      for (const name of ['mount_namespace', 'no_new_privs', 'empty_capabilities', 'pids_limit', 'memory_limit'])
        expect(lineOf(first, name)?.evidence).toMatch(/(1 try|\d tries) from inside stopped$/);
      const trials = async () => {
        const until = String(Math.floor(Date.now() / 1000) + 1);
        const query = { since: String(since), until, filters: '{"type":["container"],"event":["create"]}' };
        const text = await scratch.daemon.client.text('GET', '/events', { query, signal: never });
        return text.match(/"name":"drover_trial_/g)?.length;
      };
      expect(await trials()).toBe(2);
      await start({ cap_drop: ['all'] });
      expect(await trials()).toBe(2);
      await start({ cap_drop: ['chown'] });
      expect(await trials()).toBe(3);
    },
    180_000,
  );

  it.skipIf(lacking.length > 0)(
    'are held to their demand however soon they end',
    async () => {
      const driver = scratch.driver();
      const more = { ...strict, isolationFloor: 'sandbox', isolationRequire: ['no_core_dumps'] } as const;
      const cores = "awk '/core/ {print $5, $6}' /proc/self/limits";
      const task = await scratch.task({ ...shell(`${cores}; ulimit -c 0; ${cores}`), cap_drop: ['all'] }, more);
      const { isolation, stdout, exit } = await scratch.run(driver.engine, task);
      expect({ ...exit, stdout, rung: isolation.rung }).toMatchObject({
        exitCode: 0,
        stdout: '1 1\n1 1\n',
        rung: 'sandbox',
      });
      for (const name of ['seccomp', 'no_core_dumps']) expect(lineOf(isolation, name)?.state).toBe('verified');
      // as little as its engine allows: it never lasts until it is looked at
      const short = await scratch.task({ command: '/bin/true', cap_drop: ['all'] }, more);
      expect((await scratch.run(driver.engine, short)).isolation.rung).toBe('sandbox');
      const open = { ...shell('true'), cap_drop: ['all'], security_opt: ['seccomp=unconfined'] };
      await expect(driver.engine.start(await scratch.task(open, more), never)).rejects.toThrow(/missing: seccomp \(/);
    },
    180_000,
  );

  it.skipIf(lacking.length > 0)(
    'have no line that looks held from outside and is not',
    async () => {
      const profile = join(scratch.host.scratch.root, 'open.json');
      await writeFile(profile, '{"defaultAction":"SCMP_ACT_ALLOW"}');
      const driver = scratch.driver();
      const config = {
        ...shell('grep Seccomp: /proc/self/status; sleep 1'),
        cap_drop: ['all'],
        security_opt: [`seccomp=${profile}`],
      };
      const { isolation, stdout } = await scratch.run(driver.engine, await scratch.task(config, strict));
      expect(stdout).toMatch(/Seccomp:\t2/);
      expect(lineOf(isolation, 'seccomp')).toMatchObject({
        state: 'unavailable',
        evidence: expect.stringMatching(/^tried from inside: .*keyctl.* took effect$/),
      });
      expect(isolation.rung).toBe('process');
      const floored = await scratch.task(config, { ...strict, isolationRequire: ['seccomp'] });
      await expect(driver.engine.start(floored, never)).rejects.toThrow(/missing: seccomp \(tried from inside: /);
    },
    180_000,
  );

  it.skipIf(lacking.length > 0)(
    'get what the node says they would',
    async () => {
      const driver = scratch.driver();
      const listening = listen(driver.engine);
      const name = `driver.${engine}.isolation`;
      try {
        const attributes = await vi.waitFor(async () => {
          const { attributes: found } = await listening.is('healthy', 5_000);
          expect(found[name]).toBeDefined();
          return found;
        }, 40_000);
        expect(attributes[name]).toBe('sandbox');
        const options = [
          [{ cap_drop: ['all'] }, 'nobody', noFloor],
          [{ cap_drop: ['all'] }, 'nobody', { ...noFloor, min: 'sandbox' }],
          [{ cap_drop: ['all'], security_opt: ['seccomp=drover'] }, 'nobody', noFloor],
          [{}, 'nobody', noFloor],
          [{}, '', noFloor],
        ] as const;
        for (const [config, user, floor] of options) {
          const more = { user, isolationFloor: floor.min } as const;
          const task = await scratch.task({ ...shell('sleep 1'), ...config }, more);
          const { isolation } = await scratch.run(driver.engine, task);
          const job = { Driver: engine, Config: config, User: user };
          const predicted = predictIsolation(attributes, { Networks: null }, job, floor);
          expect({ rung: predicted?.rung, missing: predicted?.missing }).toEqual({ rung: isolation.rung, missing: [] });
        }
      } finally {
        listening.stop();
      }
    },
    180_000,
  );
});
