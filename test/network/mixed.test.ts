/** One group, tasks of two drivers, one network: a container and a task of exec are neighbours on its loopback and behind its published ports. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lackingForDaemon, ScratchDaemon, scratchImage } from '../../src/driver-kit/container-engine/scratch-daemon.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';
import { runCli } from '../e2e/cli.ts';
import { nodeReady } from '../e2e/jobs.ts';
import { groupsOf, wait } from './groups.ts';
import {
  ask,
  attempt,
  greet,
  greeter,
  hostAddress,
  inside,
  metadataAddress,
  ownHost,
  run,
  setUpHost,
} from './own-host.ts';

describe.skipIf(!ownHost || lackingForDaemon.length > 0)('docker and exec in one group', () => {
  let agent: AgentProcess;
  let daemon: ScratchDaemon;
  const { logs, start, stop } = groupsOf(() => agent);

  beforeAll(async () => {
    setUpHost();
    // as it is on a host: the daemon, in mounts of its own, sees networks that are made later
    run('mount', '--make-shared', '/run/netns');
    daemon = await ScratchDaemon.open();
    agent = await startAgent({ config: { plugin: { docker: { config: { endpoint: daemon.endpoint } } } } });
    await nodeReady(agent);
  });
  afterAll(async () => {
    await agent?.dispose();
    await daemon?.close();
  });

  it('share one network: each reaches the other, the host both, and neither what is denied', async () => {
    const metadata = await greeter(metadataAddress, 80, 'metadata');
    const serves = 'exec nc -ll -p 80 -e /bin/echo docker serves';
    const contained = { driver: 'docker', config: { image: scratchImage, command: '/bin/sh', args: ['-c', serves] } };
    const alloc = await start(
      'mixed',
      'bridge',
      { contained, own: { script: `fork or do { ${greet(81, 'exec')} }; ${wait}` } },
      [
        { Label: 'contained', To: 80 },
        { Label: 'own', To: 81 },
      ],
    );
    const from = async (task: string, ...command: readonly string[]): Promise<string> =>
      (await runCli(agent, ['alloc', 'exec', '-task', task, alloc.id, ...command])).stdout;
    await eventually(async () => expect(await ask(hostAddress, alloc.port('contained'))).toBe('docker serves'), 30_000);
    await eventually(async () => expect(await ask(hostAddress, alloc.port('own'))).toContain('exec sees '));
    const namespaces = [
      await from('contained', 'readlink', '/proc/self/ns/net'),
      await from('own', '/usr/bin/readlink', '/proc/self/ns/net'),
    ];
    expect(namespaces[0]).toMatch(/^net:\[\d+\]\n$/);
    expect(namespaces[1]).toBe(namespaces[0]);
    const asks = (targets: readonly string[]): Promise<string> => from('own', '/usr/bin/perl', '-e', attempt(targets));
    await eventually(async () => expect(await asks(['127.0.0.1 80'])).toContain('127.0.0.1:80 docker serves'));
    expect(await from('contained', '/bin/sh', '-c', 'nc 127.0.0.1 81 </dev/null')).toContain('exec sees 127.0.0.1');
    expect(inside(alloc.id, 'perl', '-e', attempt([`${metadataAddress} 80`]))).toContain('refused');
    expect(
      await from(
        'contained',
        '/bin/sh',
        '-c',
        `nc -w 2 ${metadataAddress} 80 </dev/null && echo through || echo refused`,
      ),
    ).toBe('refused\n');
    expect(await ask(metadataAddress, 80)).toBe('metadata');
    metadata.close();
    await logs(alloc.id, 'own', 'listening');
    await stop('mixed');
  });
});
