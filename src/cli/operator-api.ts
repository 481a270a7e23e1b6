import { fstatSync, readFileSync } from 'node:fs';
import type { TransportResponse } from '../api-client/index.ts';
import { addressOf, asking, takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';

export const command: Command = {
  usage: 'operator api [options] <path>',
  help: `Sends one request to the API and prints the answer as it is. What comes through a pipe is sent as its body, and the method
then is POST. Exit code 0 whatever the answer says.`,
  flags: {
    X: { kind: 'string', value: '<method>', help: 'The method. Default GET, with a body POST.' },
    H: { kind: 'strings', value: '<header>', help: 'A header, "Name: value"; may be repeated.' },
    filter: { kind: 'string', value: '<expression>', help: 'Only rows for which the expression holds.' },
    dryrun: { kind: 'bool', help: 'Print the curl command instead.' },
    verbose: { kind: 'bool', help: 'Print what is sent and the head of the answer on stderr.' },
  },
  client: true,
  async run(call) {
    takes(call, 'operator api', 'This command takes one argument: <path>', 1);
    const { flags, terminal } = call;
    const body = readBody();
    const method = flags.string('X') ?? (body === undefined ? 'GET' : 'POST');
    const headers = headersOf(call);
    const target = targetOf(call);
    if (flags.bool('dryrun')) {
      terminal.out(curl(`${addressOf(call).replace(/\/$/, '')}${target}`, method, headers, body));
      return 0;
    }
    return withClient(call, async (client) => {
      if (flags.bool('verbose')) sayRequest(call, method, target, headers);
      const sent = client.api.options.transport.request({
        method,
        path: target,
        headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
        ...(body === undefined ? {} : { body }),
      });
      const response = await asking('Error querying api', sent);
      if (flags.bool('verbose')) await sayAnswer(call, response);
      for await (const chunk of response.body) process.stdout.write(chunk);
      return 0;
    });
  },
};

/** A terminal and /dev/null are no body; a pipe or file is, though an empty one counts as none. */
function readBody(): string | undefined {
  try {
    if (fstatSync(0).isCharacterDevice()) return undefined;
    const text = readFileSync(0, 'utf8');
    return text === '' ? undefined : text;
  } catch {
    return undefined; // closed
  }
}

function headersOf({ flags, env }: Call): [string, string][] {
  const token = flags.string('token') ?? env['NOMAD_TOKEN'];
  const given = flags.strings('H').map((text): [string, string] => {
    const colon = text.indexOf(':');
    if (colon < 1) throw new CommandError(`Invalid header "${text}": a name, a colon and a value are needed`);
    return [text.slice(0, colon).trim(), text.slice(colon + 1).trim()];
  });
  return token ? [['X-Nomad-Token', token], ...given] : given;
}

/** The path may be given whole, with the agent's address before it, or without its first slash. */
function targetOf(call: Call): string {
  const { flags, args, env } = call;
  const word = args[0]!.startsWith('http') ? args[0]!.replace(/^https?:\/\/[^/]*/, '') : args[0]!;
  const target = word.startsWith('/') ? word : `/${word}`;
  const query = [
    ['region', flags.string('region') ?? env['NOMAD_REGION']],
    ['namespace', flags.string('namespace') ?? env['NOMAD_NAMESPACE']],
    ['filter', flags.string('filter')],
  ].flatMap(([name, value]) => (value ? [`${name}=${encodeURIComponent(value)}`] : []));
  if (query.length === 0) return target;
  return `${target}${target.includes('?') ? '&' : '?'}${query.join('&')}`;
}

function curl(url: string, method: string, headers: readonly [string, string][], body: string | undefined): string {
  const lines = ['curl', ...(method === 'GET' ? [] : [`-X ${method}`])];
  // the secret itself would end up in the shell's history
  for (const [name, value] of headers)
    lines.push(name === 'X-Nomad-Token' ? '-H "X-Nomad-Token: ${NOMAD_TOKEN}"' : `-H ${quoted(`${name}: ${value}`)}`);
  if (body !== undefined) lines.push(`--data-raw ${quoted(body)}`);
  return [...lines, url].join(' \\\n  ');
}

const quoted = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;

function sayRequest({ terminal }: Call, method: string, target: string, headers: readonly [string, string][]): void {
  terminal.error(`> ${method} ${target} HTTP/1.1`);
  for (const [name, value] of headers) terminal.error(`> ${name}: ${name === 'X-Nomad-Token' ? '<hidden>' : value}`);
  terminal.error('>\n* Sending request and receiving response...');
}

async function sayAnswer({ terminal }: Call, response: TransportResponse): Promise<void> {
  const { STATUS_CODES } = await import('node:http');
  terminal.error(`< HTTP/1.1 ${response.status} ${STATUS_CODES[response.status] ?? ''}`.trimEnd());
  for (const [name, value] of Object.entries(response.headers))
    terminal.error(`< ${name.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase())}: ${value}`);
}
