// A task → the lines of its container's configuration (lxc.container.conf(5)). Nothing here touches the system.
import { isAbsolute } from 'node:path';
import { Fault } from 'drover/driver';

const shared = '/usr/share/lxc/config';
const modes = ['bridge', 'host', 'none'];

/**
 * What is added to what the template wrote: the later of two lines wins.
 * `idFirst` null: not mapped. `user`: ids inside the container.
 */
export function containerLines({ task, plugin, idFirst, user }) {
  const network = networkOf(task, plugin);
  return [
    `lxc.include = ${shared}/common.conf`,
    ...(idFirst === null
      ? []
      : [
          `lxc.include = ${shared}/userns.conf`,
          `lxc.idmap = u 0 ${idFirst} 65536`,
          `lxc.idmap = g 0 ${idFirst} 65536`,
        ]),
    ...network.lines,
    ...mountLines(task, plugin),
    // limits, statistics and the end of everything are those of the task's own group, which this one is below
    'lxc.cgroup.relative = 1',
    'lxc.no_new_privs = 1',
    'lxc.console.path = none',
    'lxc.tty.max = 0',
    ...(user === null ? [] : [`lxc.init.uid = ${user.uid}`, `lxc.init.gid = ${user.gid}`]),
    ...environmentLines(task.env),
  ];
}

function networkOf(task, plugin) {
  // a network that others made: its /sys is not ours to mount
  const borrowed = ['lxc.mount.auto =', 'lxc.mount.auto = proc:mixed'];
  const { network } = task;
  if (network !== null && network.path !== '')
    return { lines: [...borrowed, `lxc.namespace.share.net = ${oneLine('network', network.path)}`] };
  if (network?.mode === 'none') return { lines: ['lxc.net.0.type = empty'] };
  const mode = task.config.network_mode || plugin.network_mode;
  if (!modes.includes(mode))
    throw new Fault('invalid', `network_mode is one of ${modes.join(', ')}, not ${JSON.stringify(mode)}`);
  if (mode === 'host') return { lines: [...borrowed, 'lxc.net.0.type = none'] };
  if (mode === 'none') return { lines: ['lxc.net.0.type = empty'] };
  const bridge = oneLine('bridge', plugin.bridge);
  return { lines: ['lxc.net.0.type = veth', `lxc.net.0.link = ${bridge}`, 'lxc.net.0.flags = up'] };
}

/** The bridge a task would be attached to; null: none. */
export function bridgeOf(task, plugin) {
  if (task.network !== null && (task.network.path !== '' || task.network.mode === 'none')) return null;
  return (task.config.network_mode || plugin.network_mode) === 'bridge' ? plugin.bridge : null;
}

function mountLines(task, plugin) {
  const { directories } = task;
  const mounts = [
    { from: directories.shared, to: 'alloc', readOnly: false },
    { from: directories.local, to: 'local', readOnly: false },
    { from: directories.secrets, to: 'secrets', readOnly: false },
    ...task.mounts.map(({ hostPath, taskPath, readOnly }) => ({ from: hostPath, to: taskPath, readOnly })),
    ...task.config.volumes.map((text) => volume(text, task, plugin)),
  ];
  return [
    ...mounts.map(({ from, to, readOnly }) => {
      const flags = `bind,nosuid,nodev,create=dir${readOnly ? ',ro' : ''}`;
      return `lxc.mount.entry = ${escaped(from)} ${inside(to)} none ${flags} 0 0`;
    }),
    ...task.devices.map(
      ({ hostPath, taskPath }) =>
        `lxc.mount.entry = ${escaped(hostPath)} ${inside(taskPath)} none bind,create=file 0 0`,
    ),
  ];
}

function volume(text, task, plugin) {
  const [from = '', to = '', flag = ''] = text.split(':');
  if (from === '' || to === '' || !['', 'ro', 'rw'].includes(flag) || text.split(':').length > 3)
    throw new Fault('invalid', `volumes: ${JSON.stringify(text)} is not "host path:path in the container[:ro]"`);
  if (from.split('/').includes('..')) throw new Fault('invalid', `volumes: ${JSON.stringify(text)} leads out by ".."`);
  if (isAbsolute(from) && !plugin.volumes_enabled)
    throw new Fault('denied', `volumes: ${JSON.stringify(text)}: volumes_enabled is false on this node`);
  return { from: isAbsolute(from) ? from : `${task.directories.task}/${from}`, to, readOnly: flag === 'ro' };
}

/** Relative to the root of the container, as lxc wants it. */
function inside(path) {
  const bare = path.replace(/^\/+/, '');
  if (bare === '' || bare.split('/').includes('..'))
    throw new Fault('invalid', `${JSON.stringify(path)} is no path in a container`);
  return escaped(bare);
}

/** As fstab(5) has it. */
function escaped(path) {
  return oneLine('path', path)
    .replaceAll('\\', '\\134')
    .replaceAll(' ', '\\040')
    .replaceAll('\t', '\\011')
    .replaceAll('#', '\\043');
}

function environmentLines(env) {
  return Object.entries(env).map(([name, value]) => `lxc.environment = ${name}=${oneLine(`variable ${name}`, value)}`);
}

function oneLine(what, text) {
  if (/[\n\r\0]/.test(text))
    throw new Fault('invalid', `${what} has a line break, which a configuration of lxc cannot hold`);
  return text;
}

/** What `lxc-create -t TEMPLATE --` gets. */
export function templateArguments(config) {
  const named = {
    '--dist': config.distro,
    '--release': config.release,
    '--arch': config.arch,
    '--variant': config.image_variant,
    '--server': config.image_server,
    '--keyid': config.gpg_key_id,
    '--keyserver': config.gpg_key_server,
  };
  const flags = {
    '--no-validate': config.disable_gpg,
    '--flush-cache': config.flush_cache,
    '--force-cache': config.force_cache,
  };
  return [
    ...Object.entries(named).flatMap(([flag, value]) => (value ? [flag, value] : [])),
    ...Object.entries(flags).flatMap(([flag, on]) => (on ? [flag] : [])),
    ...config.template_args,
  ];
}
