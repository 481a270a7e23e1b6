import { Fault } from '../../lib/fault.ts';
import type { ExecSpec, OutputSpec, Rlimit, StartRecord } from '../contract.ts';
import { killUnitNumbers, launcherNumbers, outputNumbers, tag } from '../start-fields.ts';
import { decodeFields, type Field, fieldString, readU32 } from '../wire.ts';

/** Start and exec fields back into what they say: the fallback shim's half of `start-fields.ts`. */

const view = (value: Uint8Array): DataView => new DataView(value.buffer, value.byteOffset, value.byteLength);

class Fields {
  readonly #fields: readonly Field[];

  constructor(bytes: Uint8Array) {
    this.#fields = decodeFields(bytes);
  }

  all(number: number, width?: number): Uint8Array[] {
    const values = this.#fields.filter((each) => each.tag === number).map((each) => each.value);
    if (width !== undefined && values.some((value) => value.length !== width))
      throw new Fault('invalid', `field ${number} has the wrong width`);
    return values;
  }

  strings(number: number): string[] {
    return this.all(number).map(fieldString);
  }

  string(number: number): string | undefined {
    return this.strings(number).at(-1);
  }

  needed(number: number, name: string): string {
    const value = this.string(number);
    if (value === undefined) throw new Fault('invalid', `${name} is missing`);
    return value;
  }

  byte(number: number): number {
    return this.all(number, 1).at(-1)?.[0] ?? 0;
  }

  word(number: number): number | undefined {
    const value = this.all(number, 4).at(-1);
    return value && readU32(value);
  }

  long(number: number): bigint | undefined {
    const value = this.all(number, 8).at(-1);
    return value && view(value).getBigUint64(0);
  }
}

function named<T extends string>(numbers: Readonly<Record<T, number>>, value: number, what: string): T {
  const found = (Object.keys(numbers) as T[]).find((name) => numbers[name] === value);
  if (found === undefined) throw new Fault('invalid', `${what}: ${value} is not known`);
  return found;
}

function environment(lines: readonly string[]): Record<string, string> {
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
}

function output(fields: Fields): OutputSpec {
  const mode = named(outputNumbers, fields.byte(tag.output), 'output');
  if (mode === 'discard') return { mode };
  const names = { stdout: fields.needed(tag.stdout, 'stdout'), stderr: fields.needed(tag.stderr, 'stderr') };
  if (mode === 'forward') return { mode, ...names };
  const fileMode = fields.word(tag.fileMode);
  const rotation = {
    ...names,
    directory: fields.needed(tag.logDir, 'logDir'),
    maxFiles: fields.word(tag.maxFiles) ?? 0,
    maxBytes: Number(fields.long(tag.maxBytes) ?? 0n),
    ...(fileMode === undefined ? {} : { fileMode }),
  };
  if (rotation.maxFiles < 1 || rotation.maxBytes < 1) throw new Fault('invalid', 'maxFiles, maxBytes: at least 1');
  if (mode === 'rotate') return { mode, ...rotation };
  return {
    mode,
    ...rotation,
    stdoutFifo: fields.needed(tag.stdoutFifo, 'stdoutFifo'),
    stderrFifo: fields.needed(tag.stderrFifo, 'stderrFifo'),
  };
}

function rlimit(value: Uint8Array): Rlimit {
  return { resource: readU32(value), soft: view(value).getBigUint64(4), hard: view(value).getBigUint64(12) };
}

/** What this shim cannot do is refused by name: never run with less than was asked for. */
function refuseUnsupported(fields: Fields): void {
  const foreign = [tag.capabilities, tag.seccomp, tag.joinNetwork, tag.verify, tag.ociStart].filter(
    (each) => fields.all(each).length > 0,
  );
  const names = Object.entries(tag)
    .filter(([, number]) => foreign.some((each) => each === number))
    .map(([name]) => name);
  if (names.length > 0)
    throw new Fault('unsupported', `the TypeScript shim cannot do ${names.join(', ')}: build the native one`);
}

export function decodeStart(bytes: Uint8Array): StartRecord {
  const fields = new Fields(bytes);
  refuseUnsupported(fields);
  const launcher = named(launcherNumbers, fields.byte(tag.launcher), 'launcher');
  const unit = named(killUnitNumbers, fields.byte(tag.killUnit), 'killUnit');
  if ((launcher !== 'direct' && launcher !== 'none') || unit === 'pid-namespace') {
    throw new Fault(
      'unsupported',
      `the TypeScript shim cannot do ${unit === 'pid-namespace' ? unit : launcher}: build the native one`,
    );
  }
  const command = fields.strings(tag.argv);
  if (launcher === 'direct' && command.length === 0) throw new Fault('invalid', 'argv: a command is needed');
  const cgroups = fields.strings(tag.joinCgroup);
  const directories = fields.strings(tag.killCgroup);
  const [uid, gid, umask, oomScoreAdj] = [tag.uid, tag.gid, tag.umask, tag.oomScoreAdj].map((each) =>
    fields.word(each),
  );
  const workDir = fields.string(tag.cwd);
  const memoryCgroup = fields.string(tag.memoryCgroup);
  return {
    id: '',
    directory: fields.needed(tag.dir, 'dir'),
    launcher: { kind: launcher },
    command,
    env: environment(fields.strings(tag.env)),
    ...(workDir === undefined ? {} : { workDir }),
    identity: {
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
      groups: fields.all(tag.group, 4).map((value) => readU32(value)),
      rlimits: fields.all(tag.rlimit, 20).map(rlimit),
      oomScoreAdj: (oomScoreAdj ?? 0) | 0,
      umask: umask ?? 0o022,
      noNewPrivs: fields.byte(tag.noNewPrivs) === 1,
    },
    cgroups,
    killUnit:
      unit === 'cgroup'
        ? { kind: 'cgroup', directories: directories.length > 0 ? directories : cgroups }
        : { kind: 'session' },
    ...(memoryCgroup === undefined ? {} : { memoryCgroup }),
    output: output(fields),
    stop: { signal: fields.word(tag.stopSignal) ?? 15, timeoutMs: fields.word(tag.stopTimeoutMs) ?? 5000 },
    ...(fields.byte(tag.gate) === 1 ? { gate: { timeoutMs: fields.word(tag.goTimeoutMs) ?? 30_000 } } : {}),
  };
}

export function decodeExec(bytes: Uint8Array): ExecSpec {
  const fields = new Fields(bytes);
  const command = fields.strings(tag.argv);
  if (command.length === 0) throw new Fault('invalid', 'exec: a command is needed');
  const [uid, gid] = [fields.word(tag.uid), fields.word(tag.gid)];
  const workDir = fields.string(tag.cwd);
  return {
    command,
    env: environment(fields.strings(tag.env)),
    ...(workDir === undefined ? {} : { workDir }),
    ...(uid === undefined || gid === undefined ? {} : { user: { uid, gid } }),
    tty: fields.byte(tag.tty) === 1,
    host: fields.byte(tag.host) === 1,
  };
}

/** The signal and time of a stop or signal request. */
export function decodeStop(bytes: Uint8Array): { signal: number | undefined; timeoutMs: number | undefined } {
  const fields = new Fields(bytes);
  return { signal: fields.word(tag.stopSignal), timeoutMs: fields.word(tag.stopTimeoutMs) };
}
