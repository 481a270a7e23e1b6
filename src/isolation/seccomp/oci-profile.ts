/**
 * The table as an OCI seccomp profile, for containers that an engine makes: nothing of ours is in them that could take the compiled filter.
 * A foreign ABI is killed by the runtime's library.
 */
import { argumentRules, coreLimit, denied, hidden, type SeccompArch } from './table.ts';

const ociArch: Readonly<Record<SeccompArch, string>> = { x64: 'SCMP_ARCH_X86_64', arm64: 'SCMP_ARCH_AARCH64' };
const eperm = 1;
const enosys = 38;

function ociSeccompProfile(arch: SeccompArch): unknown {
  const column = arch === 'x64' ? 0 : 1;
  const names = (table: typeof denied): readonly string[] =>
    Object.entries(table)
      .filter(([, numbers]) => numbers[column] >= 0)
      .map(([name]) => name);
  const refuse = (which: readonly string[], errnoRet: number, args: readonly unknown[] = []): unknown => ({
    names: which,
    action: 'SCMP_ACT_ERRNO',
    errnoRet,
    ...(args.length === 0 ? {} : { args }),
  });
  const byArgument = argumentRules.flatMap((rule) => {
    const masked = (mask: number, seen: number): unknown =>
      refuse([rule.name], eperm, [half(rule.argument, mask, seen)]);
    if (rule.refuse === 'equal') return rule.values.map((value) => masked(all, value));
    if (rule.refuse === 'not-in') return outside(rule.values).map(([mask, seen]) => masked(mask, seen));
    return rule.values.flatMap(bits).map((bit) => masked(bit, bit));
  });
  const pointer = (index: number, there: boolean): unknown => ({
    index,
    value: 0,
    op: there ? 'SCMP_CMP_NE' : 'SCMP_CMP_EQ',
  });
  // (resource, new) and (pid, resource, new, old), answered as the compiled filter does
  const ofCores = [
    refuse(['setrlimit'], 0, [half(0, all, coreLimit.resource)]),
    refuse(['prlimit64'], 0, [half(1, all, coreLimit.resource), pointer(2, true), pointer(3, false)]),
    refuse(['prlimit64'], eperm, [half(1, all, coreLimit.resource), pointer(2, true), pointer(3, true)]),
  ];
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [ociArch[arch]],
    syscalls: [refuse(names(denied), eperm), refuse(names(hidden), enosys), ...byArgument, ...ofCores],
  };
}

/** Of the argument's low half, which is all that the kernel takes where it wants an int: the task may have anything in the other. */
const half = (index: number, mask: number, seen: number): unknown => ({
  index,
  value: mask,
  valueTwo: seen,
  op: 'SCMP_CMP_MASKED_EQ',
});

const all = 0xffff_ffff;
const top = 2 ** 31;

/**
 * A profile cannot say that a value is none of several, for runtimes take comparisons of one argument for alternatives. Of what is there
 * beside `all` only the bits may be set, singly or together; of what has the top bit every other must be. Masks, and what is refused under each.
 */
function outside(values: readonly number[]): readonly (readonly [mask: number, seen: number])[] {
  const own = values.filter((value) => value !== all).reduce((sum, value) => sum | value, 0);
  return bits(top - 1).flatMap((bit) => [
    [top + bit, top] as const,
    ...((own & bit) === 0 ? [[top + bit, bit] as const] : []),
  ]);
}

function bits(mask: number): readonly number[] {
  return Array.from({ length: 31 }, (_, shift) => 2 ** shift).filter((bit) => (mask & bit) !== 0);
}

/** Null: no table was made for this machine. */
export function hostProfile(): unknown {
  return process.arch === 'x64' || process.arch === 'arm64' ? ociSeccompProfile(process.arch) : null;
}
