import type { ServerConnection } from '../client/server-connection.ts';
import { Fault } from '../lib/fault.ts';

export interface Losses {
  /** 0 … 1, from a seed. */
  random(): number;
  /** Waits a while, as a network would: other calls overtake. */
  delay(): Promise<void>;
  /** How likely a call is lost on its way, its answer is lost, or it arrives a second time. Read at each call: a test may heal the network. */
  readonly rates: { lost: number; answerLost: number; twice: number };
}

/** The connection as over a bad network: every call may be late, lost, or come twice and out of order. */
export function lossyConnection(server: ServerConnection, losses: Losses): ServerConnection {
  const lossy = <A extends unknown[], R>(call: (...args: A) => Promise<R>): ((...args: A) => Promise<R>) => {
    const past: A[] = [];
    return async (...args) => {
      const { lost, answerLost, twice } = losses.rates;
      if (losses.random() < lost) throw new Fault('unavailable', 'the call was lost');
      past.push(args);
      if (losses.random() < twice) {
        // A copy of this call or of one long ago arrives only now, and nobody waits for its answer.
        const copy = past[Math.floor(losses.random() * past.length)]!;
        void losses.delay().then(() => call(...copy).catch(() => undefined));
      }
      await losses.delay();
      const answer = await call(...args);
      await losses.delay();
      if (losses.random() < answerLost) throw new Fault('unavailable', 'the answer was lost');
      return answer;
    };
  };
  return {
    register: lossy(server.register),
    heartbeat: lossy(server.heartbeat),
    watchAllocations: lossy(server.watchAllocations),
    readAllocations: lossy(server.readAllocations),
    updateAllocations: lossy(server.updateAllocations),
    readJob: lossy(server.readJob),
  };
}
