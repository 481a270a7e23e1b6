import { describe, expect, it } from 'vitest';
import { chooseDriver, driversOf, withDriver } from './driver-choice.ts';
import { noFloor } from './isolation-floor.ts';

const driver = (Healthy = true, HealthDescription = 'Healthy') => ({
  Attributes: {},
  Detected: true,
  Healthy,
  HealthDescription,
  UpdateTime: '',
});
type Drivers = Readonly<Record<string, ReturnType<typeof driver>>>;
const node = (Drivers: Drivers, rungs: Readonly<Record<string, string>>) => ({
  Drivers,
  Attributes: Object.fromEntries(Object.entries(rungs).map(([name, rung]) => [`driver.${name}.isolation`, rung])),
});
const group = { Networks: [{ Mode: 'none' }], Tasks: [{}] } as never;
const task = (Config: Readonly<Record<string, unknown>>) => ({ Driver: 'auto', Config, User: '' });
const plain = task({ command: '/bin/true' });
const pictured = task({ command: '/bin/true', image: 'busybox:1' });

describe('driver "auto"', () => {
  const everything = node(
    { docker: driver(), podman: driver(), exec: driver(), raw_exec: driver() },
    { docker: 'sandbox', podman: 'process', exec: 'sandbox', raw_exec: 'process' },
  );

  it('takes the strictest rung, and of equal ones the stricter kind', () => {
    expect(chooseDriver(everything, group, pictured, noFloor)).toEqual({
      Driver: 'docker',
      Reason: 'docker: rung "sandbox"; podman: rung "process"; exec: rung "sandbox"; raw_exec: rung "process"',
    });
    const stricter = { ...everything, Attributes: { ...everything.Attributes, 'driver.exec.isolation': 'container' } };
    expect(chooseDriver(stricter, group, pictured, noFloor).Driver).toBe('exec');
  });

  it('goes without images where the task has none, and without commands of the host where it must have one', () => {
    expect(chooseDriver(everything, group, plain, noFloor)).toMatchObject({
      Driver: 'exec',
      Reason: expect.stringContaining('docker: the task has no image'),
    });
    const must = task({ command: 'x', image: 'y', require_image: true });
    const without = node({ exec: driver() }, { exec: 'sandbox' });
    expect(chooseDriver(without, group, must, noFloor)).toEqual({
      Driver: '',
      Reason:
        'docker: not on this node; podman: not on this node; exec: it runs no images; raw_exec: it runs no images',
    });
  });

  it('goes without drivers whose tasks would get no volumes, where the task mounts some', () => {
    const mounting = { ...pictured, VolumeMounts: [{}] } as never;
    expect(chooseDriver(everything, group, mounting, noFloor).Reason).toMatch(
      /exec: rung "sandbox"; raw_exec: it mounts no volumes$/,
    );
    const bare = { ...everything, Attributes: { ...everything.Attributes, 'driver.exec.volumes': '0' } };
    expect(chooseDriver(bare, group, mounting, noFloor).Reason).toContain('exec: no volumes here');
    expect(chooseDriver(bare, group, pictured, noFloor).Reason).toContain('exec: rung "sandbox"');
  });

  it('takes a machine first where KVM booted one and the task can do without what machines lack', () => {
    const rungs = { microvm: 'sandbox', docker: 'sandbox', exec: 'sandbox' };
    const { Attributes, Drivers } = node({ microvm: driver(), docker: driver(), exec: driver() }, rungs);
    const kvm = { Drivers, Attributes: { ...Attributes, 'driver.microvm.kvm': '1' } as typeof Attributes };
    const boxed = task({ command: 'x', image: 'y', load: 'local/y.tar' });
    const choice = (given: Parameters<typeof chooseDriver>[2], where = kvm, of: object = {}) =>
      chooseDriver(where, { ...(group as object), ...of } as never, given, noFloor);
    expect(choice(boxed).Driver).toBe('microvm');
    expect(choice(task({ command: 'x', rootfs: 'local/root' })).Driver).toBe('microvm');
    const ports = { Networks: [{ Mode: 'bridge', DynamicPorts: [{ Label: 'http' }] }] };
    expect(choice(boxed, kvm, ports).Driver).toBe('microvm');
    const cases = [
      [choice(boxed, { Drivers, Attributes }), 'would be emulated here'],
      [choice(boxed, kvm, { Networks: null }), "do not have the host's network"],
      [choice(boxed, kvm, { Networks: [{ Mode: 'host' }] }), "do not have the host's network"],
      [choice(boxed, kvm, { Tasks: [{}, {}] }), 'share no loopback and no files'],
      [choice({ ...boxed, VolumeMounts: [{}] } as never), 'have no volumes'],
      [choice({ ...boxed, Resources: { MemoryMB: 64 } } as never), 'a machine needs 96 MB of memory, not 64'],
    ] as const;
    for (const [{ Driver, Reason }, text] of cases) {
      expect(Driver).toBe('docker');
      expect(Reason).toContain(`microvm: ${text.startsWith('a ') ? '' : 'its machines '}${text}`);
    }
    const named = task({ ...boxed.Config, among: ['microvm', 'docker'] });
    expect(choice(named, { Drivers, Attributes } as never).Driver).toBe('microvm');
    expect(withDriver(boxed, 'microvm', group)).toEqual({
      Driver: 'microvm',
      User: '65534:65534',
      Config: { load: 'local/y.tar', image: 'y', command: 'x' },
    });
  });

  it('passes over what is not healthy, and goes no lower than the floor', () => {
    const poor = node({ docker: driver(false, 'no daemon'), exec: driver(), raw_exec: driver() }, { exec: 'process' });
    expect(chooseDriver(poor, group, pictured, noFloor)).toMatchObject({
      Driver: 'exec',
      Reason: expect.stringContaining('docker: unhealthy here (no daemon)'),
    });
    const { Driver, Reason } = chooseDriver(poor, group, pictured, { ...noFloor, min: 'sandbox' });
    expect(Driver).toBe('');
    expect(Reason).toMatch(/exec: gives "process" here, below the floor; missing: .*seccomp/);
    expect(Reason).toContain('raw_exec: proves no isolation here');
  });

  it('is among the drivers that the job names', () => {
    const only = task({ command: 'x', among: ['raw_exec', 'exec'] });
    expect(driversOf(only)).toEqual(['exec', 'raw_exec']);
    expect(driversOf({ Driver: 'exec', Config: {} })).toEqual(['exec']);
    expect(chooseDriver(node({ docker: driver() }, {}), group, only, noFloor).Driver).toBe('');
  });

  it('gives each driver its own options: a container gets the ports of a group on the host, and keeps their numbers', () => {
    const ports = { Networks: [{ Mode: 'host', DynamicPorts: [{ Label: 'http' }], ReservedPorts: null }] } as never;
    const full = task({ command: 'a', args: ['b'], image: 'c', among: ['docker'], require_image: false });
    expect(withDriver(full, 'docker', ports)).toEqual({
      Driver: 'docker',
      User: '65534:65534',
      Config: {
        image: 'c',
        command: 'a',
        args: ['b'],
        cap_drop: ['all'],
        security_opt: ['seccomp=drover'],
        ports: ['http'],
      },
    });
    expect(withDriver(full, 'exec', ports)).toMatchObject({
      Driver: 'exec',
      User: '',
      Config: { command: 'a', args: ['b'] },
    });
  });
});
