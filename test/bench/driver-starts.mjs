/**
 * Loaded into an agent before its program (`node --import`): notes when its client asks a driver of commands to start a task. One line each in
 * `driver-starts` of its HOME: the clock that all processes of a machine share, in nanoseconds, and the task's id.
 */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { commandEngine } from '../../dist/driver-kit/command-engine.js';

const file = join(process.env.HOME, 'driver-starts');
const engine = Object.getPrototypeOf(commandEngine({}, {}));
const { start } = engine;
engine.start = function (task, signal) {
  const at = process.hrtime.bigint();
  const started = start.call(this, task, signal);
  appendFileSync(file, `${at} ${task.id}\n`);
  return started;
};
