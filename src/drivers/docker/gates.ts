/** What an operator has not allowed is refused before anything is made; each refusal names the option that would allow it. */
import { allCapabilities, capabilityName, nomadDefaultCapabilities } from '../../isolation/capabilities.ts';
import { Fault, messageOf } from '../../lib/fault.ts';
import type { PluginOptions, TaskOptions } from './options.ts';

/**
 * Unlike Nomad: what a container gets unless it asks. Enough for programs that start as root, own their files and become somebody else;
 * MKNOD, SETFCAP, SETPCAP, SYS_CHROOT and AUDIT_WRITE are not among them.
 */
const trimmed: readonly string[] = 'CHOWN DAC_OVERRIDE FOWNER FSETID KILL NET_BIND_SERVICE SETGID SETUID'.split(' ');

const modes = [
  ['pid_mode', 'pid'],
  ['ipc_mode', 'ipc'],
  ['userns_mode', 'userns'],
  ['uts_mode', 'uts'],
] as const;

/** What is wrong in the operator's own options: `Fault('invalid')`. */
export function checkPlugin(plugin: PluginOptions): void {
  const { allow_caps: allowed, capabilities } = plugin;
  notNegative(plugin, ['pids_limit']);
  for (const each of allowed) named('allow_caps', () => capabilityName(each));
  if (!['', 'nomad'].includes(capabilities))
    throw new Fault('invalid', `capabilities: ${JSON.stringify(capabilities)} is none of "", "nomad"`);
}

/** `Fault('denied')`, `Fault('invalid')`. */
export function checkGates(plugin: PluginOptions, task: TaskOptions): void {
  // the engine would take one for no limit
  notNegative(task, ['pids_limit', 'shm_size', 'memory_hard_limit']);
  if (task.oom_score_adj < 0 && !plugin.allow_privileged)
    throw denied(`oom_score_adj = ${task.oom_score_adj}`, 'allow_privileged = true');
  if (task.privileged && !plugin.allow_privileged) throw denied('privileged containers', 'allow_privileged = true');
  for (const [option, kind] of modes) {
    const mode = task[option];
    const patterns = plugin.allowed_modes?.[kind] ?? [];
    if (mode === '' || plugin.allow_privileged || patterns.some((each) => globMatches(each, mode))) continue;
    throw denied(`${option} = ${JSON.stringify(mode)}`, `allowed_modes { ${kind} = [${JSON.stringify(mode)}] }`);
  }
  if (task.cgroupns !== '' && task.cgroupns !== 'host' && task.cgroupns !== 'private')
    throw new Fault('invalid', `cgroupns must be "host" or "private", not ${JSON.stringify(task.cgroupns)}`);
  if (task.cgroupns === 'host' && !plugin.allow_privileged)
    throw denied('cgroupns = "host"', 'allow_privileged = true');
  if (task.runtime !== '' && !plugin.allow_runtimes.includes(task.runtime))
    throw denied(`runtime ${JSON.stringify(task.runtime)}`, `allow_runtimes = [${JSON.stringify(task.runtime)}]`);
  if (task.devices.length > 0 && !plugin.allow_privileged && plugin.volumes?.enabled !== true)
    throw denied("the host's devices", 'volumes { enabled = true }');
  // podman's, which writes `name=value` and splits that at the first "="
  const logsElsewhere = Object.keys(task.logging?.config ?? {}).some((name) => /^path(=|$)/.test(name));
  if (logsElsewhere && plugin.volumes?.enabled !== true)
    throw denied('a path of the host for the output (logging)', 'volumes { enabled = true }');
  if (plugin.pids_limit > 0 && task.pids_limit > plugin.pids_limit)
    throw new Fault('denied', `pids_limit ${task.pids_limit} is more than the operator's ${plugin.pids_limit}`);
  if (task.cpu_cfs_period < 0 || task.cpu_cfs_period > 1_000_000)
    throw new Fault('invalid', `cpu_cfs_period is 0 to 1000000 microseconds, not ${task.cpu_cfs_period}`);
}

function notNegative<N extends string>(options: Readonly<Record<N, number>>, names: readonly N[]): void {
  for (const name of names)
    if (options[name] < 0) throw new Fault('invalid', `${name} is not ${options[name]}: it is 0 or more`);
}

function named(option: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    throw new Fault('invalid', `${option}: ${messageOf(error)}`, { cause: error });
  }
}

/** What the container has: all others are dropped. */
export function capabilitiesOf(plugin: PluginOptions, task: TaskOptions): readonly string[] {
  const allowed = expand(plugin.allow_caps);
  const added = expand(task.cap_add);
  const refused = added.filter((name) => !allowed.includes(name));
  if (refused.length > 0)
    throw new Fault(
      'denied',
      `driver does not allow the following capabilities: ${refused.map((name) => name.toLowerCase()).join(', ')}`,
    );
  const dropped = expand(task.cap_drop);
  const base = (plugin.capabilities === 'nomad' ? nomadDefaultCapabilities : trimmed).filter((name) =>
    allowed.includes(name),
  );
  return [...new Set([...base.filter((name) => !dropped.includes(name)), ...added])].sort();
}

function expand(names: readonly string[]): readonly string[] {
  return names.flatMap((each) => (capabilityName(each) === 'ALL' ? allCapabilities : [capabilityName(each)]));
}

export function denied(what: string, how: string): Fault {
  return new Fault(
    'denied',
    `${what}: not allowed on this node; the operator allows it by plugin "docker" { config { ${how} } }`,
  );
}

/** `*` stands for anything, `?` for one character. */
export function globMatches(pattern: string, text: string): boolean {
  const escaped = pattern
    .replace(/[.+^$()|[\]\\{}]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${escaped}$`).test(text);
}
