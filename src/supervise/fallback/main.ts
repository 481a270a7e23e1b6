import { closeSync, readdirSync, readFileSync, writeSync } from 'node:fs';
import { isFault, messageOf } from '../../lib/fault.ts';
import { frameOfJson } from '../connection.ts';
import { FrameReader, readU32, shimFrame, u32 } from '../wire.ts';
import { decodeStart } from './decode-start.ts';
import { FallbackShim } from './shim.ts';

/** Node opens its own descriptors close-on-exec; what is not was inherited, and would go on to the task. */
function closeInherited(): void {
  if (process.platform !== 'linux') return;
  for (const fd of readdirSync('/proc/self/fd').map(Number)) {
    try {
      const flags = /^flags:\s*([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '0';
      if (fd > 2 && (Number.parseInt(flags, 8) & 0o2000000) === 0) closeSync(fd);
    } catch {
      // The listing's own descriptor.
    }
  }
}

/** The program of the TypeScript shim: one start frame on stdin, one answer on stdout, then a life of its own. */
async function main(): Promise<void> {
  closeInherited();
  for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM', 'SIGQUIT', 'SIGUSR2', 'SIGPIPE'] as const)
    process.on(signal, () => {});
  const [frame] = new FrameReader().push(readFileSync(0));
  if (frame === undefined) throw new Error('no start frame on stdin');
  const id = u32(readU32(frame.payload));
  try {
    await FallbackShim.start(decodeStart(frame.payload.subarray(4)));
    writeSync(1, frameOfJson(shimFrame.answer, id, { pid: process.pid }));
  } catch (error) {
    const kind = isFault(error) ? error.kind : 'unavailable';
    writeSync(1, frameOfJson(shimFrame.error, id, { kind, message: messageOf(error), errno: 0 }));
    process.exit(1);
  }
}

await main();
