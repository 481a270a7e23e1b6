#!/usr/bin/env node
// Writes what is made from the tables: docs/reference/*.md and src/job/job-types.ts. `--check` only says whether they are up to date.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { functionPage } from './lib/function-page.mjs';
import { aboutBlock } from './lib/job-blocks.mjs';
import { jobPage } from './lib/job-page.mjs';
import { jobTypes } from './lib/job-types.mjs';
import { root } from './lib/source-files.mjs';

const dist = resolve(process.env.DROVER_DIST ?? join(root, 'dist'));
const load = (path) => import(pathToFileURL(join(dist, path)).href);
const [hcl, { blockShape, parseJob }, { Job }, { notServed }, { nodeFunctionHost }] = await Promise.all(
  ['hcl/index.js', 'jobspec/index.js', 'model/job.js', 'model/not-served.js', 'lib/node/hcl-functions.js'].map(load),
);
const warns = (source) => notServed(parseJob({ source, filename: 'example.nomad.hcl' }).job);

const files = {
  'src/job/job-types.ts': jobTypes(blockShape, Job, aboutBlock),
  'docs/reference/job-specification.md': jobPage(blockShape, Job, warns),
  'docs/reference/functions.md': functionPage(hcl, nodeFunctionHost({ workingDirectory: join(root, 'examples') })),
};
let stale = 0;
for (const [path, text] of Object.entries(files)) {
  const file = join(root, path);
  if (existsSync(file) && readFileSync(file, 'utf8') === text) continue;
  stale++;
  if (process.argv.includes('--check'))
    console.error(`${path} is not what the tables say: run node scripts/reference.mjs`);
  else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    console.log(`wrote ${path}`);
  }
}
process.exit(process.argv.includes('--check') && stale > 0 ? 1 : 0);
