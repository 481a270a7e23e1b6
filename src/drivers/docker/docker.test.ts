import { afterAll, beforeAll, describe, test } from 'vitest';
import type { TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { lackingForDaemon } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { docker } from './index.ts';
import { outputOf, ScratchDocker, shell } from './scratch-docker.ts';

let scratch: ScratchDocker;

beforeAll(async () => {
  if (lackingForDaemon.length === 0) scratch = await ScratchDocker.open();
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const suite = (way: Way): DriverSuite => {
  const trapped = (rest: string): Promise<TaskConfig> => scratch.task(shell(`trap 'exit 0' INT TERM; ${rest}`));
  return {
    open: opening(way, docker, () => ({ options: { endpoint: scratch.daemon.endpoint }, deps: scratch.host.deps })),
    ends: (code) => scratch.task(shell(`exit ${code}`)),
    runsFor: (ms) => trapped(`sleep ${ms / 1000} & wait`),
    stubborn: () => scratch.task(shell('trap "" INT; while :; do sleep 0.1; done')),
    cannotStart: () => scratch.task({ command: '/no/such/binary' }),
    says: async (text) => {
      const of = await scratch.task(shell(`echo ${text}`));
      return { task: of, read: () => outputOf(of) };
    },
    execs: async () => ({ task: await trapped('sleep 60 & wait'), command: ['sh', '-c', 'echo out; exit 4'] }),
    excused: {},
  };
};

describe.skipIf(lackingForDaemon.length > 0).each(ways)(
  'docker on a real daemon, %s, does what every driver does:',
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);
