import { expect, it } from 'vitest';
import { canonicalJob } from '../model/canonical.ts';
import { decode } from '../model/decode.ts';
import { Job } from '../model/job.ts';
import { validateJob } from '../model/job-validate.ts';
import { parseJob } from './parse-job.ts';

const agent = { region: 'global', namespace: 'default' };
const inGroup = (text: string) =>
  `job "a" {\n  group "g" {\n    ${text}\n    task "t" {\n      driver = "raw_exec"\n    }\n  }\n}\n`;
const inTask = (text: string) =>
  `job "a" {\n  group "g" {\n    task "t" {\n      driver = "raw_exec"\n      ${text}\n    }\n  }\n}\n`;

function warningsOf(source: string): readonly string[] {
  const { job, diagnostics } = parseJob({ source, filename: 'a.nomad.hcl' });
  expect(diagnostics).toEqual([]);
  const { errors, warnings } = validateJob(canonicalJob(decode(Job, job as never, 'Job').value, agent));
  expect(errors).toEqual([]);
  return warnings;
}

it('a job in the present spelling has no warnings', () => {
  expect(warningsOf(inGroup('disconnect {\n      lost_after = "6h"\n    }'))).toEqual([]);
});

it.each([
  ['stop_after_client_disconnect', inGroup('stop_after_client_disconnect = "1m"'), 'disconnect.stop_on_client_after'],
  ['max_client_disconnect', inGroup('max_client_disconnect = "1h"'), 'disconnect.lost_after'],
  ['prevent_reschedule_on_lost', inGroup('prevent_reschedule_on_lost = true'), 'disconnect.replace'],
  ['mbits', inGroup('network {\n      mbits = 10\n    }'), 'remove mbits'],
  ['a network in the resources of a task', inTask('resources {\n        network {}\n      }'), 'Use group networks'],
  ['iops', inTask('resources {\n        iops = 5\n      }'), 'iops is ignored'],
  [
    'vault_grace',
    inTask('template {\n        data = "x"\n        destination = "local/x"\n        vault_grace = "5s"\n      }'),
    'vault_grace is deprecated',
  ],
  [
    'cron in a periodic block',
    'job "a" {\n  type = "batch"\n  periodic {\n    cron = "@daily"\n  }\n  group "g" {\n    task "t" {\n      driver = "raw_exec"\n    }\n  }\n}\n',
    'Use crons instead',
  ],
])('%s is taken, with a warning that names what to write', (_, source, text) => {
  const warnings = warningsOf(source);
  expect(warnings).toHaveLength(1);
  expect(warnings[0]).toContain(text);
});
