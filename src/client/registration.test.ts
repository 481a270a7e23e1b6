import { afterEach, beforeEach, expect, it } from 'vitest';
import { Fault } from '../lib/fault.ts';
import { createLog } from '../lib/log.ts';
import type { Node } from '../model/node.ts';
import { TestServer, until } from './client-test-kit.ts';
import { Registration } from './registration.ts';

function registrationWith(server: TestServer): Registration {
  return new Registration({
    server,
    who: { nodeId: 'node', secretId: 'secret' },
    node: () => ({ ID: 'node' }) as Node,
    beaten: () => undefined,
    log: createLog('client', () => undefined, Date.now),
    random: () => 0.5,
  });
}

let life: AbortController;
let running: Promise<void>;
beforeEach(() => {
  life = new AbortController();
});
afterEach(() => {
  life.abort();
  return running;
});

it('asks servers that are away less and less often, also for its first registration', async () => {
  const server = new TestServer();
  let asked = 0;
  server.register = async () => {
    asked++;
    throw new Fault('unavailable', 'the servers are away');
  };
  running = registrationWith(server).run(life.signal);
  await until(() => asked > 0);
  await new Promise((resolve) => setTimeout(resolve, 1_200));
  // after 0, 0.2 and 0.6 s
  expect(asked).toBeLessThanOrEqual(4);
});

it('tells what changed at once, long before the next heartbeat', async () => {
  const server = new TestServer();
  let told = 0;
  server.register = async () => {
    told++;
    return { index: 1, heartbeatTtlMs: 1e9 };
  };
  const registration = registrationWith(server);
  running = registration.run(life.signal);
  await until(() => told === 1);
  registration.nodeChanged();
  await until(() => told === 2);
});
