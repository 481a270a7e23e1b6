#!/usr/bin/env node
// What `drover job run` says of the first bytes of a TypeScript job, for each count of bytes: one process, a file each.
// node cut-modules.mjs FILE FOLDER → on standard output one JSON line per count: { end, job } or { end, problem }.
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [file, folder] = process.argv.slice(2);
const dist = resolve(process.env.DROVER_DIST ?? join(import.meta.dirname, '../../dist'));
const { jobFromModule } = await import(pathToFileURL(join(dist, 'cli/job-module.js')).href);
const { CommandError } = await import(pathToFileURL(join(dist, 'cli/command.js')).href);
const source = readFileSync(file);

for (let end = 0; end <= source.length; end++) {
  const bytes = source.subarray(0, end);
  const path = join(folder, `cut-${end}.job.ts`);
  writeFileSync(path, bytes);
  const outcome = await jobFromModule(path, bytes).then(
    ({ job }) => ({ job: job.ID }),
    (error) => ({ problem: error instanceof CommandError ? error.message : `exception: ${error.stack}` }),
  );
  process.stdout.write(`${JSON.stringify({ end, ...outcome })}\n`);
}
