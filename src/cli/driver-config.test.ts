import { expect, it } from 'vitest';
import { page, scriptedClient } from './cli-test-kit.ts';
import { refusal, showDriverConfig } from './driver-config.ts';
import type { JobFile } from './job-file.ts';

const source = `job "a" {
  group "g" {
    task "t" {
      driver = "exec"
      config {
        comand = "/bin/date"
      }
    }
  }
}
`;
const problem = {
  TaskGroup: 'g',
  Task: 't',
  Driver: 'exec',
  Path: ['comand'],
  Summary: 'Unsupported argument',
  Detail: 'Did you mean "command"?',
  Certain: true,
};
const answer = {
  Error: '1 error occurred:\n\t* Job ID contains a space\n\n',
  DriverConfigProblems: [problem],
  Warnings: '',
};
const file: JobFile = { job: { ID: 'a' }, submission: { Source: source, Format: 'hcl2' }, warnings: [] };

async function shown(given: JobFile) {
  const kept = page();
  const { client } = scriptedClient({ '/v1/validate/job': [answer] });
  const found = await showDriverConfig(kept.terminal, client, given, 'a.nomad.hcl');
  return { ...found, text: kept.error };
}

it('an option that is wrong is shown at its place, and what else is wrong with the job is not lost', async () => {
  const { wrong, errors, text } = await shown(file);
  expect(text).toContain('a.nomad.hcl:6,9-29: Unsupported argument; Did you mean "command"?');
  expect(refusal(wrong, errors)).toMatch(/Job ID contains a space[\s\S]*\n1 option of tasks is not what the drivers/);
});

it('in a job of a module at the place that exports it', async () => {
  const { text } = await shown({ ...file, exportedAt: 'a.job.ts:3:1' });
  expect(text).toContain('a.job.ts:3:1: Unsupported argument');
});
