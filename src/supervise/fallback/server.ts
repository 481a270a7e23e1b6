import { chmodSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import { frameOfJson, pipeName } from '../connection.ts';
import { clientFrame, type Frame, FrameReader, readU32, shimFrame, u32 } from '../wire.ts';

/** The socket of a TypeScript shim: greets, numbers, tells everyone; what a request means is the shim's. */

const CLIENTS = 16;
const STUCK_BYTES = 192 * 1024;
const RESERVE_BYTES = 16 * 1024;

export class Client {
  readonly #socket: Socket;
  greeted = false;
  onRoom: () => void = () => {};
  onGone: () => void = () => {};

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('drain', () => this.onRoom());
    socket.on('error', () => socket.destroy());
  }

  /** Room for stream data; the rest is kept for answers and events. */
  get hasRoom(): boolean {
    return this.#socket.writableLength < STUCK_BYTES - RESERVE_BYTES;
  }

  send(frame: Uint8Array): void {
    if (this.#socket.destroyed) return;
    if (this.#socket.writableLength + frame.length > STUCK_BYTES) this.#socket.destroy();
    else this.#socket.write(frame);
  }

  answer(id: number, value: unknown): void {
    this.send(frameOfJson(shimFrame.answer, u32(id), value));
  }

  fail(id: number, error: unknown): void {
    const kind = isFault(error) ? error.kind : 'unavailable';
    this.send(frameOfJson(shimFrame.error, u32(id), { kind, message: messageOf(error), errno: 0 }));
  }

  end(): void {
    this.#socket.end();
  }
}

export interface Handler {
  request(client: Client, type: number, id: number, fields: Uint8Array): void | Promise<void>;
  stream(client: Client, frame: Frame): void;
  /** The exit record as JSON, once there is one. */
  exit(): unknown;
}

export class ShimServer {
  readonly #handler: Handler;
  readonly #clients = new Set<Client>();
  readonly #server: Server;

  private constructor(handler: Handler) {
    this.#handler = handler;
    this.#server = createServer((socket) => this.#accept(socket));
  }

  /** Listens in the record directory; the process's working directory is changed for it, so that the path is short. */
  static async listen(directory: string, handler: Handler): Promise<ShimServer> {
    const server = new ShimServer(handler);
    process.chdir(directory);
    await new Promise<void>((resolve, reject) => {
      server.#server.once('error', reject);
      server.#server.listen(process.platform === 'win32' ? pipeName(directory) : 'shim.sock', resolve);
    });
    if (process.platform !== 'win32') chmodSync(join('.', 'shim.sock'), 0o600);
    return server;
  }

  broadcast(type: number, value: unknown): void {
    for (const client of this.#clients) if (client.greeted) client.send(frameOfJson(type, new Uint8Array(), value));
  }

  /** Lets the last answers out, then closes. */
  async close(): Promise<void> {
    for (const client of this.#clients) client.end();
    // A client that keeps its half open is not waited for.
    await Promise.race([
      new Promise((resolve) => this.#server.close(resolve)),
      new Promise((resolve) => setTimeout(resolve, 200)),
    ]);
  }

  #accept(socket: Socket): void {
    if (this.#clients.size >= CLIENTS) {
      socket.destroy();
      return;
    }
    const client = new Client(socket);
    const reader = new FrameReader();
    this.#clients.add(client);
    socket.on('close', () => {
      this.#clients.delete(client);
      client.onGone();
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        for (const frame of reader.push(chunk)) this.#frame(client, frame, socket);
      } catch {
        socket.destroy();
      }
    });
  }

  #frame(client: Client, frame: Frame, socket: Socket): void {
    if (!client.greeted) this.#hello(client, frame, socket);
    else if (frame.type < clientFrame.stdin) {
      const id = readU32(frame.payload);
      void (async () => this.#handler.request(client, frame.type, id, frame.payload.subarray(4)))().catch(
        (error: unknown) => client.fail(id, error),
      );
    } else this.#handler.stream(client, frame);
  }

  #hello(client: Client, frame: Frame, socket: Socket): void {
    const [min = 0, max = 0] = frame.payload;
    if (frame.type !== clientFrame.hello) {
      socket.destroy();
    } else if (min > 1 || max < 1) {
      client.fail(0, new Fault('unsupported', 'this shim speaks version 1'));
      client.end();
    } else {
      client.greeted = true;
      client.send(
        frameOfJson(shimFrame.hello, new Uint8Array(), {
          version: 1,
          min: 1,
          max: 1,
          kind: 'typescript',
          pid: process.pid,
        }),
      );
      const exit = this.#handler.exit();
      if (exit !== null) client.send(frameOfJson(shimFrame.exit, new Uint8Array(), exit));
    }
  }
}
