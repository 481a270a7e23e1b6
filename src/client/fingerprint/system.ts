/** Kernel, operating system, host name, cgroups, signals. */
import { readFile } from 'node:fs/promises';
import { arch, constants, hostname, machine, platform, release } from 'node:os';

/** Go's name of the processor architecture: job files compare with it. */
function goArchitecture(): string {
  const names: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386', arm64: 'arm64', arm: 'arm' };
  return names[arch()] ?? arch();
}

export async function systemAttributes(): Promise<Record<string, string>> {
  const system = await operatingSystem();
  const cgroups = await cgroupsVersion();
  return {
    'cpu.arch': goArchitecture(),
    'kernel.name': platform() === 'win32' ? 'windows' : platform(),
    'kernel.arch': machine(),
    'kernel.version': release(),
    'os.name': system.name,
    'os.version': system.version,
    'os.signals': Object.keys(constants.signals).sort().join(','),
    'unique.hostname': hostname(),
    ...(cgroups !== '' && { 'os.cgroups.version': cgroups }),
    ...(await hostId()),
  };
}

async function operatingSystem(): Promise<{ readonly name: string; readonly version: string }> {
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const field = (key: string): string => new RegExp(`^${key}="?([^"\n]*)"?$`, 'm').exec(text)?.[1] ?? '';
  const debian = field('ID') === 'debian' ? await readFile('/etc/debian_version', 'utf8').catch(() => '') : '';
  return { name: field('ID') || platform(), version: debian.trim() || field('VERSION_ID') || release() };
}

/** `"1"`, `"2"`, or `""` where there are none. A hybrid host counts as 1: its controllers are there. */
async function cgroupsVersion(): Promise<string> {
  const mounts = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const types = mounts.split('\n').map((line) => / - (\S+) /.exec(line)?.[1] ?? '');
  if (types.includes('cgroup')) return '1';
  return types.includes('cgroup2') ? '2' : '';
}

async function hostId(): Promise<Record<string, string>> {
  const id = (await readFile('/etc/machine-id', 'utf8').catch(() => '')).trim();
  const uuid = /^([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})$/.exec(id);
  return uuid === null ? {} : { 'unique.host_id': uuid.slice(1).join('-') };
}
