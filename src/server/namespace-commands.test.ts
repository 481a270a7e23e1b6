import { describe, expect, it } from 'vitest';
import { parseNamespaceFile, parseNodePoolFile } from '../jobspec/index.ts';
import { settle } from './manual-clock.ts';
import { register, startCluster, testJob, testNode } from './test-cluster.ts';

describe('a namespace', () => {
  it('is kept as its file says, its demand for isolation among it, and keeps its first index when it changes', async () => {
    const { server, store } = await startCluster();
    const text = `
      name = "dev"
      description = "for dev"
      meta { owner = "me" }
      capabilities { disabled_task_drivers = ["docker"] }
      isolation { mode = "warn"  min = "sandbox"  require = ["seccomp"]  on_degrade = "stop" }`;
    const { value, diagnostics } = parseNamespaceFile(text, 'ns.hcl');
    expect(diagnostics).toEqual([]);
    const { index } = await server.putNamespace(value!);
    const first = store.snapshot().get('namespaces', 'dev')!;
    expect(first).toMatchObject({
      Description: 'for dev',
      Meta: { owner: 'me' },
      Capabilities: { DisabledTaskDrivers: ['docker'] },
      Isolation: { Mode: 'warn', Min: 'sandbox', Require: ['seccomp'], OnDegrade: 'stop' },
      CreateIndex: index,
    });
    await server.putNamespace({ Name: 'dev', Isolation: {} });
    const second = store.snapshot().get('namespaces', 'dev')!;
    expect([second.CreateIndex, second.Isolation ?? null, second.Meta]).toEqual([index, null, null]);
    expect(second.Hash).not.toBe(first.Hash);
  });

  it('keeps its demand for isolation where who changes it knows of none, as clients of Nomad', async () => {
    const { server, store } = await startCluster();
    const dev = () => store.snapshot().get('namespaces', 'dev')!;
    await server.putNamespace({ Name: 'dev', Isolation: { Min: 'sandbox' } });
    const first = dev();
    await server.putNamespace({ Name: 'dev', Description: 'another' });
    expect(dev()).toMatchObject({ Description: 'another', Isolation: first.Isolation });
    await server.putNamespace({ Name: 'dev' });
    expect(dev().Hash).toEqual(first.Hash);
  });

  it('tells what lives in it of a demand that changed, and what is placed by a plan that did not know of it', async () => {
    const { server, store } = await startCluster();
    await server.connection().register(testNode('n1'), new AbortController().signal);
    for (const name of ['dev', 'other']) {
      await server.putNamespace({ Name: name });
      await register(server, testJob(name, { Namespace: name }));
    }
    await settle();
    const rows = (namespace: string) =>
      [...store.snapshot().scan('allocations')].filter((row) => row.Namespace === namespace);
    const demands = (namespace: string) => rows(namespace).map((row) => row.NamespaceIsolation?.Min ?? '');
    const [before] = rows('dev');
    const { index } = await server.putNamespace({ Name: 'dev', Isolation: { Min: 'sandbox' } });
    expect([demands('dev'), demands('other')]).toEqual([['sandbox'], ['']]);
    // the node reads it again
    expect([before!.AllocModifyIndex < index, rows('dev')[0]!.AllocModifyIndex]).toEqual([true, index]);
    await server.putNamespace({ Name: 'dev', Description: 'nothing for a node', Isolation: { Min: 'sandbox' } });
    expect(rows('dev')[0]!.AllocModifyIndex).toBe(index);
    await server.putNamespace({ Name: 'dev', Isolation: {} });
    expect(demands('dev')).toEqual(['']);
  });

  it('is refused with every problem at once', async () => {
    const { server } = await startCluster();
    const bad = { Name: 'a b', Isolation: { Mode: 'perhaps', Min: 'granite' } };
    await expect(server.putNamespace(bad)).rejects.toThrow(/3 errors occurred[\s\S]*a b[\s\S]*perhaps[\s\S]*granite/);
  });

  it('goes only when no job in it lives', async () => {
    const { server, store } = await startCluster();
    await server.putNamespace({ Name: 'dev' });
    await register(server, testJob('a', { Namespace: 'dev' }));
    await expect(server.deleteNamespace('dev')).rejects.toThrow('has non-terminal jobs in regions: [global]');
    await expect(server.deleteNamespace('default')).rejects.toThrow('can not delete default namespace');
    await server.deregisterJob({ namespace: 'dev', id: 'a', purge: true, evalPriority: 0, noShutdownDelay: false });
    await settle();
    await server.deleteNamespace('dev');
    expect(store.snapshot().get('namespaces', 'dev')).toBeUndefined();
    await expect(server.deleteNamespace('dev')).rejects.toThrow('namespace not found');
  });

  it('says which drivers, networks and node pools its jobs may use', async () => {
    const { server } = await startCluster();
    await server.putNamespace({
      Name: 'dev',
      Capabilities: { EnabledTaskDrivers: ['exec'], DisabledNetworkModes: ['host'] },
      NodePoolConfiguration: { Denied: ['default'] },
    });
    const job = testJob('a', { Namespace: 'dev' });
    const [group] = job.TaskGroups!;
    const wide = { ...job, TaskGroups: [{ ...group!, Networks: [{ Mode: 'host' }] }] };
    await expect(register(server, wide)).rejects.toThrow(
      /task driver "mock_driver" is not allowed in namespace "dev"[\s\S]*network mode "host" is not[\s\S]*node pool "default" is not/,
    );
  });
});

describe('a node pool', () => {
  it('is made from its file, is what jobs name, and goes when nothing is in it', async () => {
    const { server, store } = await startCluster();
    const text =
      'node_pool "gpu" { \n description = "d" \n scheduler_config { \n scheduler_algorithm = "spread" \n } \n }';
    const { value, diagnostics } = parseNodePoolFile(text, 'pool.hcl');
    expect(diagnostics).toEqual([]);
    await server.putNodePool(value!);
    expect(store.snapshot().get('nodePools', 'gpu')).toMatchObject({
      Name: 'gpu',
      NodeIdentityTTL: 86_400_000_000_000,
      SchedulerConfiguration: { SchedulerAlgorithm: 'spread', MemoryOversubscriptionEnabled: null },
    });
    await register(server, testJob('a', { NodePool: 'gpu' }));
    await expect(server.deleteNodePool('gpu')).rejects.toThrow('node pool "gpu" has non-terminal jobs');
    await server.deregisterJob({ namespace: 'default', id: 'a', purge: true, evalPriority: 0, noShutdownDelay: false });
    await settle();
    await server.deleteNodePool('gpu');
    await expect(server.deleteNodePool('gpu')).rejects.toThrow('not found');
  });

  it.each(['all', 'default'])('of every cluster stays as it is: %s', async (name) => {
    const { server } = await startCluster();
    await expect(server.putNodePool({ Name: name, Description: 'x' })).rejects.toThrow('is not allowed');
    await expect(server.deleteNodePool(name)).rejects.toThrow('is not allowed');
  });

  it('needs exactly one block in its file', () => {
    const twice = 'node_pool "a" {}\nnode_pool "b" {}\n';
    expect(parseNodePoolFile('', 'x').diagnostics[0]?.summary).toBe('Missing node_pool block');
    expect(parseNodePoolFile(twice, 'x').diagnostics[0]?.summary).toBe('Duplicate node_pool block');
  });
});
