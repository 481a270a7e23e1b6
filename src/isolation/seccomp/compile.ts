/** The table → a classic BPF program, an array of `struct sock_filter` (linux/filter.h), little endian. Pure. */
import {
  type ArgumentRule,
  argumentRules,
  auditArch,
  coreLimit,
  denied,
  hidden,
  newest,
  type SeccompArch,
} from './table.ts';

interface Instruction {
  readonly code: number;
  readonly jt: number;
  readonly jf: number;
  readonly k: number;
}

const load = 0x20; // BPF_LD | BPF_W | BPF_ABS
const jumpEqual = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
const jumpGreater = 0x25; // BPF_JMP | BPF_JGT | BPF_K
const jumpSet = 0x45; // BPF_JMP | BPF_JSET | BPF_K
const answer = 0x06; // BPF_RET | BPF_K

const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
const errno = (code: number): number => 0x0005_0000 | code;
const eperm = errno(1);
const enosys = errno(38);

/** Offsets in `struct seccomp_data`: nr, arch, instruction pointer, six arguments of 8 bytes (low half first). */
const offsetNumber = 0;
const offsetArch = 4;
const offsetArgument = (index: number): number => 16 + 8 * index;
/** x32 calls carry this bit: a foreign ABI. */
const x32Bit = 0x4000_0000;

const ret = (k: number): Instruction => ({ code: answer, jt: 0, jf: 0, k });
const ld = (k: number): Instruction => ({ code: load, jt: 0, jf: 0, k });
/** Skips `no` instructions where it is not so. */
const unless = (code: number, k: number, no: number): Instruction => ({ code, jt: 0, jf: no, k });

/** `coreDumps`: the task may change how large the images of its memory may be. */
export function seccompFilter(arch: SeccompArch, coreDumps = false): Uint8Array {
  const column = arch === 'x64' ? 0 : 1;
  const program: Instruction[] = [
    ld(offsetArch),
    { code: jumpEqual, jt: 1, jf: 0, k: auditArch[arch] },
    ret(killProcess),
    ld(offsetNumber),
  ];
  if (arch === 'x64') program.push(unless(jumpGreater, x32Bit - 1, 1), ret(killProcess));
  program.push(unless(jumpGreater, newest, 1), ret(enosys));
  for (const rule of argumentRules) program.push(...argumentInstructions(rule, rule.numbers[column]));
  if (!coreDumps) program.push(...coreLimitInstructions(column));
  const numbers = (table: typeof denied): number[] =>
    Object.values(table)
      .map((row) => row[column])
      .filter((number) => number >= 0);
  for (const number of numbers(hidden)) program.push(unless(jumpEqual, number, 1), ret(enosys));
  for (const number of numbers(denied)) program.push(unless(jumpEqual, number, 1), ret(eperm));
  program.push(ret(allow));
  return encode(program);
}

/** Each block either answers, or leaves the call's number loaded again. */
function argumentInstructions(rule: ArgumentRule, number: number): readonly Instruction[] {
  const body: Instruction[] = [ld(offsetArgument(rule.argument))];
  if (rule.refuse === 'not-in') {
    rule.values.forEach((value, index) => {
      // a hit jumps over the rest of the comparisons and the refusal
      body.push({ code: jumpEqual, jt: rule.values.length - index, jf: 0, k: value });
    });
    body.push(ret(eperm));
  } else {
    for (const value of rule.values)
      body.push(unless(rule.refuse === 'any-bit' ? jumpSet : jumpEqual, value, 1), ret(eperm));
  }
  body.push(ret(allow));
  return [unless(jumpEqual, number, body.length), ...body];
}

/** Leaves the call's number loaded where the call is another one. */
function coreLimitInstructions(column: 0 | 1): readonly Instruction[] {
  const { resource, setrlimit, prlimit64 } = coreLimit;
  const set = [ld(offsetArgument(0)), unless(jumpEqual, resource, 1), ret(errno(0)), ret(allow)];
  // (pid, resource, new, old): who only asks is told; an old value would be left as it was, so that is refused
  const change = [
    ld(offsetArgument(1)),
    unless(jumpEqual, resource, 4),
    ld(offsetArgument(2)),
    unless(jumpEqual, 0, 3),
    ld(offsetArgument(2) + 4),
    unless(jumpEqual, 0, 1),
    ret(allow),
    ld(offsetArgument(3)),
    unless(jumpEqual, 0, 3),
    ld(offsetArgument(3) + 4),
    unless(jumpEqual, 0, 1),
    ret(errno(0)),
    ret(eperm),
  ];
  return [
    unless(jumpEqual, setrlimit[column], set.length),
    ...set,
    unless(jumpEqual, prlimit64[column], change.length),
    ...change,
  ];
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  program.forEach(({ code, jt, jf, k }, index) => {
    view.setUint16(index * 8, code, true);
    view.setUint8(index * 8 + 2, jt);
    view.setUint8(index * 8 + 3, jf);
    view.setUint32(index * 8 + 4, k >>> 0, true);
  });
  return bytes;
}

/** The filter for the machine this runs on; null: none was made for it. */
export function hostFilter(coreDumps = false): Uint8Array | null {
  return process.arch === 'x64' || process.arch === 'arm64' ? seccompFilter(process.arch, coreDumps) : null;
}
