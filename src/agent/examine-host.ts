/** What this host can enforce, found out without an agent: every probe, and trial tasks started as `exec` would. */
import { existsSync, statfsSync, statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { isolationTrials } from '../driver-kit/trial.ts';
import { locateVerifier } from '../driver-kit/verifier-program.ts';
import { agentHolds } from '../isolation/capabilities.ts';
import { type DiskFacts, diskRemedy, kernelKeepsQuotas, wholeMount } from '../isolation/disk-remedy.ts';
import {
  disabledControllers,
  type GroupFacts,
  legacyGroups,
  readOnlyGroups,
  unmountedHierarchies,
} from '../isolation/group-remedies.ts';
import { unfitDevices } from '../isolation/host-devices.ts';
import { installerOf } from '../isolation/installers.ts';
import { openIsolation } from '../isolation/isolation-host.ts';
import { type ProbeResult, probe, runChild } from '../isolation/mechanisms/probe.ts';
import { moreProcesses, processRoom } from '../isolation/process-room.ts';
import { climbsFrom, type HostFacts, namespaceSwitches } from '../isolation/remedies.ts';
import type { RemedyKind } from '../isolation/remedy.ts';
import { type AgentFacts, coversProc, neededCapabilities } from '../isolation/start-remedies.ts';
import { silentLog } from '../lib/log.ts';
import { deviceNumber } from '../lib/node/device-number.ts';
import { kernelLink } from '../lib/node/kernel-file.ts';
import { highestRung, type IsolationRung, linesOf, rungs } from '../model/isolation-ladder.ts';
import { notOnThisSystem } from '../model/isolation-losses.ts';
import type { IsolationReport } from '../model/isolation-report.ts';
import type { Supervisor } from '../supervise/contract.ts';
import { createSupervisor } from '../supervise/supervisor.ts';

/** In the answer of `drover doctor -json`. */
export interface HostExamination {
  readonly User: string;
  readonly Cgroups: string;
  /** Of tasks with a network of their own, and of tasks that keep the host's. */
  readonly OwnNetwork: TrialResult;
  readonly HostNetwork: TrialResult;
  readonly Mechanisms: readonly {
    readonly Name: string;
    readonly Ok: boolean;
    readonly Errno: string;
    readonly DurationMs: number;
    readonly Evidence: string;
  }[];
  readonly Climbs: readonly {
    readonly Rung: IsolationRung;
    readonly Remedies: readonly (AdvisedRemedy & { readonly Kind: RemedyKind })[];
  }[];
  /** What raises no rung, and would bind what tasks write to disk. */
  readonly Beside: readonly AdvisedRemedy[];
}

interface AdvisedRemedy {
  readonly Command: string;
  readonly Because: string;
  readonly Mechanism: string;
}

export interface TrialResult {
  readonly Rung: IsolationRung;
  readonly Runtime: string;
  /** Rung → its lines that were not verified. */
  readonly Lacks: { readonly [rung: string]: readonly string[] };
}

export interface ExamineOptions {
  /** A directory of this examination's own. */
  readonly stateDirectory: string;
  /** The agent's data_dir, or another directory: trial tasks live in `alloc` below it. */
  readonly dataDirectory: string;
  /** It is the agent's own. Default: false. */
  readonly isAgents?: boolean;
  readonly cgroupParent: string;
}

/** Takes a second or two; leaves nothing behind. */
export async function examineHost(options: ExamineOptions): Promise<HostExamination> {
  const supervisor = createSupervisor();
  const taskRoot = join(options.dataDirectory, 'alloc');
  const isolation = await openIsolation({
    cgroupParent: options.cgroupParent,
    verifier: locateVerifier(),
    stateDirectory: options.stateDirectory,
    taskRoot,
    subordinateIds: true,
  });
  try {
    const deps = { supervisor, isolation, stateDirectory: join(options.stateDirectory, 'tasks'), log: silentLog };
    const trials = await isolationTrials(deps);
    const found = new Map([
      ...isolation.probes,
      ['native_shim', await shimProbe(supervisor)],
      ['start', await startProbe([trials.ownNetwork, trials.hostNetwork])],
    ]);
    const probes = withDisproved(found, trials.disproved);
    const reached = highestRung([trials.ownNetwork.rung, trials.hostNetwork.rung]);
    return {
      User: isolation.uid === 0 ? 'root' : `uid ${isolation.uid}`,
      Cgroups: [isolation.cgroups.mode, isolation.cgroups.reason].filter((each) => each !== '').join('; '),
      OwnNetwork: resultOf(trials.ownNetwork),
      HostNetwork: resultOf(trials.hostNetwork),
      Mechanisms: [...probes.values()].map((each) => ({
        Name: each.name,
        Ok: each.ok,
        Errno: each.errno,
        DurationMs: each.durationMs,
        Evidence: each.evidence,
      })),
      Climbs: climbsFrom(reached, probes, await hostFacts(isolation.uid, taskRoot)).map(({ rung, remedies }) => ({
        Rung: rung,
        Remedies: remedies.map(({ kind, command, because, probe }) => ({
          Kind: kind,
          Command: command,
          Because: because,
          Mechanism: probe,
        })),
      })),
      Beside: await diskAdvice(probes.get('disk_quota'), isolation.uid, options.isAgents === true ? taskRoot : null),
    };
  } finally {
    await supervisor.close();
  }
}

/** What works and does not hold is no mechanism. */
function withDisproved(
  probes: ReadonlyMap<string, ProbeResult>,
  disproved: ReadonlyMap<string, string>,
): ReadonlyMap<string, ProbeResult> {
  const found = [...probes.values()].map((each) => {
    const evidence = disproved.get(each.name.replace('runtime.', ''));
    return [each.name, evidence === undefined ? each : { ...each, ok: false, evidence }] as const;
  });
  return new Map(found);
}

/** A supervisor that starts plain processes only isolates nothing. */
function shimProbe(supervisor: Supervisor) {
  const ok = supervisor.kind === 'native';
  const missing = process.platform === 'linux' ? 'the native supervisor is not built' : notOnThisSystem;
  return probe('native_shim', async () => ({ ok, evidence: ok ? 'native' : missing }));
}

/** A task of each kind of network. */
function startProbe(reports: readonly IsolationReport[]): Promise<ProbeResult> {
  const [failure] = reports.flatMap(({ mechanisms }) => mechanisms.filter(({ name }) => name === 'start'));
  return probe('start', async () => ({ ok: failure === undefined, evidence: failure?.evidence ?? 'tasks of nobody' }));
}

function resultOf(report: IsolationReport): TrialResult {
  const verified = new Set(report.mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name));
  const lacks = rungs.map((rung) => [rung, linesOf[rung].filter((line) => !verified.has(line))] as const);
  return { Rung: report.rung, Runtime: report.runtime, Lacks: Object.fromEntries(lacks) };
}

