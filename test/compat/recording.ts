/** Runs the recorders and the comparison that come with the recordings of the reference, each in a process of its own. */
import { spawn } from 'node:child_process';
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import path from 'node:path';
import { kernelText } from '../../src/lib/node/kernel-file.ts';
import { drover } from '../agent-process.ts';

/** The recordings; `DROVER_GOLDENS` names another place. */
const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(import.meta.dirname, '../../../shared/goldens');
/** What made them; `DROVER_TOOLS` names another place. */
const tools = process.env['DROVER_TOOLS'] ?? path.join(path.dirname(goldens), 'tools');

export const isPresent = (kind: string): boolean =>
  existsSync(path.join(goldens, kind)) && existsSync(path.join(tools, `record-${kind}.mjs`));

/** Recorded as root: an unprivileged agent truly answers otherwise. */
export const isPrivileged = process.getuid?.() === 0;

/** Where the last recording is kept: scripts/compatibility.mjs counts it. */
export const recordingFolder = (kind: string): string =>
  path.resolve(import.meta.dirname, '../../build/recordings', kind);

const expectedFile = (kind: string): string => path.join(import.meta.dirname, `expected-${kind}.json`);

export interface Ran {
  readonly code: number | null;
  /** Both streams. */
  readonly text: string;
}

/** Whether a tool that needs nothing but the recordings of job files is there. */
export const isPresentTool = (name: string): boolean =>
  existsSync(path.join(goldens, 'jobs')) && existsSync(path.join(tools, name));

/** Compares job files or expressions in one mode; `registered` with the agent at `address`. */
export function checkJobs(mode: string, expectFile: string, scratch: string, address = ''): Promise<Ran> {
  const args = [goldens, mode, `--expect=${expectFile}`, '--show=200'];
  const env = { DROVER: `${process.execPath} ${drover}`, DROVER_ADDR: address };
  return run(path.join(tools, 'check-jobs.mjs'), args, path.join(scratch, `${mode}.txt`), env);
}

/** Output goes to a file: what is compared is longer than a pipe holds. */
function run(script: string, args: readonly string[], output: string, env: Record<string, string> = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, script, ...args].map((word) => `'${word}'`).join(' ');
    const child = spawn('sh', ['-c', `${command} > '${output}' 2>&1`], {
      stdio: 'ignore',
      env: { ...process.env, ...env },
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, text: readFileSync(output, 'utf8') }));
  });
}

/** The recorder reads fields of answers that a route which is not served yet does not give; here it goes on without them. */
const forgiving: readonly (readonly [string, string])[] = [
  ['v1.json.ModifyIndex', 'v1.json?.ModifyIndex'],
  ["(await R.get('/v1/job/ev')).JobModifyIndex", "(await R.get('/v1/job/ev'))?.JobModifyIndex"],
  ['(ks.find(', '((ks ?? []).find('],
  ['ks[0]).KeyID', 'ks?.[0])?.KeyID'],
];

/**
 * The recorder gives the machine a moment where it means a state: here it waits for that state, however busy the machine is. Allocations of a
 * job are listed by their random ids; the recordings know all but one of their places as random, so here they stand by version.
 */
const patient: readonly (readonly [string | RegExp, string])[] = [
  [
    'const evalDone =',
    `async function settled(R) {
  await untilJson(R, '/v1/evaluations', list => list.every(each => each.Status !== 'pending'), 60000);
  await untilJson(R, '/v1/allocations', list => list.every(each =>
    each.ClientStatus !== 'pending' && (each.DesiredStatus === 'run' || each.ClientStatus !== 'running')), 60000);
}
const restarted = (R, id, times) => untilJson(R, '/v1/allocation/' + id, ({ TaskStates: { t } }) =>
  t.State === 'running' && t.Restarts === times && t.Events.at(-1).Type === 'Started');
const evalDone =`,
  ],
  [/^ {2}await sleep\(\d+\);$/gm, '$&\n  await settled(R);'],
  [
    "await r('statuses', 'GET', '/v1/jobs/statuses?prefix=svc');",
    `await untilJson(R, '/v1/job/svc/allocations', list => list.every(a => a.JobVersion === 3 || a.ClientStatus === 'complete'));
  await r('statuses', 'GET', '/v1/jobs/statuses?prefix=svc',
    { map: body => body.map(job => ({ ...job, Allocs: job.Allocs?.toSorted((a, b) => a.JobVersion - b.JobVersion) ?? null })) });`,
  ],
  [
    "await r('parent-summary',",
    "await untilJson(R, '/v1/jobs?prefix=par/', list => list.length === 2 && list.every(job => job.Status === 'dead'));\n  await r('parent-summary',",
  ],
  [
    "await r('children',",
    "await untilJson(R, '/v1/jobs?prefix=per/', list => list.length === 1 && list[0].Status === 'dead');\n  await r('children',",
  ],
  [
    "await r('jobs-in',",
    "await untilJson(R, '/v1/jobs?namespace=dev', list => list[0]?.JobSummary.Summary.g.Running === 1);\n  await r('jobs-in',",
  ],
  [
    "await r('ls-root',",
    "await untilJson(R, `/v1/client/fs/ls/${X}?path=t/local`, list => list.length === 2);\n  await r('ls-root',",
  ],
  ["await r('restart-all',", "await restarted(R, X, 1);\n  await r('restart-all',"],
  ["await r('after-restarts',", "await restarted(R, X, 2);\n  await r('after-restarts',"],
  [
    "await r('node-drained',",
    "await untilJson(R, `/v1/node/${node}`, each => each.DrainStrategy === null);\n  await r('node-drained',",
  ],
];

