import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  lackingForDaemon,
  lackingForPodman,
  ScratchDaemon,
  scratchImage,
} from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { compileModule, lackingForModules } from '../../src/drivers/wasm/scratch-module.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from './cli.ts';

const folder = join(import.meta.dirname, '../../examples');
/** Run by test/network, which has a host of its own for them. */
const elsewhere = new Set(['bridge.nomad.hcl', 'microvm-service.nomad.hcl']);
const files = readdirSync(folder).filter((name) => name.endsWith('.nomad.hcl'));
const names = files.filter((name) => !elsewhere.has(name));

/** What the output of each must show; a file without a line here fails. */
const shows: { readonly [name: string]: { readonly task: string; readonly text: string; readonly lives?: true } } = {
  'hello.nomad.hcl': { task: 'hello', text: 'Hello from hello, allocation' },
  'service.nomad.hcl': { task: 'serve', text: 'It works. Would listen on ', lives: true },
  'lifecycle.nomad.hcl': { task: 'compute', text: '42\n' },
  'system.nomad.hcl': { task: 'beat', text: 'on node node1', lives: true },
  'sysbatch.nomad.hcl': { task: 'inventory', text: 'Linux ' },
  'restart.nomad.hcl': { task: 'try', text: 'try 1\ntry 2\ntry 3\n' },
  'raw-exec.nomad.hcl': { task: 'show', text: 'running as ' },
  'docker.nomad.hcl': { task: 'greet', text: 'Hello from a-container, as nobody\n/alloc\n/local\n/secrets\n' },
  'podman.nomad.hcl': { task: 'greet', text: 'Hello from a-container, as nobody\n/alloc\n/local\n/secrets\n' },
  'java.nomad.hcl': { task: 'properties', text: 'TLS' },
  'wasm.nomad.hcl': { task: 'hello', text: 'Hello from a module, to Drover\n' },
  'microvm.nomad.hcl': { task: 'kernel', text: 'Hello from a machine of kernel ' },
  'qemu.nomad.hcl': { task: 'machine', text: 'hi' },
  'mock.nomad.hcl': { task: 'nothing', text: 'pretending\n' },
  'host-volume.nomad.hcl': { task: 'list', text: 'main.c\nread-only\n' },
};

/** A root file system of busybox alone, and a disk whose first sector says "hi" on the serial port and restarts the machine. */
function makeImages(at: string): void {
  chmodSync(at, 0o755);
  for (const name of ['bin', 'proc', 'sys', 'dev']) mkdirSync(join(at, 'root', name), { recursive: true });
  if (existsSync('/bin/busybox')) cpSync('/bin/busybox', join(at, 'root/bin/busybox'));
  const said = Array.from(Buffer.from(`${'\n'.repeat(16)}hi\n`)).flatMap((byte) => [
    0xba,
    0xf8,
    0x03,
    0xb0,
    byte,
    0xee,
  ]);
  const disk = Buffer.alloc(1 << 20);
  disk.set([...said, 0xb0, 0xfe, 0xe6, 0x64, 0xf4, 0xeb, 0xfd]);
  disk.set([0x55, 0xaa], 510);
  writeFileSync(join(at, 'disk.img'), disk, { mode: 0o644 });
}

describe('every example', () => {
  let agent: AgentProcess;
  let daemon: ScratchDaemon | null = null;
  let service: ScratchDaemon | null = null;
  const code = mkdtempSync(join(tmpdir(), 'drover-code-'));
  const modules = mkdtempSync(join(tmpdir(), 'drover-modules-'));
  const images = mkdtempSync(join(tmpdir(), 'drover-images-'));
  const variables: { readonly [name: string]: readonly string[] } = {
    'microvm.nomad.hcl': ['-var', `rootfs=${join(images, 'root')}`],
    'qemu.nomad.hcl': ['-var', `image=${join(images, 'disk.img')}`],
  };

  beforeAll(async () => {
    writeFileSync(join(code, 'main.c'), '');
    for (const folder of [code, modules]) chmodSync(folder, 0o755);
    if (lackingForModules.length === 0) {
      const source = join(code, 'hello.c');
      writeFileSync(
        source,
        `#include <stdio.h>
int main(int argc, char **argv) { printf("Hello from a module, to %s\\n", argv[argc - 1]); }`,
      );
      compileModule(source, join(modules, 'hello.wasm'));
      rmSync(source);
    }
    makeImages(images);
    if (lackingForDaemon.length === 0) {
      daemon = await ScratchDaemon.open();
      await daemon.tag(scratchImage, 'busybox', '1');
    }
    if (lackingForPodman.length === 0) {
      service = await ScratchDaemon.open({ engine: 'podman' });
      await service.tag(`localhost/${scratchImage}`, 'localhost/busybox', '1');
    }
    agent = await startAgent({
      args: ['-dev'],
      config: {
        client: { enabled: true, host_volume: { code: { path: code, read_only: true } } },
        plugin: {
          raw_exec: { config: { enabled: true } },
          wasm: { config: { module_paths: [modules] } },
          microvm: { config: { image_paths: [images] } },
          qemu: { config: { image_paths: [images] } },
          ...(daemon === null ? {} : { docker: { config: { endpoint: daemon.endpoint } } }),
          ...(service === null ? {} : { podman: { config: { socket_path: service.endpoint } } }),
        },
      },
    });
  });
  afterAll(async () => {
    await agent.dispose();
    await daemon?.close();
    await service?.close();
    for (const each of [code, modules, images]) rmSync(each, { recursive: true, force: true });
  });

  it.each(files)('%s is listed in the README of the examples', (name) => {
    expect(readFileSync(join(folder, 'README.md'), 'utf8')).toContain(name);
  });

  it.each(names)('%s runs and shows what it is about', async (name) => {
    // named where it cannot be tried
    if (name === 'docker.nomad.hcl' && daemon === null) return;
    if (name === 'podman.nomad.hcl' && service === null) return;
    if (name === 'wasm.nomad.hcl' && lackingForModules.length > 0) return;
    if (name === 'microvm.nomad.hcl' && !existsSync('/vmlinuz')) return;
    const { task, text, lives } = shows[name]!;
    // a driver that boots a machine to know itself is there some seconds after the agent
    const [, driver = ''] = /driver += "(\w+)"/.exec(readFileSync(join(folder, name), 'utf8'))!;
    await eventually(async () => {
      const [node] = (await agent.client.nodes.list()).value;
      expect(node?.Drivers?.[driver]).toMatchObject({ Healthy: true });
    });
    const ran = await runCli(agent, ['job', 'run', ...(variables[name] ?? []), join(folder, name)]);
    expect(ran, ran.stdout).toMatchObject({ code: 0, stderr: '' });
    const job = name.replace('.nomad.hcl', '');
    await eventually(async () => {
      const { value } = await agent.client.jobs.allocations(job);
      const want = lives === true ? 'running' : 'complete';
      if (value.length === 0 || !value.every((row) => row.ClientStatus === want))
        throw new Error(
          `${job}: ${value.map((row) => row.ClientStatus).join()} ${JSON.stringify(value[0]?.TaskStates)}`,
        );
      const logs = await runCli(agent, ['alloc', 'logs', '-stdout', value[0]!.ID, task]);
      expect(logs.stdout).toContain(text);
    });
    expect(await runCli(agent, ['job', 'stop', '-purge', '-detach', job])).toMatchObject({ code: 0 });
  });
});
