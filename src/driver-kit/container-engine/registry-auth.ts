/** Who we are to a registry: the task's own words, then a file in Docker's form, then a credential helper. */
import { readFile } from 'node:fs/promises';
import { Fault, messageOf } from '../../lib/fault.ts';
import { endGroup } from '../../lib/node/process-group.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { objectAt, textAt } from './engine-answers.ts';

export interface RegistryAuth {
  readonly username: string;
  readonly password: string;
  readonly identityToken?: string;
  readonly email?: string;
  readonly serverAddress: string;
}

export interface AuthSources {
  /** Of the task; null: it says nothing. */
  readonly task: {
    readonly username: string;
    readonly password: string;
    readonly email: string;
    readonly serverAddress: string;
  } | null;
  /** Path of a config.json; `""`: none. */
  readonly config: string;
  /** `"ecr-login"`: the program `docker-credential-ecr-login`; `""`: none. */
  readonly helper: string;
}

const helperLimitMs = 30_000;

/** Null: nobody has credentials for this registry. `Fault('unavailable')`: a file or helper that cannot be used. `limitMs`: of a helper. */
export async function registryAuth(
  registry: string,
  sources: AuthSources,
  limitMs = helperLimitMs,
): Promise<RegistryAuth | null> {
  const { task } = sources;
  const address = registry === 'docker.io' ? 'https://index.docker.io/v1/' : registry;
  if (task !== null && task.username !== '')
    return {
      username: task.username,
      password: task.password,
      email: task.email,
      serverAddress: task.serverAddress || address,
    };
  const fromFile = sources.config === '' ? null : await authInFile(sources.config, registry, address, limitMs);
  if (fromFile !== null) return fromFile;
  return sources.helper === '' ? null : fromHelper(sources.helper, address, limitMs);
}

/** As a header: URL-safe base64 of JSON; engines insist on the padding, which Node leaves out. */
export function authHeader(auth: RegistryAuth): string {
  const { username, password, email, serverAddress, identityToken } = auth;
  const value = { username, password, serveraddress: serverAddress, email, identitytoken: identityToken };
  const text = Buffer.from(JSON.stringify(value)).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
}

async function authInFile(
  path: string,
  registry: string,
  address: string,
  limitMs: number,
): Promise<RegistryAuth | null> {
  let config: unknown;
  try {
    config = JSON.parse(await readFile(path, 'utf8'));
  } catch (error) {
    // the text of a parse error may hold what is in the file
    const reason = error instanceof SyntaxError ? 'it is no JSON' : messageOf(error);
    throw new Fault('unavailable', `auth.config ${path} cannot be read: ${reason}`, { recoverable: true });
  }
  const names = [address, registry, `https://${registry}`, `https://${registry}/v1/`, `https://${registry}/v2/`];
  for (const name of names) {
    const helper = textAt(config, 'credHelpers', name);
    if (helper !== '') return fromHelper(helper, name, limitMs);
    const entry = objectAt(config, 'auths', name);
    const [username = '', ...password] = Buffer.from(textAt(entry, 'auth'), 'base64').toString('utf8').split(':');
    if (username !== '') return { username, password: password.join(':'), serverAddress: name };
    const identityToken = textAt(entry, 'identitytoken');
    if (identityToken !== '') return { username: '', password: '', identityToken, serverAddress: name };
  }
  const store = textAt(config, 'credsStore');
  return store === '' ? null : fromHelper(store, address, limitMs);
}

/** The program gets the registry on stdin and answers JSON; it knows nothing: null. */
async function fromHelper(name: string, address: string, limitMs: number): Promise<RegistryAuth | null> {
  if (!/^[A-Za-z0-9._-]+$/.test(name))
    throw new Fault('invalid', `credential helper ${JSON.stringify(name)}: a name such as "ecr-login" is needed`);
  const program = `docker-credential-${name}`;
  const unusable = (why: string): Fault =>
    new Fault('unavailable', `credential helper ${program} ${why}`, { recoverable: true });
  const { code, stdout } = await ask(program, address, limitMs, unusable);
  if (code !== 0) {
    if (/credentials not found/i.test(stdout)) return null;
    // where a helper says what is wrong; credentials are only in an answer with 0
    throw unusable(`ended with ${code}: ${JSON.stringify(stdout.trim().slice(0, 200))}`);
  }
  let answer: unknown;
  try {
    answer = JSON.parse(stdout);
  } catch {
    throw unusable('answered what is no JSON');
  }
  const username = textAt(answer, 'Username');
  const secret = textAt(answer, 'Secret');
  if (username === '<token>') return { username: '', password: '', identityToken: secret, serverAddress: address };
  return username === '' ? null : { username, password: secret, serverAddress: address };
}

/** In a group of its own: what it started is ended with it, and nobody waits for that. */
function ask(
  program: string,
  address: string,
  limitMs: number,
  unusable: (why: string) => Fault,
): Promise<{ readonly code: number; readonly stdout: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['get'], { stdio: ['pipe', 'pipe', 'ignore'], detached: true });
    const late = setTimeout(() => {
      reject(unusable(`does not answer within ${limitMs / 1000} s`));
      endGroup(child.pid);
    }, limitMs);
    let stdout = '';
    child.stdout.on('data', (part: Buffer) => {
      stdout = `${stdout}${part.toString('utf8')}`.slice(0, 65_536);
    });
    child.on('error', (error) => {
      clearTimeout(late);
      reject(unusable(`cannot be run: ${error.message}`));
    });
    child.on('close', (code) => {
      clearTimeout(late);
      resolve({ code: code ?? -1, stdout });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(address);
  });
}
