/** What an engine's containers can be verified to have, found out with containers of nobody's: the node's attributes by which tasks are placed. */
import type { TaskConfig } from '../../driver/contract.ts';
import { trialLimits, withTries } from '../../isolation/tries.ts';
import { abilityAttributes } from '../../model/isolation-ability.ts';
import { type IsolationRung, rungWith } from '../../model/isolation-ladder.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { directoriesOf, taskOf } from '../scratch-task.ts';
import { bodyOf, type ContainerDriver } from './container-driver.ts';
import { containerLines } from './container-isolation.ts';
import type { ContainerTrials } from './container-trial.ts';
import { containerState } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { type EngineFacts, sharesIds } from './engine-facts.ts';

const megabyte = 1024 * 1024;

/** Empty: the engine is elsewhere, or was too busy. */
export async function containerAbility(
  driver: ContainerDriver,
  client: EngineClient,
  deps: DriverDeps,
  trials: ContainerTrials,
  facts: EngineFacts,
): Promise<Readonly<Record<string, string>>> {
  if (!client.endpoint.local || deps.isolation.verifier === null) return {};
  const ownNetwork = await lines({ mode: 'none', path: '', labels: {} }, 'sandbox');
  const engineNetwork = await lines(null, 'sandbox');
  const unasked = await lines(null, 'none');
  if (ownNetwork === null || engineNetwork === null || unasked === null) return {};
  const ability = { ownNetwork, hostNetwork: engineNetwork, unasked: rungWith(unasked) };
  return abilityAttributes(driver.info.name, ability);

  async function lines(
    network: TaskConfig['network'],
    isolationFloor: IsolationRung,
  ): Promise<ReadonlySet<string> | null> {
    const about = { allocId: 'trial', name: 'trial', user: 'nobody', network, isolationFloor };
    const task = taskOf(directoriesOf('/nonexistent', 'trial', 'trial'), driver.strictest, about);
    const plan = await driver.plan(task, facts, null);
    const found = await trials.seen(bodyOf(plan, { id: '', answer: {} }), facts, async (id) => {
      const { pid } = containerState(await client.json('GET', `/containers/${id}/json`, { signal: deadline() }));
      if (pid <= 1) throw new Error('the container ended before it was looked at');
      return containerLines({
        pid,
        limits: {
          memoryBytes: trialLimits.memoryMb * megabyte,
          memoryLowBytes: null,
          cpuShares: 100,
          pids: trialLimits.pids,
          cpusetCpus: '',
        },
        cgroups: deps.isolation.cgroups,
        network: null,
        sharesIds: sharesIds(facts),
        writable: plan.writable,
      });
    });
    if (found === null) return null;
    const verified = withTries(found.seen, found.tried).filter(({ state }) => state === 'verified');
    return new Set(verified.map(({ name }) => name));
  }
}

function deadline(): AbortSignal {
  return AbortSignal.timeout(20_000);
}