/** `taskRoot`: of the agent's; null: it is not known where that will be. */
export async function diskAdvice(
  found: ProbeResult | undefined,
  uid: number,
  taskRoot: string | null,
): Promise<HostExamination['Beside']> {
  if (found === undefined || found.ok || found.evidence === notOnThisSystem) return [];
  const command = diskRemedy(found, taskRoot === null ? null : await diskFacts(taskRoot), uid);
  return [{ Mechanism: found.name, Command: command, Because: found.evidence }];
}

async function diskFacts(taskRoot: string): Promise<DiskFacts | null> {
  const { dev } = statSync(taskRoot);
  const { major, minor } = deviceNumber(dev);
  const found = wholeMount(await read('/proc/self/mountinfo'), `${major}:${minor}`);
  if (found === null) return null;
  const release = (await read('/proc/sys/kernel/osrelease')).trim();
  const built = await readFile('/proc/config.gz').then(
    (packed) => gunzipSync(packed).toString(),
    () => '',
  );
  const config = built || (await read(`/boot/config-${release}`));
  const modules = await Promise.all(['dep', 'builtin'].map((kind) => read(`/lib/modules/${release}/modules.${kind}`)));
  return { ...found, inKernel: kernelKeepsQuotas(found.type, config, modules.join('')) };
}

function read(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}

/** The kernel gives it this number on every host. Source: PROC_USER_INIT_INO in its include/linux/proc_ns.h. */
const firstUserNamespace = 'user:[4026531837]';

