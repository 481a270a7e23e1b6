/** A proxy between a client and its server that is slow, loses requests and answers, and delivers requests twice. */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  type Server,
  type ServerResponse,
} from 'node:http';

export interface BadNetwork {
  readonly port: number;
  /** What happened so far. */
  readonly counts: { passed: number; lost: number; unanswered: number; twice: number };
  /** Nothing gets through while true. */
  cut: boolean;
  close(): Promise<void>;
}

export interface Badness {
  /** Each request waits up to this long. */
  readonly delayMs: number;
  /** Shares of all requests, 0…1. */
  readonly lost: number;
  readonly unanswered: number;
  readonly twice: number;
  random(): number;
}

export async function badNetwork(target: number, badness: Badness): Promise<BadNetwork> {
  const counts = { passed: 0, lost: 0, unanswered: 0, twice: 0 };
  const network = { counts, cut: false } as { counts: typeof counts; cut: boolean };
  const server = createServer((request, response) => void pass(request, response));

  async function pass(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await new Promise((resolve) => setTimeout(resolve, badness.random() * badness.delayMs));
    const chance = badness.random();
    if (network.cut || chance < badness.lost) {
      counts.lost++;
      return void request.socket.destroy();
    }
    const send = () => forward(target, request, response, Buffer.concat(chunks));
    if (chance < badness.lost + badness.unanswered) {
      counts.unanswered++;
      await send().catch(() => undefined);
      return void request.socket.destroy();
    }
    try {
      if (chance < badness.lost + badness.unanswered + badness.twice) {
        counts.twice++;
        void send().catch(() => undefined);
      }
      const answer = await send();
      if (network.cut) return void request.socket.destroy();
      counts.passed++;
      response.writeHead(answer.status, answer.headers);
      response.end(answer.body);
    } catch {
      request.socket.destroy();
    }
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  return Object.assign(network, { port, close: () => closed(server) });
}

interface Answer {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

function forward(port: number, request: IncomingMessage, response: ServerResponse, body: Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { ...request.headers, host: `127.0.0.1:${port}`, 'content-length': String(body.length) };
    const {
      connection: _connection,
      'transfer-encoding': _encoding,
      ...kept
    } = headers as unknown as Record<string, string>;
    const options = { host: '127.0.0.1', port, method: request.method, path: request.url, headers: kept };
    const out = httpRequest(options, async (answer) => {
      const chunks: Buffer[] = [];
      for await (const chunk of answer) chunks.push(chunk as Buffer);
      const { connection: _connection, 'transfer-encoding': _encoding, ...headers } = answer.headers;
      resolve({ status: answer.statusCode ?? 0, headers, body: Buffer.concat(chunks) });
    });
    response.once('close', () => out.destroy());
    out.on('error', reject);
    out.end(body);
  });
}

function closed(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
