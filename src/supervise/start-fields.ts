import { Fault } from '../lib/fault.ts';
import type { ExecSpec, Identity, OutputSpec, StartRecord } from './contract.ts';
import { concat, FRAME_MAX, field, stringField, u8, u32, u64 } from './wire.ts';

/** Tags of the start and exec fields (docs/shim-protocol.md). */
export const tag = {
  dir: 1,
  launcher: 2,
  argv: 3,
  env: 4,
  cwd: 5,
  uid: 6,
  gid: 7,
  group: 8,
  rlimit: 9,
  oomScoreAdj: 10,
  umask: 11,
  noNewPrivs: 12,
  capabilities: 13,
  seccomp: 14,
  joinCgroup: 15,
  joinNetwork: 16,
  killUnit: 17,
  killCgroup: 18,
  memoryCgroup: 19,
  output: 20,
  stdout: 21,
  stderr: 22,
  logDir: 23,
  maxFiles: 24,
  maxBytes: 25,
  stdoutFifo: 26,
  stderrFifo: 27,
  stopSignal: 28,
  stopTimeoutMs: 29,
  gate: 30,
  goTimeoutMs: 31,
  verify: 32,
  ociStart: 33,
  ociDelete: 34,
  pidFile: 35,
  mountProc: 36,
  fileMode: 37,
  mountsOfOthers: 38,
  ownMount: 39,
  cover: 40,
  passage: 41,
  joinUsers: 42,
  path: 43,
  processor: 44,
  tty: 64,
  rows: 65,
  columns: 66,
  host: 67,
} as const;

export const launcherNumbers = { direct: 0, bwrap: 1, oci: 2, none: 3 } as const;
export const killUnitNumbers = { session: 0, cgroup: 1, 'pid-namespace': 2 } as const;
const accessNumbers = { read: 0, use: 1, all: 2 } as const;
export const outputNumbers = { rotate: 0, forward: 1, collect: 2, discard: 4 } as const;

function strings(number: number, values: readonly string[]): Uint8Array[] {
  return values.map((value) => stringField(number, value));
}

function environment(env: Readonly<Record<string, string>>): Uint8Array[] {
  return Object.entries(env).map(([name, value]) => {
    if (name === '' || name.includes('='))
      throw new Fault('invalid', `${JSON.stringify(name)} cannot be the name of an environment variable`);
    return stringField(tag.env, `${name}=${value}`);
  });
}

function user(identity: { uid?: number; gid?: number; groups?: readonly number[] }): Uint8Array[] {
  const parts: Uint8Array[] = [];
  if (identity.uid !== undefined) parts.push(field(tag.uid, u32(identity.uid)));
  if (identity.gid !== undefined) parts.push(field(tag.gid, u32(identity.gid)));
  for (const group of identity.groups ?? []) parts.push(field(tag.group, u32(group)));
  return parts;
}

export function identityFields(identity: Identity): Uint8Array[] {
  const parts = user(identity);
  for (const limit of identity.rlimits ?? []) {
    parts.push(field(tag.rlimit, concat([u32(limit.resource), u64(limit.soft), u64(limit.hard)])));
  }
  if (identity.oomScoreAdj !== undefined) parts.push(field(tag.oomScoreAdj, u32(identity.oomScoreAdj)));
  if (identity.umask !== undefined) parts.push(field(tag.umask, u32(identity.umask)));
  if (identity.noNewPrivs === true) parts.push(field(tag.noNewPrivs, u8(1)));
  if (identity.capabilities !== undefined) parts.push(field(tag.capabilities, u64(identity.capabilities)));
  if (identity.seccomp !== undefined) parts.push(field(tag.seccomp, identity.seccomp));
  for (const processor of identity.processors ?? []) parts.push(field(tag.processor, u32(processor)));
  for (const { path, access } of identity.paths ?? [])
    parts.push(stringField(tag.path, `${accessNumbers[access]}${path}`));
  return parts;
}

