#!/usr/bin/env node
// npm test: sets up what is missing, then runs the lanes side by side, each with its own time limit, and ends with one line of counts.
//   node scripts/test.mjs [--long] [LANE…]
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { limited, say, sideBySide } from './lib/lanes.mjs';
import { build, ensureCompiler, ensureDownloads, ensureModules, ensurePackages, found, isRoot } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';
import { readReport, reporting } from './lib/vitest-report.mjs';

const long = process.argv.includes('--long');
const only = process.argv.slice(2).filter((word) => !word.startsWith('--'));
const inCi = process.env.CI === 'true' || process.env.CI === '1';
const scratch = mkdtempSync(join(tmpdir(), 'drover-test-'));
const factor = long ? 20 : 1;
/** They wait three times as long as they work. */
const atOnce = 2 * Math.max(2, availableParallelism());
/** What failed, said again at the end, where whoever reads a long log looks first. */
const problems = [];

/**
 * Those first that take longest. minutes: the lane's own limit, beside others; needs: programs without which it is skipped, and in CI as root
 * failed; provesAnew: each of its agents.
 */
const lanes = [
  { name: 'security', minutes: 28, run: vitest, provesAnew: true },
  { name: 'docker', minutes: 27, run: vitest, needs: ['runc'] },
  { name: 'e2e', minutes: 28, run: vitest },
  { name: 'network', minutes: 20, run: network, needs: ['ip', 'nft', 'unshare', 'perl'] },
  { name: 'machines', minutes: 20, run: vitest, needs: ['runc'] },
  { name: 'goldens', minutes: 26, project: 'compat', run: vitest },
  { name: 'podman', minutes: 25, run: vitest, needs: ['runc'] },
  { name: 'guest', minutes: 30, run: vitest },
  { name: 'drivers', minutes: 21, run: vitest, needs: ['runc', 'bwrap'] },
  { name: 'unit', minutes: 12, run: vitest },
  { name: 'faults', minutes: 15, run: vitest },
  { name: 'check', minutes: 6, run: check },
  { name: 'go', minutes: 18, run: go, needs: ['go'] },
].map((lane) => ({ ...lane, minutes: lane.minutes * factor }));

const packages = [
  { program: 'runc', package: 'runc', why: 'the OCI runtime rungs are skipped' },
  { program: 'bwrap', package: 'bubblewrap', why: 'the bubblewrap rungs are skipped' },
  { program: 'crun', package: 'crun', why: 'the other OCI runtime is not tried' },
  { program: 'nft', package: 'nftables', why: 'networks of allocations are skipped' },
  { program: 'ip', package: 'iproute2', why: 'networks of allocations are skipped' },
  { program: 'slirp4netns', package: 'slirp4netns', why: 'networks without root are skipped' },
  { program: 'newuidmap', package: 'uidmap', why: 'unprivileged agents cannot give each task an own uid' },
  { program: 'setpriv', package: 'util-linux', why: 'the lanes cannot drop to an unprivileged user' },
  { program: 'aarch64-linux-gnu-gcc', package: 'gcc-aarch64-linux-gnu', why: 'the package is not packed and tried' },
  { program: 'aarch64-linux-gnu-gcc', package: 'libc6-dev-arm64-cross', why: 'the package is not packed and tried' },
  { program: 'dockerd', package: 'docker.io', why: 'the docker driver is skipped' },
  { program: 'iptables', package: 'iptables', why: 'the docker driver is skipped' },
  { program: 'podman', package: 'podman', why: 'the podman driver is skipped' },
  { program: 'conmon', package: 'conmon', why: 'the podman driver is skipped' },
  { program: '../lib/podman/netavark', package: 'netavark', why: 'the podman driver is skipped' },
  { program: 'catatonit', package: 'catatonit', why: 'the init of podman is not tried' },
  { program: 'busybox', package: 'busybox-static', why: 'the drivers of containers are skipped: no image can be made' },
  { program: 'qemu-system-x86_64', package: 'qemu-system-x86', why: 'the qemu driver is skipped' },
  { program: 'qemu-ga', package: 'qemu-guest-agent', why: 'the agent in a guest of qemu is not tried' },
  ...(process.arch === 'x64'
    ? [{ program: '../../vmlinuz', package: 'linux-image-cloud-amd64', why: 'the microvm driver is skipped' }]
    : []),
  { program: 'mke2fs', package: 'e2fsprogs', why: 'the microvm driver is skipped' },
  { program: 'lxc-execute', package: 'lxc', why: 'the lxc driver is skipped' },
  { program: 'java', package: 'default-jre-headless', why: 'the java driver is skipped' },
  { program: 'ecj', package: 'ecj', why: 'the java driver is skipped' },
  { program: 'clang', package: 'clang', why: 'the wasm driver is skipped: no module can be made' },
  { program: 'wasm-ld', package: 'lld', why: 'the wasm driver is skipped: no module can be made' },
  {
    program: '../lib/wasm32-wasi/libc.a',
    package: 'wasi-libc',
    why: 'the wasm driver is skipped: no module can be made',
  },
  {
    program: '../lib/wasm32-wasi/libc.a',
    package: 'libclang-rt-dev-wasm32',
    why: 'the wasm driver is skipped: no module can be made',
  },
  { program: 'setcap', package: 'libcap2-bin', why: 'the attacks are skipped' },
  { program: 'tmux', package: 'tmux', why: 'the example of an engine is skipped' },
  { program: 'systemd-analyze', package: 'systemd', why: 'the unit under a real systemd is skipped' },
  { program: 'dbus-daemon', package: 'dbus', why: 'a systemd in a guest is skipped' },
  ...(process.arch === 'x64'
    ? [
        {
          program: '../lib/x86_64-linux-gnu/security/pam_systemd.so',
          package: 'libpam-systemd',
          why: 'a systemd in a guest is skipped',
        },
      ]
    : []),
  { program: 'strace', package: 'strace', why: 'faults at exact system calls are skipped' },
];

