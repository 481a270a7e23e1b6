/**
 * The table as an OCI seccomp profile, for containers that an engine makes: nothing of ours is in them that could take the compiled filter. Of `argumentRules` those that refuse single values can be said this way; a foreign ABI is killed by the runtime's library.
 */
import { argumentRules, denied, hidden, type SeccompArch } from './table.ts';

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
    const index = rule.argument;
    if (rule.refuse === 'equal')
      return rule.values.map((value) => refuse([rule.name], eperm, [{ index, value, op: 'SCMP_CMP_EQ' }]));
    if (rule.refuse === 'not-in') return [];
    return rule.values
      .flatMap(bits)
      .map((bit) => refuse([rule.name], eperm, [{ index, value: bit, valueTwo: bit, op: 'SCMP_CMP_MASKED_EQ' }]));
  });
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures: [ociArch[arch]],
    syscalls: [refuse(names(denied), eperm), refuse(names(hidden), enosys), ...byArgument],
  };
}

function bits(mask: number): readonly number[] {
  return Array.from({ length: 31 }, (_, shift) => 2 ** shift).filter((bit) => (mask & bit) !== 0);
}

/** Null: no table was made for this machine. */
export function hostProfile(): unknown {
  return process.arch === 'x64' || process.arch === 'arm64' ? ociSeccompProfile(process.arch) : null;
}
