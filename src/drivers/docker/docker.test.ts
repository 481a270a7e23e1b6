import { afterAll, beforeAll, describe, test } from 'vitest';
import type { EngineDriver, TaskConfig } from '../../driver/contract.ts';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { lackingForDaemon } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { outputOf, ScratchDocker, shell } from './scratch-docker.ts';

let scratch: ScratchDocker;

beforeAll(async () => {
  if (lackingForDaemon.length === 0) scratch = await ScratchDocker.open();
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const suite = (): DriverSuite => {
  const trapped = (rest: string): Promise<TaskConfig> => scratch.task(shell(`trap 'exit 0' INT TERM; ${rest}`));
  return {
    open: async () => {
      const opened: EngineDriver[] = [];
      const another = (): EngineDriver => {
        opened.push(scratch.driver().engine);
        return opened.at(-1)!;
      };
      return {
        driver: another(),
        again: async () => another(),
        close: async () => {
          await Promise.all(opened.map((each) => each.close()));
        },
      };
    },
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

describe.skipIf(lackingForDaemon.length > 0)('docker on a real daemon does what every driver does:', () => {
  test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) => each.run(suite()));
});
