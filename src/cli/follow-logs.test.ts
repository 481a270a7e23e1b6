import { expect, it } from 'vitest';
import { type DroverClient, ResponseError, type StreamFrame } from '../api-client/index.ts';
import { Fault } from '../lib/fault.ts';
import { followLogs } from './follow-logs.ts';

const bytes = (text: string) => new TextEncoder().encode(text);
const away = new Fault('unavailable', 'the agent does not answer');

/** An agent that answers the log route as told, one answer after the other; the task is dead from the second answer on. */
function agentWith(...answers: readonly (string | Fault)[]): DroverClient {
  const left = [...answers];
  const size = bytes(answers.filter((each) => typeof each === 'string').join('')).length;
  const logs = async function* (_id: string, { offset }: { readonly offset: number }): AsyncIterable<StreamFrame> {
    const answer = left.shift() ?? '';
    if (answer instanceof Fault) throw answer;
    const data = bytes(answer);
    if (data.length > 0) yield { file: 'alloc/logs/t.stdout.0', offset: offset + data.length, data, event: '' };
    if (left[0] instanceof Fault) throw left.shift();
  };
  return {
    files: { logs, list: async () => ({ value: [{ Name: 't.stdout.0', Size: size }] }) },
    allocations: { read: async () => ({ value: { ClientStatus: left.length === 0 ? 'complete' : 'running' } }) },
  } as unknown as DroverClient;
}

async function followed(client: DroverClient): Promise<{ readonly text: string; readonly lost: number }> {
  let text = '';
  let lost = 0;
  const from = { allocId: 'a', task: 't', stream: 'stdout', origin: 'start', offset: 0 } as const;
  const log = { ...from, lost: () => void lost++ };
  for await (const piece of followLogs(client, log, new AbortController().signal))
    text += new TextDecoder().decode(piece);
  return { text, lost };
}

it('goes on where the connection was lost, also before anything came', async () => {
  expect(await followed(agentWith(away, away, 'one\n', away, away, 'two\n'))).toEqual({ text: 'one\ntwo\n', lost: 2 });
});

it('throws a refusal of the first request at once', async () => {
  const refusal = new ResponseError(404, 'no such task');
  await expect(followed(agentWith(refusal, 'one\n'))).rejects.toBe(refusal);
});

it('takes a refusal after the first answer for an agent that is not ready yet', async () => {
  const refusal = new ResponseError(404, 'unknown allocation');
  expect((await followed(agentWith('one\n', away, refusal, 'two\n'))).text).toBe('one\ntwo\n');
});
