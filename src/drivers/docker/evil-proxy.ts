/** A socket in front of a container engine that passes everything on, until it is told to answer nonsense instead. */
import { connect, createServer, type Server, type Socket } from 'node:net';

/**
 * `page`: what a web server in the wrong place says. `not found`: the same, with status 404. `wrong shape`: JSON that is none of the engine's,
 * while its sign of life and the connections that stand are its own. `half an answer`: a head and no more. `no HTTP`: bytes.
 */
export type Nonsense = 'page' | 'not found' | 'wrong shape' | 'half an answer' | 'no HTTP';

const html = '<html><title>404 Not Found</title></html>';
const answer = (status: string, type: string, body: string, length = body.length): string =>
  `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n${body}`;
const answers: Readonly<Record<Nonsense, string>> = {
  page: answer('200 OK', 'text/html', html),
  'not found': answer('404 Not Found', 'text/html', html),
  'wrong shape': answer('200 OK', 'application/json', '{"Id":["x"],"State":7,"Version":null}\n'),
  'half an answer': answer('200 OK', 'text/plain', 'O', 2),
  'no HTTP': '\0\0\x01 what is it?\n',
};

export class EvilProxy {
  readonly path: string;
  readonly #server: Server;
  readonly #fronts = new Set<Socket>();
  #nonsense: Nonsense | null = null;

  private constructor(behind: string, path: string) {
    this.path = path;
    this.#server = createServer((front) => this.#serve(front, behind));
  }

  /** `behind`: the engine's socket. `path`: where this one listens. */
  static async open(behind: string, path: string): Promise<EvilProxy> {
    const proxy = new EvilProxy(behind, path);
    await new Promise<void>((resolve) => proxy.#server.listen(path, resolve));
    return proxy;
  }

  begin(nonsense: Nonsense): void {
    this.#nonsense = nonsense;
    if (nonsense !== 'wrong shape') for (const front of this.#fronts) front.destroy();
  }

  /** From now on it passes on again. */
  end(): void {
    this.#nonsense = null;
  }

  async close(): Promise<void> {
    for (const front of this.#fronts) front.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(front: Socket, behind: string): void {
    this.#fronts.add(front);
    front.on('close', () => this.#fronts.delete(front));
    front.on('error', () => {});
    front.once('data', (request: Buffer) => {
      const nonsense = this.#nonsense;
      const alive = nonsense === 'wrong shape' && / \S*\/_ping /.test(request.toString('latin1', 0, 200));
      if (nonsense !== null && !alive) {
        if (nonsense === 'half an answer') front.write(answers[nonsense]);
        else front.end(answers[nonsense]);
        return;
      }
      const back = connect(behind);
      back.on('error', () => front.destroy());
      back.on('close', () => front.end());
      front.on('close', () => back.destroy());
      back.write(request);
      front.pipe(back);
      back.pipe(front);
    });
  }
}

/** A socket in front of an engine that passes each request on when `hook` of its first line is done; what that gives is answered instead. */
export async function openHook(behind: string, path: string, hook: (line: string) => Promise<string>): Promise<Server> {
  const server = createServer((front) => {
    front.on('error', () => {});
    front.once('data', async (request: Buffer) => {
      front.pause();
      const answered = await hook(request.toString('latin1').split('\r\n', 1)[0] ?? '');
      if (answered !== '') return front.end(answered);
      const back = connect(behind);
      back.on('error', () => front.destroy());
      back.on('close', () => front.end());
      front.on('close', () => back.destroy());
      back.write(request);
      front.pipe(back).pipe(front);
    });
  });
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}
