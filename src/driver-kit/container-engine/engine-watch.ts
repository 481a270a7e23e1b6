/**
 * One connection to the engine's events for all containers of a driver. While it stands, ends come at once; when it falls (the daemon
 * died, hung or was restarted) it is made anew, and everything is looked at again: no end is missed.
 *
 *   connecting ──(answered)──▶ listening ──(ended | error)──▶ connecting (after 0.1 … 2 s)
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { numberAt, textAt } from './engine-answers.ts';
import { type EngineClient, jsonLines } from './engine-client.ts';

export interface EngineEvents {
  /** What the engine says about a container: `"die"`, `"oom"`, `"health_status: healthy"`. */
  happened(event: { readonly containerId: string; readonly action: string; readonly exitCode: number | null }): void;
  /** The connection stands again: what happened meanwhile is not told. */
  connected(): void;
  /** The connection is lost, with why. */
  lost(reason: string): void;
}

const longestPauseMs = 2_000;

/** `label`: only containers that have it. Ends when the signal fires. */
export async function watchEngine(
  client: EngineClient,
  label: string,
  events: EngineEvents,
  log: Log,
  signal: AbortSignal,
): Promise<void> {
  const filters = JSON.stringify({ type: ['container'], label: [label] });
  for (let failures = 0; !signal.aborted; failures++) {
    try {
      const stream = await client.stream('GET', '/events', { query: { filters }, signal, timeoutMs: 5_000 });
      failures = 0;
      events.connected();
      for await (const event of jsonLines(stream)) {
        const containerId = textAt(event, 'Actor', 'ID') || textAt(event, 'id');
        const action = textAt(event, 'Action') || textAt(event, 'status');
        const exitCode = Number.parseInt(textAt(event, 'Actor', 'Attributes', 'exitCode'), 10);
        const code = Number.isNaN(exitCode) ? numberAt(event, 'Actor', 'Attributes', 'exitCode') : exitCode;
        if (containerId !== '') events.happened({ containerId, action, exitCode: code });
      }
      if (!signal.aborted) events.lost('it ended the stream of its events');
    } catch (error) {
      if (signal.aborted) return;
      if (failures === 0) log.warn('the engine cannot be watched', { error: messageOf(error) });
      events.lost(messageOf(error));
    }
    const pauseMs = Math.min(longestPauseMs, 100 * 2 ** Math.min(failures, 10));
    await sleep(pauseMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}
