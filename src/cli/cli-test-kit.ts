/** For tests of commands: a real API client over a transport that answers from a table and keeps what was asked. */
import { connect, type DroverClient, type TransportRequest } from '../api-client/index.ts';
import { formatJson } from '../lib/json.ts';
import { createTerminal, type Terminal } from './terminal.ts';

export interface Script {
  readonly client: DroverClient;
  readonly asked: TransportRequest[];
}

/** Path without its query → the answers, one after the other; the last is repeated. Unknown paths answer 404. */
export function scriptedClient(answers: { readonly [path: string]: readonly unknown[] }): Script {
  const asked: TransportRequest[] = [];
  const counts = new Map<string, number>();
  const client = connect({
    transport: {
      async request(request) {
        asked.push(request);
        const path = request.path.split('?')[0]!;
        const list = answers[path];
        const count = counts.get(path) ?? 0;
        counts.set(path, count + 1);
        const value = list === undefined ? 'not found' : list[Math.min(count, list.length - 1)];
        return {
          status: list === undefined ? 404 : 200,
          headers: { 'x-nomad-index': String(count + 1) },
          body: (async function* () {
            yield new TextEncoder().encode(formatJson(value));
          })(),
          dispose: () => {},
        };
      },
      webSocket: () => Promise.reject(new Error('none here')),
      close: () => {},
    },
  });
  return { client, asked };
}

export interface Page {
  readonly terminal: Terminal;
  out: string;
  error: string;
}

/** A terminal that keeps what is written. `columns`: as a person's terminal of that width. */
export function page(columns?: number): Page {
  const kept: Page = {
    out: '',
    error: '',
    terminal: createTerminal(
      {
        ...(columns === undefined ? {} : { isTTY: true, columns }),
        write: (text) => {
          kept.out += text;
        },
      },
      {
        write: (text) => {
          kept.error += text;
        },
      },
      { noColor: true, forceColor: false },
    ),
  };
  return kept;
}
