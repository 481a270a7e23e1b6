/** What an engine's containers can be verified to have, found out with containers of nobody's: the node's attributes by which tasks are placed. */
import type { TaskConfig } from '../../driver/contract.ts';
import { withTries } from '../../isolation/tries.ts';
import { abilityAttributes } from '../../model/isolation-ability.ts';
import { type IsolationRung, rungWith } from '../../model/isolation-ladder.ts';
import type { DriverDeps } from '../driver-plugin.ts';
import { directoriesOf, taskOf } from '../scratch-task.ts';
import { bodyOf, type ContainerDriver } from './container-driver.ts';
import type { ContainerTrials } from './container-trial.ts';
import type { EngineClient } from './engine-client.ts';
import type { EngineFacts } from './engine-facts.ts';

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
    const found = await trials.of(bodyOf(plan, { id: '', answer: {} }), false, facts, plan);
    if (found === null) return null;
    const verified = withTries(found.seen, found.tried).filter(({ state }) => state === 'verified');
    return new Set(verified.map(({ name }) => name));
  }
}