const downloads = [
  { name: 'dnf', packages: ['dnf', 'rpm', 'createrepo-c'], why: "what is installed on Fedora's hosts is not tried" },
  {
    name: 'zypper',
    packages: ['zypper', 'rpm', 'createrepo-c'],
    why: "what is installed on SUSE's hosts is not tried",
  },
  { name: 'pacman', packages: ['pacman-package-manager'], why: "what is installed on Arch's hosts is not tried" },
  { name: 'sudo', packages: ['sudo'], why: 'what an ordinary user asks of root is not tried' },
];

async function main() {
  ensureModules();
  ensureCompiler();
  ensurePackages(packages);
  ensureDownloads(downloads);
  build();
  const before = processors();
  const results = await sideBySide(
    lanes.filter(({ name }) => only.length === 0 || only.includes(name)),
    atOnce,
    scratch,
    runLane,
  );
  rmSync(scratch, { recursive: true, force: true });
  for (const problem of problems) console.log(`\nFAILED ${problem}`);
  console.log(`\n${results.map(row).join('\n')}\n`);
  console.log(sinceThen(before));
  const sum = (key) => results.reduce((total, { counts }) => total + counts[key], 0);
  console.log(`${sum('passed')} passed, ${sum('failed')} failed, ${sum('skipped')} skipped`);
  process.exit(sum('failed') === 0 && sum('passed') > 0 ? 0 : 1);
}

/** `busy`: milliseconds that this machine's processors have worked, whoever for. */
function processors() {
  const times = cpus().flatMap((each) => Object.entries(each.times));
  return { at: Date.now(), busy: times.reduce((total, [name, ms]) => total + (name === 'idle' ? 0 : ms), 0) };
}

/** Whether lanes wait for each other's work or for the clock. */
function sinceThen(before) {
  const now = processors();
  const tookMs = now.at - before.at;
  const share = Math.round((100 * (now.busy - before.busy)) / (tookMs * cpus().length));
  return `${Math.round(tookMs / 1000)} s; this machine's processors were busy for ${share} % of it`;
}

function row({ lane, counts, seconds }) {
  const count = (key, width) => `${String(counts[key]).padStart(width)} ${key}`;
  return `${lane.name.padEnd(11)} ${count('passed', 6)} ${count('failed', 4)} ${count('skipped', 5)}  ${seconds} s`;
}

/** @returns {Promise<{ counts: object, again?: () => Promise<object> }>} `again`: the counts after what failed was tried alone */
async function runLane(lane) {
  const missing = (lane.needs ?? []).filter((program) => !found(program));
  if (missing.length > 0) {
    const must = inCi && isRoot;
    say(lane, `${lane.name}: ${must ? 'FAILED' : 'SKIPPED'}, not installed: ${missing.join(', ')}`);
    return { counts: { passed: 0, failed: must ? 1 : 0, skipped: must ? 0 : 1 } };
  }
  return lane.run(lane);
}

async function check(lane) {
  const code = await limited(process.execPath, ['scripts/check.mjs', '--static'], lane);
  if (code === 0) return { counts: { passed: 1, failed: 0, skipped: 0 } };
  problems.push(`${lane.name}: npm run check -- --static says what`);
  return { counts: { passed: 0, failed: 1, skipped: 0 } };
}

/** The lane's host is a network namespace of its own: nothing it does touches this machine's network. */
async function network(lane) {
  if (!isRoot) {
    say(lane, 'network: SKIPPED, needs root');
    return { counts: { passed: 0, failed: 0, skipped: 1 } };
  }
  const own = {
    within: ['unshare', '--net', '--mount', '--propagation', 'private'],
    env: { DROVER_OWN_NETWORK: '1' },
  };
  return vitest(Object.assign(lane, own));
}

