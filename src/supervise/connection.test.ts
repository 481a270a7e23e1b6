import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { Connection } from './connection.ts';

it('is refused by what listens there and is no shim, whatever that says', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'drover-connection-'));
  const server = createServer((socket) => socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await new Promise<void>((resolve) => server.listen(join(directory, 'shim.sock'), resolve));
  try {
    await expect(Connection.open(directory)).rejects.toThrow('what listens there is not a shim');
  } finally {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }
});