function outputFields(output: OutputSpec): Uint8Array[] {
  const parts = [field(tag.output, u8(outputNumbers[output.mode]))];
  if (output.mode === 'discard') return parts;
  parts.push(stringField(tag.stdout, output.stdout), stringField(tag.stderr, output.stderr));
  if (output.mode === 'forward') return parts;
  parts.push(stringField(tag.logDir, output.directory), field(tag.maxFiles, u32(output.maxFiles)));
  parts.push(field(tag.maxBytes, u64(BigInt(output.maxBytes))));
  if (output.fileMode !== undefined) parts.push(field(tag.fileMode, u32(output.fileMode)));
  if (output.mode === 'collect') {
    parts.push(stringField(tag.stdoutFifo, output.stdoutFifo), stringField(tag.stderrFifo, output.stderrFifo));
  }
  return parts;
}

function unitFields(record: StartRecord): Uint8Array[] {
  const unit = record.killUnit;
  const parts = [field(tag.killUnit, u8(killUnitNumbers[unit.kind]))];
  if (unit.kind === 'cgroup') parts.push(...strings(tag.killCgroup, unit.directories));
  if (unit.kind === 'pid-namespace' && unit.mountProc) parts.push(field(tag.mountProc, u8(1)));
  if (record.memoryCgroup !== undefined) parts.push(stringField(tag.memoryCgroup, record.memoryCgroup));
  return parts;
}

/** The bytes a shim is started with. `Fault('invalid')` where something in the record cannot be said. */
export function encodeStart(record: StartRecord): Uint8Array {
  const parts = [
    stringField(tag.dir, record.directory),
    field(tag.launcher, u8(launcherNumbers[record.launcher.kind])),
    ...strings(tag.argv, record.command),
    ...environment(record.env),
    ...identityFields(record.identity),
    ...strings(tag.joinCgroup, record.cgroups),
    ...unitFields(record),
    ...outputFields(record.output),
  ];
  if (record.workDir !== undefined && record.workDir !== '') parts.push(stringField(tag.cwd, record.workDir));
  if (record.network !== undefined) parts.push(stringField(tag.joinNetwork, record.network));
  if (record.users !== undefined) parts.push(stringField(tag.joinUsers, record.users));
  if (record.mountsOfOthers !== undefined) {
    const { below, own } = record.mountsOfOthers;
    parts.push(stringField(tag.mountsOfOthers, below), ...strings(tag.ownMount, own));
  }
  if (record.passage !== undefined) {
    parts.push(...strings(tag.cover, record.passage.covers), ...strings(tag.passage, record.passage.paths));
  }
  if (record.stop !== undefined) {
    parts.push(field(tag.stopSignal, u32(record.stop.signal)), field(tag.stopTimeoutMs, u32(record.stop.timeoutMs)));
  }
  if (record.gate !== undefined) parts.push(field(tag.gate, u8(1)), field(tag.goTimeoutMs, u32(record.gate.timeoutMs)));
  if (record.verify !== undefined) parts.push(field(tag.verify, record.verify));
  if (record.launcher.kind === 'oci') {
    parts.push(
      ...strings(tag.ociStart, record.launcher.start ?? []),
      ...strings(tag.ociDelete, record.launcher.delete),
    );
    if (record.launcher.pidFile !== undefined) parts.push(stringField(tag.pidFile, record.launcher.pidFile));
  }
  const bytes = concat(parts);
  if (bytes.length > FRAME_MAX - 16) {
    throw new Fault(
      'invalid',
      `arguments and environment take ${bytes.length} bytes; at most ${FRAME_MAX - 16} can be passed`,
    );
  }
  return bytes;
}

export function encodeExec(spec: ExecSpec): Uint8Array {
  const parts = [...strings(tag.argv, spec.command), ...environment(spec.env), ...user(spec.user ?? {})];
  if (spec.workDir !== undefined && spec.workDir !== '') parts.push(stringField(tag.cwd, spec.workDir));
  if (spec.tty === true) parts.push(field(tag.tty, u8(1)));
  if (spec.host === true) parts.push(field(tag.host, u8(1)));
  if (spec.size !== undefined)
    parts.push(field(tag.rows, u32(spec.size.height)), field(tag.columns, u32(spec.size.width)));
  return concat(parts);
}
