/**
 * The process of a task of `wasm`: one thread for the module, and this one, which ends it when it must. Imports nothing but Node and this
 * folder: in a sandbox there is nothing else.
 */
import { writeFileSync, writeSync } from 'node:fs';
import { constants } from 'node:os';
import { Worker } from 'node:worker_threads';
import { exitCodes, type HostPlan, type ModuleEnd } from './plan.ts';

const plan = JSON.parse(process.argv[2] ?? '{}') as HostPlan;

function end({ code, message }: ModuleEnd): never {
  if (message !== null) {
    writeSync(2, `drover: ${message}\n`);
    try {
      writeFileSync(plan.endFile, message.slice(0, 400));
    } catch {
      // it is on standard error too
    }
  }
  process.exit(code);
}

// in a pid namespace of its own this process is the first, which only signals with a handler reach
for (const name of ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'] as const)
  process.once(name, () => process.exit(128 + constants.signals[name]));

const thread = new Worker(new URL(`./module-thread${import.meta.url.slice(-3)}`, import.meta.url), {
  workerData: plan,
});
thread.once('message', (ended: ModuleEnd) => end(ended));
thread.once('error', (error) => end({ code: exitCodes.trap, message: `trap: ${error.message}` }));
if (plan.timeoutMs > 0) {
  const message = `the module ran longer than its timeout of ${plan.timeoutMs / 1000} s`;
  setTimeout(() => end({ code: exitCodes.timeout, message }), plan.timeoutMs);
}
