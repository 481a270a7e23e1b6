// Compose files in the shape of stacks that people run: what they become is a job, and what is lost is said, key by key.
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { format, formatDiagnostic } from '../../src/hcl/index.ts';
import { importCompose } from '../../src/job/compose/import-compose.ts';
import { parseJob } from '../../src/jobspec/index.ts';
import { canonicalJob } from '../../src/model/canonical.ts';
import { decode } from '../../src/model/decode.ts';
import { Job } from '../../src/model/job.ts';
import { validateJob } from '../../src/model/job-validate.ts';

const folder = path.join(import.meta.dirname, 'compose');
const files = {
  workingDirectory: '/',
  home: () => '/',
  kind: () => 'file' as const,
  list: () => [],
  read: () => new TextEncoder().encode('secret'),
};
const stacks = readdirSync(folder).filter((name) => name.endsWith('.yaml'));

/** Keys that a job says as they are, below a service. */
const said =
  /^(image|command|environment|expose|volumes|restart|user|ports|deploy|labels|stop_grace_period|shm_size|tmpfs|read_only|cap_add|cap_drop|sysctls|ulimits|secrets)$/;

describe.each(stacks)('%s', (name) => {
  const text = readFileSync(path.join(folder, name), 'utf8');
  const { hcl, notes } = importCompose(text, { filename: name, name: 'stack' });
  const services = (parse(text) as { services: { [name: string]: { [key: string]: unknown } } }).services;

  it('becomes a job that parses, that the server takes, and that is laid out', () => {
    const { job, diagnostics } = parseJob({ source: hcl, filename: 'stack.nomad.hcl', host: { files } });
    expect(diagnostics.map(formatDiagnostic), hcl).toEqual([]);
    expect(format(hcl)).toBe(hcl);
    const { value, problems } = decode(Job, JSON.parse(JSON.stringify(job)), 'Job');
    expect(problems).toEqual([]);
    expect(validateJob(canonicalJob(value, { region: 'global', namespace: 'default' })).errors).toEqual([]);
    expect(job!.TaskGroups!.map((group) => group!.Name)).toEqual(Object.keys(services));
  });

  it('names every key that has no like in a job', () => {
    for (const [service, keys] of Object.entries(services))
      for (const key of Object.keys(keys))
        if (!said.test(key))
          expect(
            notes.some((note) => note.startsWith(`${service}.${key}`)),
            `${service}.${key}`,
          ).toBe(true);
    for (const note of notes) expect(hcl).toContain(`# compose: ${note}`);
  });
});

it('says what only shows when the job runs: relative paths, checks without ports, services that nobody can reach', () => {
  const { notes } = importCompose(readFileSync(path.join(folder, 'voting.yaml'), 'utf8'), { filename: 'v', name: 'v' });
  const text = notes.join('\n');
  expect(text).toMatch(/vote\.volumes\[0\]: ".\/vote" is looked for in the allocation's directory/);
  expect(text).toMatch(/redis\.healthcheck: there is no port/);
  expect(text).toMatch(/redis\.ports: vote, worker cannot reach it/);
});
