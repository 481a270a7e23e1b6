/** How a module is ended: Node, while one runs in it, hears SIGINT alone. */
import type { EngineDriver, TaskExit } from '../../driver/contract.ts';
import { changedEngine } from '../../driver-kit/changed-engine.ts';
import { defaultKillSignal, requireSignal, signalNumber } from '../../driver-kit/signals.ts';
import { exitCodes } from './host/plan.ts';

/** What asks a program to end. */
const asking = ['SIGHUP', 'SIGINT', 'SIGQUIT', 'SIGTERM'].map(requireSignal);

/** A signal that comes before Node listens is lost in a sandbox, whose first process it is: 25 ms of a start, and more on a busy host. */
const repeatMs = 500;

/** Sends each of them as SIGINT; the end is told as that of the one which was asked for (an agent that begins anew in between says 130). */
export function endedByInterrupt(engine: EngineDriver): EngineDriver {
  const asked = new Map<string, number>();
  const sent = (taskId: string, name: string): string => {
    const number = signalNumber(name);
    if (number === null || !asking.includes(number)) return name;
    asked.set(taskId, number);
    return 'SIGINT';
  };
  const told = (taskId: string, exit: TaskExit): TaskExit => {
    const number = asked.get(taskId);
    return number !== undefined && exit.exitCode === exitCodes.interrupted ? { ...exit, exitCode: 128 + number } : exit;
  };
  return changedEngine(engine, {
    wait: async (taskId, signal) => told(taskId, await engine.wait(taskId, signal)),
    async inspect(taskId, signal) {
      const status = await engine.inspect(taskId, signal);
      return status.exit === null ? status : { ...status, exit: told(taskId, status.exit) };
    },
    async stop(taskId, options, signal) {
      const killSignal = sent(taskId, options.killSignal || defaultKillSignal);
      const again = () => void engine.signal!(taskId, killSignal, signal).catch(() => undefined);
      const repeated = killSignal === 'SIGINT' ? setInterval(again, repeatMs) : undefined;
      try {
        await engine.stop(taskId, { ...options, killSignal }, signal);
      } finally {
        clearInterval(repeated);
      }
    },
    signal: (taskId, name, signal) => engine.signal!(taskId, sent(taskId, name), signal),
    async destroy(taskId, options, signal) {
      await engine.destroy(taskId, options, signal);
      asked.delete(taskId);
    },
  });
}
