import type { Clock } from './context.ts';

/** The machine's time. Timers do not keep the process alive. */
export const systemClock: Clock = {
  now: () => Date.now() * 1e6,
  elapsedMs: () => performance.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms);
    timer.unref();
    return () => clearTimeout(timer);
  },
};
