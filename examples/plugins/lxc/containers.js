// Containers on the disk: made by lxc-create or of a directory, owned by ids of their own, removed. One directory each below lxc_path.
import { execFile } from 'node:child_process';
import {
  appendFile,
  chmod,
  lchown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  realpath,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { Fault } from 'drover/driver';
import { templateArguments } from './container-config.js';

const run = promisify(execFile);
const systemPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** `<task>-<allocation>-<generation>`: as an operator finds it with lxc-ls. Of a task's id, so that one whose state is lost is found too. */
export function containerName(taskId) {
  const [allocation = '', task = '', generation = ''] = taskId.split('/');
  return `${task}-${allocation}-${generation}`.replaceAll(/[^A-Za-z0-9_.-]/g, '_');
}

/** One of lxc's tools. What it says on stderr is the reason of a failure. */
export async function tool(name, args, signal) {
  try {
    const env = { PATH: systemPath, HOME: '/root', LANG: 'C' };
    return (await run(name, args, { signal, env, maxBuffer: 16 << 20 })).stdout;
  } catch (error) {
    if (signal?.aborted) throw error;
    const said =
      String(error.stderr ?? '')
        .trim()
        .split('\n')
        .filter(Boolean)
        .at(-1) ?? error.message;
    throw new Fault('unavailable', `${name}: ${said}`, { cause: error, recoverable: true });
  }
}

export class Containers {
  constructor(plugin) {
    this.plugin = plugin;
    this.path = plugin.lxc_path;
  }

  directory(taskId) {
    return join(this.path, containerName(taskId));
  }

  logFile(taskId) {
    return join(this.directory(taskId), 'lxc.log');
  }

  /** The words that name a container to any of lxc's tools. */
  named(taskId) {
    return ['-P', this.path, '-n', containerName(taskId)];
  }

  /** Makes the root file system; `lines(user)` are added to the configuration. What fails on the way is removed by the caller. */
  async make(task, lines, signal) {
    await this.#makeHome();
    const idFirst = task.config.privileged ? null : await this.#claimIds(task.id);
    const { template, rootfs } = task.config;
    if (template !== null && template !== '') await this.#byTemplate(task, signal);
    else await this.#byCopy(task, rootfs, signal);
    const root = join(this.directory(task.id), 'rootfs');
    if (idFirst !== null) await giveTo(root, idFirst);
    const user = await userInside(root, task.user);
    await appendFile(join(this.directory(task.id), 'config'), `${lines({ idFirst, user }).join('\n')}\n`, {
      mode: 0o600,
    });
    // passable: root of the container is nobody here
    await chmod(this.directory(task.id), 0o711);
    await chmod(join(this.directory(task.id), 'config'), 0o600);
    return { user };
  }

  /** What is refused before anything is made. */
  async check(task) {
    const { template, rootfs } = task.config;
    if (template === null || template === '') await this.#sourceOf(task, rootfs);
    else if (!this.plugin.templates.includes(template))
      throw new Fault('denied', `template ${JSON.stringify(template)} is not among the operator's templates`);
  }

  async #byTemplate(task, signal) {
    const { template } = task.config;
    const base = this.plugin.default_config || '/dev/null';
    const args = [...this.named(task.id), '-f', base, '-t', template, '--', ...templateArguments(task.config)];
    await this.#alone(task.id, ['lxc-create', ...args], signal);
  }

  async #byCopy(task, rootfs, signal) {
    const from = await this.#sourceOf(task, rootfs);
    const to = this.directory(task.id);
    await mkdir(to, { mode: 0o711 });
    await this.#alone(task.id, ['cp', '-a', '--reflink=auto', '--', from, join(to, 'rootfs')], signal);
    const base = this.plugin.default_config ? await readFile(this.plugin.default_config, 'utf8') : '';
    const own = [`lxc.uts.name = ${task.name}`, `lxc.rootfs.path = dir:${join(to, 'rootfs')}`];
    await writeFile(join(to, 'config'), `${base}\n${own.join('\n')}\n`, { mode: 0o600 });
  }

  async #sourceOf(task, rootfs) {
    // at a rehearsal the task's directory is not there: what is to be in it may still come
    if (task.rehearsal !== undefined && !rootfs.startsWith('/')) return rootfs;
    const own = await realpath(task.directories.task).catch(() => null);
    const wanted = rootfs.startsWith('/') ? rootfs : join(own, rootfs);
    const real = await realpath(wanted).catch(() => null);
    if (real === null) throw new Fault('invalid', `rootfs ${JSON.stringify(rootfs)} is not there`);
    const allowed = await Promise.all(this.plugin.rootfs_paths.map((each) => realpath(each).catch(() => null)));
    const inside = [own, ...allowed].some((each) => each !== null && (real === each || real.startsWith(`${each}/`)));
    if (!inside || real === own)
      throw new Fault(
        'denied',
        `rootfs ${JSON.stringify(rootfs)} is neither in the task directory nor in rootfs_paths`,
      );
    return real;
  }

  /** A link per range, made by the one who has it; the same task gets the same range again where it is free. */
  async #claimIds(taskId) {
    await mkdir(this.#claims, { recursive: true, mode: 0o700 });
    const { id_first: first, id_ranges: count } = this.plugin;
    const index = (await this.#claimOne(taskId)) ?? ((await this.releaseLost()) ? await this.#claimOne(taskId) : null);
    if (index !== null) return first + index * 65536;
    throw new Fault('unavailable', `all ${count} ranges of ids are in use: raise id_ranges`, { recoverable: true });
  }

  /** What a link says is there from its first moment on, unlike what a file holds. */
  async #claimOne(taskId) {
    const { id_ranges: count } = this.plugin;
    const says = `${containerName(taskId)} ${process.pid} ${await startOf(process.pid)}`;
    const begin = hash(taskId.split('/').slice(0, 2).join('/')) % count;
    for (let step = 0; step < count; step++) {
      const index = (begin + step) % count;
      try {
        await symlink(says, join(this.#claims, String(index)));
        return index;
      } catch (error) {
        if (error.code !== 'EEXIST') throw error;
      }
    }
    return null;
  }

  /**
   * Gives back the ranges of containers that are gone: whoever was killed on the way did not. A container that is not there yet has one who
   * claimed for it and lives. True: there were some.
   */
  async releaseLost() {
    let released = false;
    for (const [index, says] of await this.#claimed()) {
      const [name, pid, start] = says.split(' ');
      const there = await lstat(join(this.path, name)).catch(() => null);
      if (there !== null || (await startOf(pid)) === start) continue;
      await rm(join(this.#claims, index), { force: true });
      released = true;
    }
    return released;
  }

  async #releaseIds(taskId) {
    for (const [index, says] of await this.#claimed())
      if (says.startsWith(`${containerName(taskId)} `)) await rm(join(this.#claims, index), { force: true });
  }

  async #claimed() {
    const names = await readdir(this.#claims).catch(() => []);
    return Promise.all(names.map(async (each) => [each, await readlink(join(this.#claims, each)).catch(() => '')]));
  }

  get #claims() {
    return join(this.path, '.ids');
  }

  /** Of one that is not there: nothing. Its processes have ended; a program that still makes it is waited for. */
  async remove(taskId) {
    await this.#alone(taskId, ['rm', '-rf', '--', this.directory(taskId)]);
    await this.#releaseIds(taskId);
    await rm(this.#lock(taskId), { force: true });
  }

  /** Passable: root of a container is nobody here. */
  async #makeHome() {
    await mkdir(this.path, { recursive: true, mode: 0o711 });
  }

  /** A template goes on when this process is killed: what it and its children hold is a lock, not a pid. */
  async #alone(taskId, words, signal) {
    await this.#makeHome();
    await mkdir(dirname(this.#lock(taskId)), { recursive: true, mode: 0o700 });
    await tool('flock', [this.#lock(taskId), ...words], signal);
  }

  #lock(taskId) {
    return join(this.path, '.locks', containerName(taskId));
  }

  /**
   * The process that signals are for, as the host counts: init where that is what runs, else its one child, the command. What lxc does with a
   * signal to its foreground process is not that: SIGHUP becomes SIGTERM, and SIGTERM ends everything. Null: there is none any more.
   */
  async mainProcess(taskId, runsInit) {
    const init = Number(await tool('lxc-info', [...this.named(taskId), '-p', '-H']).catch(() => '0'));
    if (!(init > 1) || runsInit) return init > 1 ? init : null;
    const children = await readFile(`/proc/${init}/task/${init}/children`, 'utf8').catch(() => '');
    for (const pid of children.split(' ').filter(Boolean)) {
      const status = await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      if (/^NSpid:.*\s2$/m.test(status)) return Number(pid);
    }
    return null;
  }

  /** Who `task.user` is in the container, as it was when it was made. */
  async userOf(taskId) {
    const config = await readFile(join(this.directory(taskId), 'config'), 'utf8');
    const [uid, gid] = ['uid', 'gid'].map(
      (each) => new RegExp(`^lxc\\.init\\.${each} = (\\d+)$`, 'm').exec(config)?.[1],
    );
    return uid === undefined ? null : { uid, gid };
  }

  async exists(taskId) {
    return (await lstat(this.directory(taskId)).catch(() => null)) !== null;
  }
}

/** When a process began, in the kernel's count: with its number, it is no other. Null: there is none. */
async function startOf(pid) {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  return stat === null ? null : stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** FNV-1a */
function hash(text) {
  let value = 0x811c9dc5;
  for (const byte of Buffer.from(text)) value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  return value;
}

/** The tree belongs to the container's ids from now on. No process of the container runs yet. */
async function giveTo(path, first) {
  const { uid, gid, mode } = await lstat(path);
  await lchown(path, first + (uid % 65536), first + (gid % 65536));
  // a change of owner takes the bits of setuid and setgid away
  if ((mode & 0o170000) !== 0o120000 && (mode & 0o6000) !== 0) await chmod(path, mode & 0o7777);
  if ((mode & 0o170000) !== 0o040000) return;
  for (const name of await readdir(path)) await giveTo(join(path, name), first);
}

/** `"1000"`, `"1000:100"`, or a name of the container's own /etc/passwd. Null: root of the container. */
async function userInside(root, user) {
  if (user === '') return null;
  const ids = /^(\d+)(?::(\d+))?$/.exec(user);
  if (ids !== null) return { uid: Number(ids[1]), gid: Number(ids[2] ?? ids[1]) };
  const passwd = await readFile(join(root, 'etc/passwd'), 'utf8').catch(() => '');
  const fields = passwd
    .split('\n')
    .map((line) => line.split(':'))
    .find(([name]) => name === user);
  if (fields === undefined)
    throw new Fault('invalid', `user ${JSON.stringify(user)} is not in the container's /etc/passwd`);
  return { uid: Number(fields[2]), gid: Number(fields[3]) };
}