async function vitest(lane) {
  const project = lane.project ?? lane.name;
  if (!['unit', 'docker', 'podman', 'machines', 'drivers'].includes(project) && !hasTests(project)) {
    say(lane, `${lane.name}: no test yet`);
    return { counts: { passed: 0, failed: 0, skipped: 0 } };
  }
  const first = await vitestRun(lane, project, []);
  if (first === null) {
    problems.push(`${lane.name}: not finished within its limit`);
    return { counts: { passed: 0, failed: 1, skipped: 0 } };
  }
  const { passed, skipped, failed, broken } = first;
  for (const name of skipped) say(lane, `skipped: ${name}`);
  tell(lane, broken);
  const counts = { passed, failed: failed.length + broken.length, skipped: skipped.length };
  return failed.length === 0 ? { counts } : { counts, again: () => failedAgain(lane, project, first, counts) };
}

function tell(lane, failures) {
  problems.push(...failures.map(({ name, why }) => `${lane.name}: ${name}\n${why}`));
}

/** A busy machine fails tests of real time: what fails alone as well has failed, what does not is named. */
async function failedAgain(lane, project, first, counts) {
  const again = await vitestRun(lane, project, first.files);
  const lasting = again === null || again.broken.length > 0 ? first.failed : again.failed;
  tell(lane, [...lasting, ...(again?.broken ?? [])]);
  if (lasting === first.failed) return counts;
  const unsteady = first.failed.filter(({ name }) => !lasting.some((each) => each.name === name));
  for (const { name, why } of unsteady) say(lane, `UNSTEADY: failed among the others, passed alone: ${name}\n${why}`);
  return { ...counts, passed: counts.passed + unsteady.length, failed: lasting.length + first.broken.length };
}

/** One run of a lane, of all its files or of some. Null: the lane's limit was reached. */
async function vitestRun(lane, project, files) {
  const report = join(scratch, `${lane.name}-${files.length === 0 ? 'all' : 'again'}`);
  const reports = reporting(report);
  // what failed is tried again on its own, without what others have proved
  const shares = files.length === 0 && lane.provesAnew !== true;
  const proofs = shares ? { DROVER_TEST_PROOFS: join(scratch, `${lane.name}-proofs`) } : {};
  const env = { ...process.env, ...lane.env, ...proofs, ...reports.env, ...(long ? { DROVER_LONG: '1' } : {}) };
  const vitestProgram = join(root, 'node_modules/.bin/vitest');
  const [program, ...rest] = [
    ...(lane.within ?? []),
    ...[vitestProgram, 'run', '--project', project, ...reports.args],
    ...files,
  ];
  const code = await limited(program, rest, lane, { env });
  const read = code === null ? null : readReport(report);
  if (read === null || code === 0 || read.failed.length + read.broken.length > 0) return read;
  return { ...read, broken: [{ name: `vitest ended with ${code}`, why: '    its own words are above' }] };
}

function hasTests(project) {
  const folder = join(root, 'test', project);
  return (
    existsSync(folder) && readdirSync(folder, { recursive: true }).some((name) => String(name).endsWith('.test.ts'))
  );
}

/** The Go modules: Nomad's client against an agent, and the HCL of this repository against HashiCorp's. */
async function go(lane) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const name of ['go', 'go-hcl', 'go-plugin']) {
    const more = await goModule(lane, name);
    for (const key of Object.keys(counts)) counts[key] += more[key];
  }
  return { counts };
}

async function goModule(lane, name) {
  const folder = join(root, 'test/compat', name);
  if (!existsSync(join(folder, 'go.mod'))) return { passed: 0, failed: 0, skipped: 0 };
  const output = join(scratch, `${name}.json`);
  const env = { ...process.env, ...(long ? { DROVER_LONG: '1' } : {}) };
  const code = await limited('sh', ['-c', `go test -timeout ${lane.minutes}m -json ./... > '${output}'`], lane, {
    cwd: folder,
    env,
  });
  const events = readFileSync(output, 'utf8')
    .split('\n')
    .filter(Boolean)
    .flatMap((line) => {
      try {
        return [JSON.parse(line)];
      } catch {
        return [];
      }
    });
  for (const event of events)
    if (event.Action === 'output' && (code !== 0 || /DROVER_SEED=|\d+ programs/.test(event.Output)))
      say(lane, event.Output.trimEnd());
  const count = (action) => events.filter((event) => event.Action === action && event.Test).length;
  for (const event of events) if (event.Action === 'skip' && event.Test) say(lane, `skipped: ${event.Test}`);
  const failed = count('fail') + (code !== 0 && count('fail') === 0 ? 1 : 0);
  for (const event of events) if (event.Action === 'fail' && event.Test) problems.push(`go: ${name}: ${event.Test}`);
  if (code !== 0 && count('fail') === 0) problems.push(`go: ${name} could not be built or run`);
  return { passed: count('pass'), failed, skipped: count('skip') };
}

await main();
