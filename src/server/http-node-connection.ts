/** NodeConnection to another agent over HTTP(S). */
import { collectText } from '../api-client/byte-stream.ts';
import { Fault, isFault } from '../lib/fault.ts';
import { formatJson, parseNouns } from '../lib/json.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import { isLoopback } from '../lib/node/loopback.ts';
import type { Node } from '../model/node.ts';
import type { RehearsalAnswer } from '../model/rehearsal.ts';
import { type NodeConnection, proofHeader, proofOf, rehearsalPath } from './node-connection.ts';

/** PEM texts, of this agent's. */
export interface NodeTls {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

const connectTimeoutMs = 3_000;

export function httpNodeConnection(tls: NodeTls): NodeConnection {
  return {
    async rehearse(node, ask, signal) {
      const transport = httpTransport({ address: addressOf(node), tls, connectTimeoutMs });
      const body = formatJson(ask);
      try {
        const headers = { 'content-type': 'application/json', [proofHeader]: proofOf(node.SecretID, body) };
        const answer = await transport.request({ method: 'PUT', path: rehearsalPath, headers, body, signal });
        const text = await collectText(bounded(answer.body));
        if (answer.status === 200) return checked(text);
        if (answer.status === 404 || answer.status === 405)
          throw new Fault('unsupported', 'its agent is of a version that does not tell');
        throw new Fault('unavailable', text.trim().slice(0, longestText) || `it answered ${answer.status}`);
      } catch (error) {
        if (signal.aborted || isFault(error)) throw error;
        throw new Fault('unavailable', 'it is not reached', { cause: error });
      } finally {
        transport.close();
      }
    },
  };
}

const mostBytes = 4 * 1024 * 1024;
const longestText = 1000;

async function* bounded(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const chunk of body) {
    length += chunk.length;
    if (length > mostBytes) throw new Fault('unavailable', `its answer has more than ${mostBytes} bytes`);
    yield chunk;
  }
}

type Fields = { readonly [name: string]: unknown } | null;

/** A node's word is shown to people: texts, and no endless ones. */
function checked(json: string): RehearsalAnswer {
  let value: unknown;
  try {
    value = parseNouns(json);
  } catch (error) {
    throw new Fault('unavailable', 'its answer is no JSON', { cause: error });
  }
  const list = (of: unknown, name: string): readonly Fields[] => {
    const found = (of as Fields)?.[name];
    if (!Array.isArray(found)) throw new Fault('unavailable', `its answer has no ${name}`);
    return found as readonly Fields[];
  };
  const text = (of: unknown): string => (typeof of === 'string' ? of.slice(0, longestText) : '');
  return {
    Groups: list(value, 'Groups').map((group) => ({
      Name: text(group?.['Name']),
      Tasks: list(group, 'Tasks').map((task) => ({
        Name: text(task?.['Name']),
        Refusals: list(task, 'Refusals').map(text),
        NotAsked: text(task?.['NotAsked']),
      })),
    })),
  };
}

/** Job files hold secrets: as those of nodes go to servers, these go off the machine over TLS only. */
function addressOf({ HTTPAddr, TLSEnabled }: Node): string {
  if (HTTPAddr === '') throw new Fault('unavailable', 'it told no address');
  const address = `${TLSEnabled ? 'https' : 'http'}://${HTTPAddr}`;
  if (!TLSEnabled && !isLoopback(new URL(address).hostname))
    throw new Fault('denied', 'a node of another machine is asked over TLS only: tls { http = true } on it');
  return address;
}
