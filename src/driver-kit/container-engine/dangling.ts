/** Containers of this agent that no task knows: left by a life that ended between two steps. Known by label, removed after a grace. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import type { ContainerRules } from './container-driver.ts';
import { ownerLabel, removeContainer, taskLabel } from './container-start.ts';
import { numberAt, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';

type Rules = NonNullable<ContainerRules['dangling']>;

/** Looks every period until the signal fires. `known`: whether a task of this id is being started, runs or has ended here. */
export async function removeDangling(
  client: EngineClient,
  owner: string,
  rules: Rules,
  known: (taskId: string) => boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(rules.periodMs, undefined, { signal, ref: false }).catch(() => undefined);
    if (signal.aborted) return;
    try {
      await lookOnce(client, owner, rules, known, log, signal);
    } catch (error) {
      if (!signal.aborted) log.warn('containers nobody knows cannot be looked for', { error: messageOf(error) });
    }
  }
}

async function lookOnce(
  client: EngineClient,
  owner: string,
  rules: Rules,
  known: (taskId: string) => boolean,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const filters = JSON.stringify({ label: [`${ownerLabel}=${owner}`] });
  const rows = await client.json('GET', '/containers/json', { query: { all: 'true', filters }, signal });
  for (const row of Array.isArray(rows) ? rows : []) {
    const id = textAt(row, 'Id');
    const taskId = textAt(row, 'Labels', taskLabel);
    const ageMs = Date.now() - (numberAt(row, 'Created') ?? 0) * 1000;
    if (id === '' || known(taskId) || ageMs < rules.graceMs) continue;
    log.warn('a container nobody knows', { container: id, task: taskId, removed: !rules.dryRun });
    if (!rules.dryRun) await removeContainer(client, id);
  }
}
