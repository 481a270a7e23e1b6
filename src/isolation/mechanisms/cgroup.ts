/** Each cgroup controller in the hierarchy where it lives: a limit is written, a child put in, and the effect seen. */
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { deviceNumber } from '../../lib/node/device-number.ts';
import { kernelText, writeKernelText } from '../../lib/node/kernel-file.ts';
import type { CgroupHost } from '../cgroup/hierarchy.ts';
import {
  describeTaskCgroup,
  killDirectories,
  makeTaskCgroup,
  removeTaskCgroup,
  type TaskCgroup,
} from '../cgroup/task-cgroup.ts';
import { lookAtMemory } from './memory-limit.ts';
import { type ProbeResult, probe, runChild } from './probe.ts';

const limits = { memoryBytes: 16 * 1024 * 1024, memoryLowBytes: null, cpuShares: 100, pids: 3, cpusetCpus: '' };

type Seen = { readonly ok: boolean; readonly evidence: string };
type Directory = TaskCgroup['directories'][number];

/** `cgroup.<controller>`, each with a group of its own, and `cgroup.kill`. */
export async function cgroupProbes(host: CgroupHost): Promise<readonly ProbeResult[]> {
  return Promise.all([
    ...Object.entries(looks).map(([controller, look]) =>
      probe(`cgroup.${controller}`, () => inGroup(host, controller, look)),
    ),
    probe('cgroup.kill', () =>
      inGroup(host, 'kill', async (_, group) => {
        const paths = killDirectories(group);
        return { ok: paths.length > 0, evidence: paths.join(', ') || host.reason || 'nothing that ends groups' };
      }),
    ),
  ]);
}

/** Makes a group, looks, removes it. `controller` must live in one of its directories, but for `kill`. */
async function inGroup(
  host: CgroupHost,
  controller: string,
  look: (directory: Directory, group: TaskCgroup) => Promise<Seen>,
): Promise<Seen> {
  const group = describeTaskCgroup(host, `probe-${process.pid}-${controller}`, [controller]);
  const directory = group.directories.find(({ controllers }) => controllers.includes(controller));
  const [first] = group.directories;
  if (first === undefined || (directory === undefined && controller !== 'kill')) {
    return { ok: false, evidence: host.reason || `no ${controller} controller in the hierarchies that can be used` };
  }
  try {
    await makeTaskCgroup(group, limits);
    return await look(directory ?? first, group);
  } finally {
    await removeTaskCgroup(group);
  }
}

const inside = (path: string, script: string) =>
  runChild(['sh', '-c', `echo $$ > ${join(path, 'cgroup.procs')} || exit 99; ${script}`]);

/** What is measured by time is measured again where the host was too busy to tell. */
const mostRounds = 5;

const looks: Readonly<Record<string, (directory: Directory) => Promise<Seen>>> = {
  async pids({ path }) {
    const done = await inside(path, '(sleep 0.2 & sleep 0.2 & sleep 0.2 & sleep 0.2 & wait) 2>&1');
    const refused = /fork|temporarily unavailable/i.test(done.stdout + done.stderr);
    const evidence = refused ? 'the process beyond the limit was refused' : `not refused: ${done.stdout}${done.stderr}`;
    return { ok: refused, evidence };
  },
  memory: (directory) => lookAtMemory(directory, limits.memoryBytes),
  /** A tenth of a core: its own time tells, whatever else the machine does. */
  async cpu({ path, version }) {
    if (version === 2) writeKernelText(join(path, 'cpu.max'), '5000 50000');
    else {
      writeKernelText(join(path, 'cpu.cfs_period_us'), '50000');
      writeKernelText(join(path, 'cpu.cfs_quota_us'), '5000');
    }
    let throttled = '';
    // on a busy host a child may not get its tenth at all: then nothing had to hold it back
    for (let round = 0; round < mostRounds && !/[1-9]/.test(throttled); round++) {
      await inside(path, 'timeout 0.3 sh -c "while :; do :; done"');
      throttled = /nr_throttled \d+/.exec(await readFile(join(path, 'cpu.stat'), 'utf8'))?.[0] ?? '';
    }
    const ok = /[1-9]/.test(throttled);
    return {
      ok,
      evidence: ok ? `a spinning child was held to a tenth of a core: ${throttled}` : 'it was not held back',
    };
  },
  async cpuset({ path }) {
    const offered = kernelText(join(path, 'cpuset.cpus.effective')) || kernelText(join(path, 'cpuset.cpus'));
    const [one = ''] = /\d+/.exec(offered) ?? [];
    writeKernelText(join(path, 'cpuset.cpus'), one);
    const done = await inside(path, 'sed -n "s/^Cpus_allowed_list:\\s*//p" /proc/self/status');
    const ok = one !== '' && done.stdout.trim() === one;
    return { ok, evidence: ok ? `held to processor ${one} of ${offered.trim()}` : done.stdout || done.stderr };
  },
  io: lookAtIo,
  /** With version 2 rules are programs that only a runtime attaches: what it made is then checked on each task. */
  async devices({ path, version }) {
    if (version === 2) return { ok: false, evidence: 'version 2: rules are attached by a runtime, and tried there' };
    const read = 'head -c 1 /dev/zero 2>&1 >/dev/null && echo read';
    const before = await inside(path, read);
    writeKernelText(join(path, 'devices.deny'), 'a');
    writeKernelText(join(path, 'devices.allow'), 'c 1:3 rwm');
    const after = await inside(path, `${read}; echo >/dev/null && echo null`);
    const ok = before.stdout === 'read\n' && /not permitted/i.test(after.stdout) && after.stdout.endsWith('null\n');
    return {
      ok,
      evidence: ok ? 'a denied device cannot be opened, an allowed one can' : `${before.stdout}; ${after.stdout}`,
    };
  },
};

/** 2 MiB/s from the disk where this program lies: half a MiB takes a quarter of a second, less what a burst lets pass. */
async function lookAtIo({ path, version }: Directory): Promise<Seen> {
  const device = diskOf((await stat(process.execPath)).dev);
  const rate = 2 * 1024 * 1024;
  if (version === 2) writeKernelText(join(path, 'io.max'), `${device} rbps=${rate}`);
  else writeKernelText(join(path, 'blkio.throttle.read_bps_device'), `${device} ${rate}`);
  const read = `dd if='${process.execPath}' of=/dev/null bs=64k count=8 iflag=direct 2>/dev/null`;
  const took = async (run: Promise<unknown>): Promise<number> => {
    const from = performance.now();
    await run;
    return Math.round(performance.now() - from);
  };
  const held = await took(inside(path, read));
  let free = Number.POSITIVE_INFINITY;
  // others slow down a read that nothing limits, never the other way round: the quickest of them counts
  for (let round = 0; round < mostRounds && held <= 2 * free; round++) {
    free = Math.min(free, await took(runChild(['sh', '-c', read])));
  }
  const ok = held >= 150 && held > 2 * free;
  return { ok, evidence: `512 KiB at 2 MiB/s took ${held} ms, ${free} ms without` };
}

/** `"8:0"`: limits are of whole disks, not of partitions. */
function diskOf(device: number): string {
  const { major, minor } = deviceNumber(device);
  const number = `${major}:${minor}`;
  const whole =
    kernelText(`/sys/dev/block/${number}/partition`) === '' ? '' : kernelText(`/sys/dev/block/${number}/../dev`);
  return whole.trim() || number;
}
