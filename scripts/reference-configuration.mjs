#!/usr/bin/env node
// Writes docs/configuration.md. Needs a build (npm run build).
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { configurationReference } from './lib/configuration-reference.mjs';
import { root } from './lib/source-files.mjs';

const built = (path) => import(pathToFileURL(join(root, 'dist', path)).href);
const { agentSettings } = await built('agent/settings.js');
const { devValues, resolveConfig } = await built('agent/config-resolve.js');
const { formatDuration } = await built('lib/duration.js');
const on = { server: { enabled: true }, client: { enabled: true }, tls: { http: true } };
const { config } = resolveConfig(on, { dev: false, hostname: '', defaultDataDir: '', files: [] });
const { text } = configurationReference(agentSettings, config, devValues, formatDuration);
writeFileSync(join(root, 'docs/configuration.md'), text);
