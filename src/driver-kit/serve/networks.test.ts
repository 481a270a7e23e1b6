// Capabilities that only our own drivers set over the wire: hosts and SDKs in Go leave some of them out.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { EngineDriver, NetworkIsolation } from '../../driver/contract.ts';
import { type DriverPlugin, definePlugin } from '../driver-plugin.ts';
import { openRemoteDriver } from '../remote/remote-driver.ts';
import { openScratchHost, type ScratchHost } from '../scratch-host.ts';
import { type Serving, serveOnSocket } from './serve.ts';

const never = new AbortController().signal;
const made = new Map<string, NetworkIsolation>();
let host: ScratchHost;
let serving: Serving;
let driver: EngineDriver;

const plugin = definePlugin({
  pluginName: 'networked',
  configSchema: {},
  taskSchema: {},
  create: (): EngineDriver => {
    const unasked = async (): Promise<never> => {
      throw new Error('nobody asks for this');
    };
    return {
      info: {
        name: 'networked',
        version: '1.0.0',
        filesystem: 'none',
        networkModes: ['group', 'task'],
        mounts: false,
        ownLogs: true,
        dynamicUsers: true,
      },
      async *fingerprint() {
        yield { health: 'healthy', description: 'Healthy', attributes: {} };
      },
      start: unasked,
      recover: unasked,
      wait: unasked,
      stop: unasked,
      destroy: unasked,
      inspect: unasked,
      close: async () => {},
      createNetwork: async (allocId, hostname) => {
        const created = !made.has(allocId);
        const network: NetworkIsolation = {
          mode: 'group',
          path: `/run/${allocId}`,
          labels: { by: 'us' },
          hosts: { hostname, address: '10.0.0.1' },
        };
        made.set(allocId, network);
        return { network, created };
      },
      destroyNetwork: async (allocId) => {
        made.delete(allocId);
      },
    };
  },
});

beforeAll(async () => {
  host = await openScratchHost({ isolation: false });
  serving = await serveOnSocket(plugin as unknown as DriverPlugin, host.deps);
  driver = await openRemoteDriver({ target: `unix:${serving.socketPath}`, config: {} }, never);
});

afterAll(async () => {
  await driver.close();
  await serving.close();
  await host.close();
});

it('every capability of a driver arrives at the other end', () => {
  expect(driver.info).toMatchObject({
    networkModes: ['group', 'task'],
    mounts: false,
    ownLogs: true,
    dynamicUsers: true,
    // of every driver that the kit serves
    ownCgroups: true,
  });
});

it('a driver that makes networks makes them over the wire, once, and takes them away', async () => {
  const first = await driver.createNetwork!('a', 'web', never);
  expect(first).toEqual({ network: made.get('a'), created: true });
  expect(await driver.createNetwork!('a', 'web', never)).toMatchObject({ created: false });
  await driver.destroyNetwork!('a', first.network, never);
  expect(made.size).toBe(0);
});
