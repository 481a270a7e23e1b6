/**
 * The process of a task of `wasm`: runs the module on the only thread that Node's JavaScript has, for a second one would take longer to
 * begin than Node itself. Built into one file: in a sandbox there is nothing else.
 */
import { writeFileSync, writeSync } from 'node:fs';
import { Script } from 'node:vm';
import { exitCodes, type HostPlan, type ModuleEnd } from './plan.ts';
import { runModule } from './run-module.ts';

const plan = JSON.parse(process.argv[2] ?? '{}') as HostPlan;

/** Threads of Node's own wait for the time and for SIGINT, and break off what runs in the script, a loop of the module too. */
function watched(run: () => ModuleEnd): ModuleEnd {
  const limit = plan.timeoutMs > 0 ? { timeout: plan.timeoutMs } : {};
  Object.assign(globalThis, { run });
  try {
    return new Script('run()').runInThisContext({ breakOnSigint: true, ...limit }) as ModuleEnd;
  } catch (error) {
    switch ((error as NodeJS.ErrnoException).code) {
      case 'ERR_SCRIPT_EXECUTION_INTERRUPTED':
        return { code: exitCodes.interrupted, message: null };
      case 'ERR_SCRIPT_EXECUTION_TIMEOUT':
        return {
          code: exitCodes.timeout,
          message: `the module ran longer than its timeout of ${plan.timeoutMs / 1000} s`,
        };
      default:
        return { code: exitCodes.trap, message: `trap: ${(error as Error).message}` };
    }
  }
}

const { code, message } = watched(() => runModule(plan));
if (message !== null) {
  writeSync(2, `drover: ${message}\n`);
  try {
    writeFileSync(plan.endFile, message.slice(0, 400));
  } catch {
    // it is on standard error too
  }
}
process.exit(code);