/** The machine's to say: what a processor is called, and how many processes a user may have. */
const machines: Readonly<Record<string, { readonly own: string; readonly recorded: RegExp }>> = {
  api: { own: cpus()[0]?.model ?? '', recorded: /"cpu\.modelname": *"([^"]*)"/ },
  runtime: {
    own: /^Max processes +(\d+)/m.exec(kernelText('/proc/self/limits'))?.[1] ?? '',
    recorded: /"process +(\d+)"/,
  },
};

/** A recording made here has what the reference's machine had. */
function asOnItsMachine(kind: string, recording: string): void {
  const { own = '', recorded = /$^/ } = machines[kind] ?? {};
  if (own === '') return;
  const named = filesIn(path.join(goldens, kind))
    .map((file) => recorded.exec(readFileSync(file, 'utf8'))?.[1])
    .find((word) => word !== undefined);
  if (named === undefined) return;
  for (const file of filesIn(recording)) {
    const text = readFileSync(file, 'utf8');
    if (text.includes(own)) writeFileSync(file, text.replaceAll(own, named));
  }
}

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ name }) => path.join(folder, name));

/** Drives bin/drover.js through the session of one kind; resolves with what the recorder said. */
export async function record(kind: string, scratch: string, recording: string, args: readonly string[]): Promise<Ran> {
  // tasks of other users pass through
  chmodSync(scratch, 0o755);
  const program = path.join(scratch, 'drover');
  writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${drover}' "$@"\n`);
  chmodSync(program, 0o755);
  const copies = path.join(scratch, 'tools');
  mkdirSync(copies, { recursive: true });
  cpSync(path.join(tools, 'golden-lib.mjs'), path.join(copies, 'golden-lib.mjs'));
  let recorder = readFileSync(path.join(tools, `record-${kind}.mjs`), 'utf8');
  for (const [found, instead] of forgiving) recorder = recorder.replace(found, () => instead);
  if (kind === 'api') for (const [found, instead] of patient) recorder = recorder.replace(found, instead);
  writeFileSync(path.join(copies, `record-${kind}.mjs`), recorder);
  const words = [program, recording, '--work', path.join(scratch, 'work'), ...args];
  // it makes a directory there, and leaves it
  const env = { TMPDIR: scratch };
  const ran = await run(path.join(copies, `record-${kind}.mjs`), words, path.join(scratch, 'recorder.txt'), env);
  asOnItsMachine(kind, recording);
  return ran;
}

/** `counts` is the line with the numbers; `differences`: those that nobody wants, and wanted ones that are gone. */
export async function compare(
  kind: string,
  scratch: string,
  recording: string,
): Promise<{ readonly code: number | null; readonly counts: string; readonly differences: readonly string[] }> {
  const args = [kind, path.join(goldens, kind), recording, '-v', '--expect', expectedFile(kind)];
  const { code, text } = await run(
    path.join(tools, 'compare-goldens.mjs'),
    args,
    path.join(scratch, 'differences.txt'),
  );
  const [counts = '', ...differences] = text.trimEnd().split('\n');
  return { code, counts, differences };
}

/** Wanted differences without a reason. */
export function withoutReason(kind: string): readonly string[] {
  const list = JSON.parse(readFileSync(expectedFile(kind), 'utf8')) as Record<string, Record<string, string>>;
  return Object.entries(list)
    .filter(([, places]) => Object.values(places).length === 0 || Object.values(places).some((each) => each.length < 6))
    .map(([name]) => name);
}
