#!/usr/bin/env node
// Makes the tables of options in docs/drivers/*.md anew. Needs a build (npm run build).
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { driverPage, folderOf, packages, testsOf } from './lib/driver-page.mjs';
import { root } from './lib/source-files.mjs';

const built = (path) => import(pathToFileURL(join(root, 'dist', path)).href);
const { builtInDrivers } = await built('agent/built-in-drivers.js');
const { loadDriverFile } = await built('cli/driver-file.js');
for (const plugin of builtInDrivers) write(plugin, folderOf(plugin.pluginName));
for (const folder of Object.values(packages))
  write((await loadDriverFile(join(root, folder, 'driver.js'))).plugin, folder);

function write(plugin, folder) {
  const path = join(root, 'docs/drivers', `${plugin.pluginName}.md`);
  writeFileSync(path, driverPage(readFileSync(path, 'utf8'), plugin, testsOf(folder, plugin.pluginName)));
}
