import { describe, expect, it } from 'vitest';
import { silentLog } from '../lib/log.ts';
import { seededRandom } from '../lib/seeded-random.ts';
import { serverContext } from './context.ts';
import { Heartbeats } from './heartbeats.ts';
import { ManualClock } from './manual-clock.ts';
import { idSource, startCluster, testNode } from './test-cluster.ts';

const never = new AbortController().signal;

/** Its time of day can be set, and its timers held up, as on a real machine. */
class UnrulyClock extends ManualClock {
  shiftNs = 0;
  heldUpMs = 0;

  override now(): number {
    return super.now() + this.shiftNs;
  }

  override elapsedMs(): number {
    return super.elapsedMs() + this.heldUpMs;
  }
}

async function oneNode() {
  const clock = new UnrulyClock();
  const { store } = await startCluster({ server: { schedulers: 0 } }).then(async (cluster) => {
    await cluster.server.connection().register(testNode('n1'), never);
    await cluster.server.close();
    return cluster;
  });
  const context = serverContext({
    store,
    clock,
    newId: idSource(9),
    random: seededRandom(1),
    log: silentLog,
    region: 'global',
  });
  const heartbeats = new Heartbeats(context);
  heartbeats.start();
  heartbeats.beat('n1');
  return { clock, heartbeats, status: () => store.snapshot().get('nodes', 'n1')?.Status };
}

describe('heartbeats', () => {
  it('mark a node down when it was silent for its time and the grace', async () => {
    const { clock, status } = await oneNode();
    await clock.advance(19_000);
    expect(status()).toBe('ready');
    await clock.advance(3_000);
    expect(status()).toBe('down');
  });

  it('do not care when somebody sets the time of day', async () => {
    const { clock, status } = await oneNode();
    clock.shiftNs = 3600e9;
    await clock.advance(15_000);
    expect(status()).toBe('ready');
    clock.shiftNs = -3600e9;
    await clock.advance(7_000);
    expect(status()).toBe('down');
  });

  it('hold no node to the time in which this process itself stood still', async () => {
    const { clock, heartbeats, status } = await oneNode();
    await clock.advance(5_000);
    clock.heldUpMs = 60_000;
    await clock.advance(2_000);
    expect(status()).toBe('ready');
    heartbeats.beat('n1');
    await clock.advance(15_000);
    expect(status()).toBe('ready');
  });

  it('ask many nodes to beat less often', async () => {
    const { heartbeats } = await oneNode();
    for (let n = 0; n < 5000; n++) heartbeats.beat(`node-${n}`);
    expect(heartbeats.beat('n1')).toBeGreaterThan(90_000);
  });
});
