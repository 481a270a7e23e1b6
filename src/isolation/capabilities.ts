/** Capability names ↔ bits. Source: linux/capability.h. */
import { Fault } from '../lib/fault.ts';
import { kernelText } from '../lib/node/kernel-file.ts';

const names = (
  'CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE NET_BIND_SERVICE NET_BROADCAST ' +
  'NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE ' +
  'SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM ' +
  'BLOCK_SUSPEND AUDIT_READ PERFMON BPF CHECKPOINT_RESTORE'
).split(' ');

/** What Nomad lets jobs ask for unless the operator says otherwise (`allow_caps`). */
export const nomadDefaultCapabilities: readonly string[] =
  'AUDIT_WRITE CHOWN DAC_OVERRIDE FOWNER FSETID KILL MKNOD NET_BIND_SERVICE SETFCAP SETGID SETPCAP SETUID SYS_CHROOT'.split(
    ' ',
  );

/** `"cap_net_raw"` → `"NET_RAW"`; `"all"` stays. `Fault('invalid')`: no such capability. */
export function capabilityName(text: string): string {
  const name = text.toUpperCase().replace(/^CAP_/, '');
  if (name !== 'ALL' && !names.includes(name)) throw new Fault('invalid', `${JSON.stringify(text)} is no capability`);
  return name;
}

export const allCapabilities: readonly string[] = names;

/** `['NET_BIND_SERVICE']` → a set with bit 10; `CAP_` may be in front. `Fault('invalid')` for an unknown name. */
export function capabilityBits(capabilities: readonly string[]): bigint {
  return capabilities.reduce((bits, name) => bits | (1n << BigInt(names.indexOf(capabilityName(name)))), 0n);
}

/** The agent has it in effect; where there are none it has them all. */
export function agentHolds(capability: string): boolean {
  const [, effective] = /^CapEff:\s*([0-9a-f]+)$/m.exec(kernelText('/proc/self/status')) ?? [];
  return effective === undefined || (BigInt(`0x${effective}`) & capabilityBits([capability])) !== 0n;
}
