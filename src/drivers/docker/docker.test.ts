import { afterAll, beforeAll, describe, test } from 'vitest';
import { conformanceCases, type DriverSuite } from '../../driver-kit/conformance.ts';
import { lackingForDaemon } from '../../driver-kit/container-engine/scratch-daemon.ts';
import { opening, type Way, ways } from '../../driver-kit/served-driver.ts';
import { docker } from './index.ts';
import { containerSuite, ScratchDocker } from './scratch-docker.ts';

let scratch: ScratchDocker;

beforeAll(async () => {
  if (lackingForDaemon.length === 0) scratch = await ScratchDocker.open();
}, 120_000);
afterAll(() => scratch?.close(), 60_000);

const suite = (way: Way): DriverSuite =>
  containerSuite(
    opening(way, docker, () => ({ options: { endpoint: scratch.daemon.endpoint }, deps: scratch.host.deps })),
    (config) => scratch.task(config),
  );

describe.skipIf(lackingForDaemon.length > 0).each(ways)(
  'docker on a real daemon, %s, does what every driver does:',
  (way) => {
    test.each(conformanceCases.map((each) => [each.name, each] as const))('%s', async (_, each) =>
      each.run(suite(way)),
    );
  },
);
