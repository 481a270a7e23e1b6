import { existsSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { seccompFilter } from './compile.ts';
import { hostProfile } from './oci-profile.ts';
import { argumentRules, auditArch, coreLimit, denied, hidden, type SeccompArch } from './table.ts';

const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
const eperm = 0x0005_0001;
const enosys = 0x0005_0026;
const succeeds = 0x0005_0000;

/** What the kernel would answer: classic BPF over `struct seccomp_data`. */
function answer(program: Uint8Array, number: number, arch: number, args: readonly number[] = []): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, number >>> 0, true);
  data.setUint32(4, arch >>> 0, true);
  args.forEach((value, index) => {
    data.setBigUint64(16 + 8 * index, BigInt(value), true);
  });
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = view.getUint16(at * 8, true);
    const [jt, jf, k] = [view.getUint8(at * 8 + 2), view.getUint8(at * 8 + 3), view.getUint32(at * 8 + 4, true)];
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x06) return k;
    else if (code === 0x15) at += accumulator === k ? jt : jf;
    else if (code === 0x25) at += accumulator > k ? jt : jf;
    else if (code === 0x45) at += (accumulator & k) !== 0 ? jt : jf;
    else throw new Error(`instruction ${at} is ${code}`);
  }
  throw new Error('the program ran off its end');
}

describe.each(['x64', 'arm64'] as const)('the filter for %s', (arch: SeccompArch) => {
  const program = seccompFilter(arch);
  const column = arch === 'x64' ? 0 : 1;
  const ask = (number: number, ...args: number[]): number => answer(program, number, auditArch[arch], args);

  test('refuses what the table names and lets ordinary calls through', () => {
    for (const [name, numbers] of Object.entries(denied))
      if (numbers[column] >= 0) expect(ask(numbers[column]), name).toBe(eperm);
    for (const numbers of Object.values(hidden)) expect(ask(numbers[column])).toBe(enosys);
    // read, write, openat, execve, exit_group
    for (const number of arch === 'x64' ? [0, 1, 257, 59, 231] : [63, 64, 56, 221, 94]) expect(ask(number)).toBe(allow);
    expect(program.length).toBeLessThanOrEqual(32_768);
  });

  test('kills foreign ABIs, and knows nothing of calls newer than itself', () => {
    expect(answer(program, 1, 0x4000_0003)).toBe(killProcess);
    expect(answer(program, 1, auditArch[arch === 'x64' ? 'arm64' : 'x64'])).toBe(killProcess);
    if (arch === 'x64') expect(ask(0x4000_0001)).toBe(killProcess);
    expect(ask(1000)).toBe(enosys);
  });

  test('lets a task ask for its limit on images of memory, and not change it, unless it may', () => {
    const [set, both] = [coreLimit.setrlimit[column], coreLimit.prlimit64[column]];
    const free = seccompFilter(arch, true);
    const [core, files] = [4, 7];
    const [low, high] = [0x1000, 0x1_0000_0000];
    expect(ask(set, core, low)).toBe(succeeds);
    expect(ask(set, files, low)).toBe(allow);
    expect(ask(both, 0, core, 0, low)).toBe(allow);
    for (const change of [low, high]) {
      expect(ask(both, 0, core, change, 0)).toBe(succeeds);
      expect(ask(both, 0, files, change, 0)).toBe(allow);
      for (const old of [low, high]) expect(ask(both, 0, core, change, old)).toBe(eperm);
      expect(answer(free, both, auditArch[arch], [0, core, change, 0])).toBe(allow);
    }
    expect(answer(free, set, auditArch[arch], [core, low])).toBe(allow);
    // what comes after is looked at all the same
    expect(ask(denied['unshare']![column])).toBe(eperm);
  });

  test('looks at arguments: threads may be made, namespaces not', () => {
    const rule = (name: string): number => argumentRules.find((each) => each.name === name)?.numbers[column] ?? -1;
    expect(ask(rule('clone'), 0x003d_0f00)).toBe(allow);
    expect(ask(rule('clone'), 0x1000_0011)).toBe(eperm);
    expect(ask(rule('socket'), 2)).toBe(allow);
    expect(ask(rule('socket'), 40)).toBe(eperm);
    expect(ask(rule('ioctl'), 3, 0x5401)).toBe(allow);
    expect(ask(rule('ioctl'), 3, 0x5412)).toBe(eperm);
    expect(ask(rule('personality'), 0xffff_ffff)).toBe(allow);
    expect(ask(rule('personality'), 0)).toBe(allow);
    expect(ask(rule('personality'), 0x0020_0000)).toBe(eperm);
    // the kernel takes the low half
    expect(ask(rule('socket'), 2 ** 32 + 40)).toBe(eperm);
    expect(ask(rule('ioctl'), 3, 2 ** 32 + 0x5412)).toBe(eperm);
  });
});

test('a profile for engines lets no personality pass that the filter refuses, but several of its bits at once', () => {
  const { syscalls } = hostProfile() as {
    syscalls: { names: string[]; args?: { value: number; valueTwo: number }[] }[];
  };
  const rules = syscalls.filter(({ names }) => names[0] === 'personality').map(({ args }) => args![0]!);
  const refused = (personality: number): boolean =>
    rules.some(({ value, valueTwo }) => (BigInt(personality) & BigInt(value)) === BigInt(valueTwo));
  for (const usual of [0, 0x8, 0x20000, 0x20008, 0x40000, 0xffff_ffff]) expect(refused(usual), `${usual}`).toBe(false);
  // READ_IMPLIES_EXEC, as what asks with a bit less, and what only looks negative
  for (const other of [0x40_0000, 0x40_0008, 0x8040_0000, 0xffff_fffe, 0x8000_0000, 0x7fff_ffff, 0x10_0000])
    expect(refused(other), other.toString(16)).toBe(true);
});

test('a profile for engines compares the half of a number that the kernel takes', () => {
  const { syscalls } = hostProfile() as { syscalls: { args?: { op: string; value: number; valueTwo: number }[] }[] };
  const compared = syscalls.flatMap(({ args = [] }) => args).filter(({ value }) => value !== 0);
  expect(compared.length).toBeGreaterThan(40);
  for (const { op, value } of compared) expect([op, value <= 0xffff_ffff]).toEqual(['SCMP_CMP_MASKED_EQ', true]);
});

describe('the numbers of the table', () => {
  const headers = [
    ['/usr/include/x86_64-linux-gnu/asm/unistd_64.h', 0],
    ['/usr/include/asm-generic/unistd.h', 1],
  ] as const;

  test.each(headers)('are those of %s', (path, column) => {
    if (!existsSync(path)) return;
    const numbers = new Map(
      [...readFileSync(path, 'utf8').matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm)].map((match) => [
        match[1],
        Number(match[2]),
      ]),
    );
    const rows: (readonly [string, readonly [number, number]])[] = [
      ...Object.entries(denied),
      ...Object.entries(hidden),
      ...argumentRules.map((rule) => [rule.name, rule.numbers] as const),
      ['setrlimit', coreLimit.setrlimit],
      ['prlimit64', coreLimit.prlimit64],
    ];
    for (const [name, row] of rows) {
      const known = numbers.get(name);
      // older headers lack the newest calls; the generic table lacks what only x86 has
      if (known !== undefined) expect(row[column], name).toBe(known);
    }
  });
});
