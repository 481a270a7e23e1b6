/** From flags and environment to a connected API client, and from its faults to what a command says. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { connect, type DroverClient } from '../api-client/index.ts';
import { type Fault, isFault, messageOf } from '../lib/fault.ts';
import { httpTransport } from '../lib/node/http-transport.ts';
import { type Call, CommandError } from './command.ts';

export function addressOf({ flags, env }: Pick<Call, 'flags' | 'env'>): string {
  return flags.string('address') ?? (env['NOMAD_ADDR'] || 'http://127.0.0.1:4646');
}

/** Flags win over the environment. */
export function connectTo(call: Pick<Call, 'flags' | 'env'>): DroverClient {
  const { flags, env } = call;
  const setting = (flag: string, variable: string): string | undefined =>
    flags.string(flag) ?? (env[variable] || undefined);
  const tls = {
    ...optional('ca', pem(setting('ca-cert', 'NOMAD_CACERT'), 'ca-cert') ?? pemsIn(setting('ca-path', 'NOMAD_CAPATH'))),
    ...optional('cert', pem(setting('client-cert', 'NOMAD_CLIENT_CERT'), 'client-cert')),
    ...optional('key', pem(setting('client-key', 'NOMAD_CLIENT_KEY'), 'client-key')),
    ...optional('serverName', setting('tls-server-name', 'NOMAD_TLS_SERVER_NAME')),
    skipVerify: flags.bool('tls-skip-verify') || flags.bool('insecure') || truthy(env['NOMAD_SKIP_VERIFY']),
  };
  try {
    return connect({
      transport: httpTransport({ address: addressOf(call), tls }),
      region: setting('region', 'NOMAD_REGION'),
      namespace: setting('namespace', 'NOMAD_NAMESPACE'),
      token: setting('token', 'NOMAD_TOKEN'),
    });
  } catch (error) {
    throw new CommandError(`Error initializing client: ${messageOf(error)}`);
  }
}

/** Connects for as long as the work takes. */
export async function withClient<T>(
  call: Pick<Call, 'flags' | 'env'>,
  work: (client: DroverClient) => Promise<T>,
): Promise<T> {
  const client = connectTo(call);
  try {
    return await work(client);
  } finally {
    client.close();
  }
}

/** Ends the command with Nomad's two lines where the arguments are not as many as it takes. */
export function takes(call: Call, name: string, sentence: string, least: number, most: number = least): void {
  if (call.args.length < least || call.args.length > most)
    throw new CommandError(`${sentence}\nFor additional help try 'drover ${name} -help'`);
}

/** Runs an API call; its fault ends the command with `<what>: <fault>`. */
export async function asking<T>(what: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (error) {
    if (!isFault(error)) throw error;
    throw new CommandError(`${what}: ${error.message}${remedy(error)}`);
  }
}

function remedy({ cause }: Fault): string {
  const refused = (cause as NodeJS.ErrnoException | undefined)?.code === 'ECONNREFUSED';
  return refused ? '; is an agent running there? Another one is named by -address or NOMAD_ADDR' : '';
}

function pem(path: string | undefined, flag: string): string | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new CommandError(`Error initializing client: -${flag}: ${messageOf(error)}`);
  }
}

function pemsIn(folder: string | undefined): string | undefined {
  if (folder === undefined) return undefined;
  return readdirSync(folder)
    .filter((name) => /\.(pem|crt|cer)$/.test(name))
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n');
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

const truthy = (text: string | undefined): boolean => text === '1' || text === 'true';
