/** The conformance suite's tasks for a command driver whose options are `command` and `args`, and that has /bin/sh. */
import type { TaskConfig } from '../driver/contract.ts';
import { readBeneath } from '../lib/node/safe-path.ts';
import type { DriverSuite } from './conformance.ts';
import type { OpenDriver } from './driver-plugin.ts';
import type { Scratch } from './scratch-task.ts';

/**
 * How the conformance suite makes tasks of a driver whose options are `command` and `args`. Each case opens and closes a driver of its
 * own.
 */
export function commandSuite(scratch: Scratch, open: () => OpenDriver | Promise<OpenDriver>): DriverSuite {
  const task = async (command: string, ...args: string[]): Promise<TaskConfig> => {
    const driver = await open();
    const decoded = driver.decodeConfig({ command, args });
    await driver.engine.close();
    if (!decoded.ok) throw new Error(decoded.problems.join('; '));
    return scratch.task(decoded.value);
  };
  const shell = (script: string): Promise<TaskConfig> => task('/bin/sh', '-c', script);
  return {
    open: async () => {
      const { engine } = await open();
      const others: OpenDriver[] = [];
      return {
        driver: engine,
        again: async () => {
          const other = await open();
          others.push(other);
          return other.engine;
        },
        close: async () => {
          await engine.close();
          for (const each of others) await each.engine.close();
        },
      };
    },
    ends: (code) => shell(`exit ${code}`),
    // a trap: process 1 of a pid namespace gets no signal it does not ask for
    runsFor: (ms) => shell(`trap 'exit 0' INT TERM; sleep ${ms / 1000} & wait`),
    stubborn: () => shell('trap "" INT; while :; do sleep 0.1; done'),
    cannotStart: () => task('/no/such/binary'),
    says: async (text) => {
      const of = await shell(`echo ${text}`);
      return { task: of, read: () => readBeneath(of.directories.logs, `${of.name}.stdout.0`).then(String) };
    },
    execs: async () => ({
      task: await shell('trap "exit 0" INT TERM; sleep 60 & wait'),
      command: ['sh', '-c', 'echo out; exit 4'],
    }),
    excused: {},
  };
}
