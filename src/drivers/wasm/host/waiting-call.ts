/** `poll_oneoff` of WASI: files are always ready, and a clock is waited for in a way that can be broken off. */
import type { Call } from './guarded-calls.ts';

const errno = { success: 0, inval: 28 } as const;
const subscriptionSize = 48;
const eventSize = 32;
const absolute = 1;

export function waitingCall(memory: () => DataView): Call {
  const never = new Int32Array(new SharedArrayBuffer(4));
  return (subscriptions: number, events: number, count: number, into: number) => {
    if (count === 0) return errno.inval;
    const view = memory();
    const asked = Array.from({ length: count }, (_, at) => subscription(view, subscriptions + at * subscriptionSize));
    const clocks = asked.filter((each) => each.waitMs !== null);
    const files = asked.filter((each) => each.waitMs === null);
    const soonest = clocks.reduce((least, { waitMs }) => Math.min(least, waitMs!), Number.POSITIVE_INFINITY);
    if (files.length === 0 && soonest > 0) Atomics.wait(never, 0, 0, soonest);
    const ready = files.length > 0 ? files : clocks.filter(({ waitMs }) => waitMs! <= soonest);
    for (const [at, { userData, kind }] of ready.entries()) {
      const event = events + at * eventSize;
      for (let byte = 0; byte < eventSize; byte += 8) view.setBigUint64(event + byte, 0n, true);
      view.setBigUint64(event, userData, true);
      view.setUint8(event + 10, kind);
      if (kind !== 0) view.setBigUint64(event + 16, 1n, true);
    }
    view.setUint32(into, ready.length, true);
    return errno.success;
  };
}

/** `waitMs` null: of a file. */
function subscription(view: DataView, at: number) {
  const userData = view.getBigUint64(at, true);
  const kind = view.getUint8(at + 8);
  if (kind !== 0) return { userData, kind, waitMs: null };
  const clock = view.getUint32(at + 16, true);
  const timeout = view.getBigUint64(at + 24, true);
  const isAbsolute = (view.getUint16(at + 40, true) & absolute) !== 0;
  const now = clock === 0 ? BigInt(Date.now()) * 1_000_000n : process.hrtime.bigint();
  const waitMs = Number(isAbsolute ? timeout - now : timeout) / 1e6;
  return { userData, kind, waitMs: Math.max(0, waitMs) };
}
