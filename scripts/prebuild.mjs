#!/usr/bin/env node
// The package's own static programs: prebuilt/linux-x64 and prebuilt/linux-arm64. Runs before the package is packed; all or nothing.
import { join } from 'node:path';
import { buildNative } from './build-native.mjs';
import { ensurePackages, say } from './lib/setup.mjs';
import { root } from './lib/source-files.mjs';

const targets = [
  { arch: 'x64', cc: 'x86_64-linux-gnu-gcc', package: 'gcc-x86-64-linux-gnu', libc: 'libc6-dev-amd64-cross' },
  { arch: 'arm64', cc: 'aarch64-linux-gnu-gcc', package: 'gcc-aarch64-linux-gnu', libc: 'libc6-dev-arm64-cross' },
];

const why = 'the package cannot be packed: it carries programs for both architectures';
const missing = ensurePackages(
  targets.flatMap(({ cc, package: name, libc }) => [
    { program: cc, package: name, why },
    { program: cc, package: libc, why },
  ]),
);
const complaints = targets.flatMap(({ arch, cc }) =>
  buildNative({ cc, target: join(root, 'prebuilt', `linux-${arch}`) }),
);
for (const complaint of complaints) say(complaint);
process.exit(missing.length + complaints.length === 0 ? 0 : 1);
