#!/usr/bin/env node
// Makes the tables of options in docs/drivers/*.md anew. Needs a build (npm run build).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { driverPage, folderOf, testsOf } from './lib/driver-page.mjs';
import { root } from './lib/source-files.mjs';

const { builtInDrivers } = await import(pathToFileURL(join(root, 'dist/agent/built-in-drivers.js')).href);
for (const plugin of builtInDrivers) {
  const path = join(root, 'docs/drivers', `${plugin.pluginName}.md`);
  const tests = testsOf(folderOf(plugin.pluginName), plugin.pluginName);
  writeFileSync(path, driverPage(readFileSync(path, 'utf8'), plugin, tests));
}
