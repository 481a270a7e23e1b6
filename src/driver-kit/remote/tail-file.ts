/**
 * Lines of a file as another process appends them. A plugin writes to files, not pipes, so that an agent's death never takes its
 * output away (a broken pipe ends most programs). What was read is cut off from time to time; the writers append. One that writes more
 * than anybody reads fills neither disk nor log: what is too much is cut off unread.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

const everyMs = 100;
const cutAtBytes = 1024 * 1024;
const maxLineBytes = 64 * 1024;

/** Of one file, within each window. */
export const mostBytes = 4 * 1024 * 1024;
export const windowMs = 10_000;

export interface Tail {
  /** Reads what is left and ends. */
  close(): Promise<void>;
}

/** From its beginning; made where it is not there. `flooded`: once for each window in which something was left out. */
export async function tailFile(
  path: string,
  line: (text: string) => void,
  flooded: () => void = () => {},
): Promise<Tail> {
  const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  let at = 0;
  let rest = '';
  let closed = false;
  let [since, taken, full] = [Date.now(), 0, false];
  const buffer = Buffer.alloc(64 * 1024);
  const leaveOut = async (): Promise<void> => {
    if ((await file.stat()).size <= at) return;
    await file.truncate(0);
    [at, rest] = [0, ''];
    if (!full) flooded();
    full = true;
  };
  const read = async (): Promise<void> => {
    for (;;) {
      if (Date.now() - since >= windowMs) [since, taken, full] = [Date.now(), 0, false];
      if (taken >= mostBytes) return leaveOut();
      const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
      if (bytesRead === 0) break;
      at += bytesRead;
      taken += bytesRead;
      const lines = (rest + buffer.toString('utf8', 0, bytesRead)).split('\n');
      rest = (lines.pop() ?? '').slice(0, maxLineBytes);
      for (const each of lines) if (each !== '') line(each);
    }
    if (at > cutAtBytes) at = await cut(file, at);
  };
  let reading = Promise.resolve();
  const tick = (): void => {
    reading = reading.then(read).catch(() => {});
  };
  const timer = setInterval(tick, everyMs);
  timer.unref();
  tick();
  return {
    close: async () => {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      tick();
      await reading;
      if (rest !== '') line(rest);
      await file.close();
    },
  };
}

/** Only where nothing came since: a line between is worth more than the space. */
async function cut(file: FileHandle, at: number): Promise<number> {
  const { size } = await file.stat();
  if (size !== at) return at;
  await file.truncate(0);
  return 0;
}
