// Every example of the reference of job files is run by an agent, or is named with the reason why one alone cannot.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
// @ts-expect-error: scripts have no types
import { notRun } from '../../scripts/lib/job-blocks.mjs';
// @ts-expect-error: scripts have no types
import { exampleFile, nounPaths } from '../../scripts/lib/job-page.mjs';
import { blockShape, parseJob } from '../../src/jobspec/index.ts';
import { Job } from '../../src/model/job.ts';
import type { Noun } from '../../src/model/schema.ts';
import { type AgentProcess, eventually, startAgent } from '../agent-process.ts';

interface Entry {
  readonly noun: Noun;
  readonly path: readonly string[];
}
const entries = (nounPaths as (shape: typeof blockShape, job: Noun) => Entry[])(blockShape, Job);
const whyNot = notRun as (noun: string) => string | undefined;

const sandboxed = { Driver: 'exec', Config: { command: '/bin/sleep', args: ['3600'] } };
const hostVolume = { data: { Name: 'data', Type: 'host', Source: 'data' } };

type Row = { [field: string]: unknown };

/** The example as it is written, with what a job needs besides: a group, a task, time to be seen in. */
function wholeJob(entry: Entry): Row {
  const { job, diagnostics } = parseJob({ source: exampleFile(entry) as string, filename: 'example.nomad.hcl' });
  if (job === null) throw new Error(JSON.stringify(diagnostics));
  const whole = job as Row;
  whole['ID'] = whole['Name'] = `docs-${entry.noun.name}`;
  const groups = (whole['TaskGroups'] ?? []) as Row[];
  if (groups.length === 0) groups.push({ Name: 'app' });
  whole['TaskGroups'] = groups;
  if (whole['Periodic'] != null || whole['ParameterizedJob'] != null) whole['Type'] = 'batch';
  for (const group of groups) {
    const tasks = (group['Tasks'] ?? []) as Row[];
    if (!tasks.some((task) => task['Lifecycle'] == null)) tasks.push({ Name: 'beside', Driver: 'mock_driver' });
    group['Tasks'] = tasks;
    if (whole['Isolation'] != null) for (const task of tasks) Object.assign(task, sandboxed);
    if (tasks.some((task) => task['VolumeMounts'] != null)) group['Volumes'] ??= hostVolume;
    for (const task of tasks)
      if (task['Driver'] === 'mock_driver') task['Config'] ??= { run_for: task['Lifecycle'] == null ? '1h' : '1s' };
  }
  return whole;
}

describe('the examples of the reference', () => {
  let agent: AgentProcess;
  const volume = mkdtempSync(path.join(tmpdir(), 'drover-reference-'));
  const call = async (method: string, route: string, body?: unknown) => {
    const answer = await fetch(`${agent.address}${route}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return answer.ok ? { value: JSON.parse(text) } : { problem: `${answer.status} ${text}` };
  };

  /** What became of it: `runs`, or what the server or the node says against it. */
  async function outcome(entry: Entry): Promise<string> {
    const job = wholeJob(entry);
    const id = job['ID'] as string;
    const put = await call('PUT', '/v1/jobs', { Job: job });
    if ('problem' in put) return `refused: ${put.problem}`;

    if (job['Periodic'] != null || job['ParameterizedJob'] != null) {
      const child = job['Periodic'] != null ? 'periodic/force' : 'dispatch';
      const started = await call('POST', `/v1/job/${id}/${child}`, { Payload: 'e30=', Meta: { customer: 'a' } });
      if ('problem' in started) return `refused: ${started.problem}`;
      return running(
        started.value.DispatchedJobID ?? (await call('GET', `/v1/evaluation/${started.value.EvalID}`)).value.JobID,
      );
    }
    return running(id);
  }

  const running = (id: string): Promise<string> =>
    eventually(async () => {
      const found = await state(id);
      if (found === undefined) throw new Error(`${id} neither runs nor is said not to`);
      return found;
    });

  async function state(id: string): Promise<string | undefined> {
    const route = `/v1/job/${encodeURIComponent(id)}`;
    const allocations = (await call('GET', `${route}/allocations`)).value as Row[];
    const started = allocations.some(({ ClientStatus }) => ClientStatus === 'running' || ClientStatus === 'complete');
    if (started) return 'runs';
    const failed = allocations.find(({ ClientStatus }) => ClientStatus === 'failed');
    if (failed !== undefined) return `failed: ${JSON.stringify(failed['TaskStates'])}`;
    const evaluations = (await call('GET', `${route}/evaluations`)).value as Row[];
    const blocked = evaluations.find(({ FailedTGAllocs }) => FailedTGAllocs != null);
    return blocked === undefined ? undefined : `not placed: ${JSON.stringify(blocked['FailedTGAllocs'])}`;
  }

  beforeAll(async () => {
    const roomForAll = { cpu_total_compute: 100_000, memory_total_mb: 100_000 };
    agent = await startAgent({
      args: ['-dev'],
      config: { client: { ...roomForAll, host_volume: { data: { path: volume } } } },
    });
  }, 60_000);
  afterAll(async () => {
    await agent.dispose();
    rmSync(volume, { recursive: true, force: true });
  });

  it('run, all at once, or are not placed for the reason that the page names', { timeout: 300_000 }, async () => {
    const outcomes = await Promise.all(
      entries.map(async (entry) => [entry.noun.name, await outcome(entry).catch(String)] as const),
    );
    const wrong = outcomes.filter(([noun, text]) =>
      whyNot(noun) === undefined ? text !== 'runs' : !/^not placed: .*(consul|CSI|missing devices)/.test(text),
    );
    expect(wrong).toEqual([]);
    console.log(`${outcomes.filter(([, text]) => text === 'runs').length} of ${outcomes.length} examples ran`);
  });
});
