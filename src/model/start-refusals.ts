/**
 * Why a start of a task would be refused on a node where it may be placed, as far as the job and what the node says of itself tell. Node
 * attributes:
 *   user.denylist                  "root,Administrator": the client option; likewise user.checked_drivers
 *   driver.exec.denied_users       "root,0,daemon,1": names and uids of the host that the driver's options deny
 *   driver.exec.denied_host_uids   "0-10": the option itself, for uids that nobody has
 *   driver.exec.default_user       "nobody": whom a task runs as that names nobody, where somebody is denied
 *   driver.exec.allow_caps         "chown,kill": what cap_add may name; "all"
 *   driver.exec.io_weight          "1", or what the kernel said when a weight was tried
 */
import type { Node } from './node.ts';
import type { Task } from './task.ts';

type Attributes = Node['Attributes'];
type Asking = Pick<Task, 'Driver' | 'Config' | 'User'>;

const listed = (text: string): readonly string[] => text.split(',').map((each) => each.trim());

/** By Nomad's client options `user.denylist` and `user.checked_drivers`. */
export function isDeniedUser(
  options: { readonly denied: string; readonly checkedDrivers: string },
  driver: string,
  user: string,
): boolean {
  const denied = listed(options.denied);
  const isRoot = /^(root|0+)(:|$)/.test(user);
  return (
    listed(options.checkedDrivers).includes(driver) && (denied.includes(user) || (denied.includes('root') && isRoot))
  );
}

/** Drivers that share `io_weight`, `cap_add` and the like. */
const commandDrivers: ReadonlySet<string> = new Set(['exec', 'java']);

/** Empty: nothing is known that would be refused. What is put together on the node only (`${…}`) is not judged. */
export function startRefusals(attributes: Attributes, task: Asking): readonly string[] {
  const of = (name: string): string | undefined => attributes?.[name];
  const own = (name: string): string | undefined => of(`driver.${task.Driver}.${name}`);
  const user = task.User ?? '';
  const found = /[$%]\{/.test(user) ? [] : [...userRefusals(of, own, task.Driver, user)];
  if (task.Driver === 'raw_exec') found.push(...rawRefusals(task.Config ?? {}));
  if (commandDrivers.has(task.Driver)) found.push(...optionRefusals(own, task.Config ?? {}));
  return found;
}

type Look = (name: string) => string | undefined;

function* userRefusals(of: Look, own: Look, driver: string, user: string): Generator<string> {
  const options = { denied: of('user.denylist') ?? '', checkedDrivers: of('user.checked_drivers') ?? '' };
  if (isDeniedUser(options, driver, user)) yield `running as user ${JSON.stringify(user)} is disallowed`;
  const [name = ''] = (user || (own('default_user') ?? '')).split(':');
  if (name === '') return;
  const denied = listed(own('denied_users') ?? '').includes(name) || isWithin(own('denied_host_uids') ?? '', name);
  if (denied) yield `running as user "${name}" is disallowed by denied_host_uids or denied_host_gids of ${driver}`;
}

function isWithin(ranges: string, name: string): boolean {
  if (!/^\d+$/.test(name)) return false;
  return listed(ranges).some((range) => {
    const [first = '', last = first] = range.split('-');
    return first !== '' && Number(first) <= Number(name) && Number(name) <= Number(last);
  });
}

function* optionRefusals(own: Look, config: Readonly<Record<string, unknown>>): Generator<string> {
  const weight = config['io_weight'];
  if (typeof weight === 'number' && weight !== 0) {
    const can = own('io_weight') ?? '1';
    if (!Number.isInteger(weight) || weight < 1 || weight > 10_000) yield `io_weight is 1 to 10000, not ${weight}`;
    else if (can !== '1') yield `io_weight: ${can}`;
  }
  const allowed = own('allow_caps');
  const added = Array.isArray(config['cap_add']) ? config['cap_add'].map(capability) : [];
  const refused =
    allowed === undefined || allowed === 'all' ? [] : added.filter((name) => !listed(allowed).includes(name));
  if (refused.length > 0) yield `driver does not allow the following capabilities: ${refused.join(', ')}`;
  yield* workDirRefusals(config);
  for (const mode of ['pid_mode', 'ipc_mode']) {
    const value = config[mode];
    if (typeof value === 'string' && !['', 'private', 'host'].includes(value) && !/[$%]\{/.test(value))
      yield `${mode} must be "private" or "host", not ${JSON.stringify(value)}`;
  }
}

function* rawRefusals(config: Readonly<Record<string, unknown>>): Generator<string> {
  const score = config['oom_score_adj'];
  if (typeof score === 'number' && (score < 0 || score > 1000)) yield `oom_score_adj must be 0 to 1000, not ${score}`;
  yield* workDirRefusals(config);
}

function* workDirRefusals({ work_dir: directory }: Readonly<Record<string, unknown>>): Generator<string> {
  if (typeof directory === 'string' && directory !== '' && !/^(\/|[$%]\{)/.test(directory))
    yield `work_dir must be an absolute path, not ${JSON.stringify(directory)}`;
}

const capability = (name: unknown): string => String(name).toLowerCase().replace(/^cap_/, '');