async function hostFacts(uid: number, taskRoot: string): Promise<HostFacts> {
  const values = await Promise.all(
    namespaceSwitches.map(
      async ([name]) => [name, (await read(`/proc/sys/${name.replaceAll('.', '/')}`)).trim()] as const,
    ),
  );
  const compiler = await runChild(['sh', '-c', 'command -v cc || command -v gcc || command -v clang']);
  const mapper = await runChild(['sh', '-c', 'command -v newuidmap && command -v newgidmap']);
  return {
    ...(await groupFacts(uid)),
    ...(await agentFacts(uid, taskRoot)),
    installer: installerOf(await read('/etc/os-release')),
    sysctls: new Map(values.filter(([, value]) => value !== '')),
    hasCompiler: compiler.code === 0,
    buildScript: existsSync(buildScript) ? buildScript : null,
    moreProcesses: moreProcesses(processRoom()),
    innerRoot: inUserNamespace(),
    subordinates: {
      user: userName(await read('/etc/passwd'), uid),
      uid,
      gid: process.getgid?.() ?? uid,
      uids: await read('/etc/subuid'),
      gids: await read('/etc/subgid'),
      hasProgram: mapper.code === 0,
    },
  };
}

function inUserNamespace(): boolean {
  return ![firstUserNamespace, ''].includes(kernelLink('/proc/self/ns/user'));
}

async function agentFacts(uid: number, taskRoot: string): Promise<AgentFacts> {
  const isLinux = process.platform === 'linux';
  const status = await read('/proc/self/status');
  const path = existsSync(taskRoot) ? taskRoot : dirname(taskRoot);
  const { bavail, bsize, ffree } = statfsSync(path);
  const limits = await read('/proc/self/limits');
  const [, files] = /^Max open files\s+\d+\s+(\d+)/m.exec(limits) ?? [];
  const [, fileBytes] = /^Max file size\s+(\d+)/m.exec(limits) ?? [];
  return {
    restoreMapper: await restoreMapper(),
    noNewPrivs: /^NoNewPrivs:\s*1/m.test(status),
    lacksCapabilities: uid === 0 ? neededCapabilities.filter((name) => !agentHolds(name)) : [],
    openFiles: files === undefined ? null : Number(files),
    fileBytes: fileBytes === undefined ? null : Number(fileBytes),
    unfitDevices: isLinux ? unfitDevices() : [],
    makesDevices: uid !== 0 || (agentHolds('MKNOD') && !inUserNamespace()),
    proc: isLinux && status === '' ? 'missing' : coversProc(await read('/proc/self/mountinfo')) ? 'covered' : 'whole',
    mountsProc: uid !== 0 || (agentHolds('SYS_ADMIN') && !inUserNamespace()),
    room: { path, kib: Math.floor((bavail * bsize) / 1024), files: ffree },
  };
}

/** They map with rights of their file, which a mount can take from it. */
async function restoreMapper(): Promise<string> {
  const look = '[ -n "$p" ] || continue; [ -u "$p" ] || echo "chmod u+s $p"; findmnt -nro TARGET,OPTIONS -T "$p"';
  const script = `for n in newuidmap newgidmap; do p=$(readlink -f "$(command -v $n)"); ${look}; done`;
  const { stdout } = await runChild(['sh', '-c', script]);
  const rows = [...new Set(stdout.split('\n'))];
  const closed = rows.flatMap((row) => /^(\/\S*) .*\bnosuid\b/.exec(row)?.[1] ?? []);
  return [
    ...closed.map((mount) => `mount -o remount,bind,suid ${mount}`),
    ...rows.filter((row) => row.startsWith('chmod')),
  ].join(' && ');
}

/** A checkout has it; what is installed is built already. */
const buildScript = fileURLToPath(new URL('../../scripts/build-native.mjs', import.meta.url));

async function groupFacts(uid: number): Promise<GroupFacts> {
  const mountinfo = await read('/proc/self/mountinfo');
  const manager = existsSync(`/run/user/${uid}/systemd/private`);
  const unit = `/sys/fs/cgroup/user.slice/user-${uid}.slice/user@${uid}.service`;
  return {
    uid,
    unmounted: unmountedHierarchies(await read('/proc/cgroups'), mountinfo),
    disabled: disabledControllers(await read('/proc/cmdline')),
    legacyGroups: legacyGroups(mountinfo),
    readOnlyGroups: readOnlyGroups(mountinfo),
    cgroupPlace: existsSync('/sys/fs/cgroup'),
    cgroupRoot: / \/sys\/fs\/cgroup \S+ .*- tmpfs /.test(mountinfo),
    systemd: existsSync('/run/systemd/system'),
    userManager: manager ? (await read(`${unit}/cgroup.controllers`)).split(/\s+/).filter((name) => name !== '') : [],
    runtimeDirectory: process.env['XDG_RUNTIME_DIR'] === `/run/user/${uid}`,
  };
}

function userName(passwd: string, uid: number): string {
  return new RegExp(`^([^:\\n]+):[^:]*:${uid}:`, 'm').exec(passwd)?.[1] ?? '';
}
