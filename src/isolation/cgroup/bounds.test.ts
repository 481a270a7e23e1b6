/** Directories that look like control groups: what a start left in them, and what of it is not so any more. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { boundsDrift, readBounds } from './bounds.ts';
import { limitFiles, limitsOf } from './limits.ts';

const place = mkdtempSync(join(tmpdir(), 'drover-bounds-'));
afterAll(() => rmSync(place, { recursive: true }));

const resources = { cpuShares: 100, cpusetCpus: '1', memoryMb: 64, memoryMaxMb: 128, percentTicks: 0.1, ports: [] };
const limits = limitsOf(resources, 512, { cpuCores: 0.25, ioWeight: 50 });

/** As runc 1.1 and crun leave them for a container of a quarter of a core: its own rounding, and files that bound nothing. */
const engine = {
  1: {
    'memory.limit_in_bytes': '67108864',
    'memory.memsw.limit_in_bytes': '67108864',
    'memory.soft_limit_in_bytes': '9223372036854771712',
    'memory.swappiness': '0',
    'cpu.shares': '99',
    'cpu.cfs_period_us': '100000',
    'cpu.cfs_quota_us': '25000',
    'blkio.throttle.read_bps_device': '',
    'cpuset.cpus': '0-1',
    'pids.max': '4096',
  },
  2: {
    'memory.max': '67108864',
    'memory.min': '0',
    'memory.low': '0',
    'memory.high': 'max',
    'memory.swap.max': '0',
    'cpu.weight': '59',
    'cpu.max': '25000 100000',
    'io.weight': 'default 100',
    'io.max': '',
    'cpuset.cpus': '',
    'pids.max': '4096',
  },
} as const;

const controllers = ['cpu', 'cpuset', 'memory', 'pids', 'io', 'devices'];
let made = 0;
function group(version: 1 | 2, files: Readonly<Record<string, string>>) {
  const path = join(place, String(made++));
  mkdirSync(path);
  const write = (file: string, text: string) => writeFileSync(join(path, file), `${text}\n`);
  for (const [file, text] of Object.entries(files)) write(file, text);
  return { cgroup: { name: 'g', directories: [{ version, path, controllers, ours: false }] }, write, path };
}

describe.each([1, 2] as const)('what a start left in groups of version %i', (version) => {
  it('is every limit that was asked for, so that each one lost is said', () => {
    const asked = limitFiles(limits, version).filter(
      ({ file }) => !/^(pids\.max|memory\.(max|limit_in_bytes))$/.test(file),
    );
    expect(asked.length).toBeGreaterThan(4);
    const files = Object.fromEntries(asked.map(({ file, value }) => [file, value]));
    const { cgroup, write } = group(version, files);
    const bounds = readBounds(cgroup, limits);
    expect(bounds).toEqual(files);
    expect(boundsDrift(cgroup, bounds)).toEqual([]);
    for (const { file, value } of asked) {
      const other = file.startsWith('memory.') ? '99999999' : '7';
      write(file, other);
      expect(boundsDrift(cgroup, bounds)).toEqual([`${file} ${other}, not ${value}`]);
      write(file, value);
    }
  });

  it("is what an engine made of it, whatever its rounding, and nothing that bounds nothing or is the host's", () => {
    const { cgroup } = group(version, engine[version]);
    const bounds = readBounds(cgroup, { ...limits, cpusetCpus: '' });
    expect(boundsDrift(cgroup, bounds)).toEqual([]);
    expect(Object.keys(bounds).sort()).toEqual(
      version === 1
        ? ['cpu.cfs_period_us', 'cpu.cfs_quota_us', 'cpu.shares', 'memory.memsw.limit_in_bytes', 'memory.swappiness']
        : ['cpu.max', 'cpu.weight', 'io.weight', 'memory.swap.max'],
    );
  });

  it('is missed where the group is gone', () => {
    const { cgroup, path } = group(version, engine[version]);
    const bounds = readBounds(cgroup, limits);
    rmSync(path, { recursive: true });
    const wanted = Object.entries(bounds).map(([file, value]) => `${file} absent, not ${value}`);
    expect(boundsDrift(cgroup, bounds)).toEqual(wanted);
    expect(boundsDrift({ name: 'g', directories: [] }, bounds)).toEqual(wanted);
  });
});
