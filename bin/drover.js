#!/usr/bin/env node
import { statSync } from 'node:fs';

const madeAt = (name) => statSync(new URL(`../dist/${name}`, import.meta.url), { throwIfNoEntry: false })?.mtimeMs ?? 0;
// what was compiled since it was bundled runs as it is
const bundled = madeAt('bundle/cli/main.js') > 0 && madeAt('bundle/cli/main.js') >= madeAt('.tsbuildinfo');
await import(bundled ? '../dist/bundle/cli/main.js' : '../dist/cli/main.js');
