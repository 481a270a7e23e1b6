#!/usr/bin/env node
// Writes src/driver/gen from the .proto files here. The generator knows enums only as `enum`, which is no erasable syntax: they become
// objects of constants with a type of the same name.
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = join(root, 'node_modules', '.bin');
execFileSync(join(bin, 'buf'), ['generate', 'proto', '--template', 'proto/buf.gen.yaml', '-o', 'proto'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` },
});

const generated = join(root, 'src', 'driver', 'gen');
for (const name of readdirSync(generated, { recursive: true })) {
  if (!name.endsWith('.ts')) continue;
  const path = join(generated, name);
  const text = readFileSync(path, 'utf8').replace(/export enum (\w+) \{\n([\s\S]*?)\n\}/g, (_, type, body) => {
    const rows = body.replace(/^(\s+)(\w+) = (-?\d+),/gm, '$1$2: $3,');
    return `export const ${type} = {\n${rows}\n} as const;\nexport type ${type} = (typeof ${type})[keyof typeof ${type}];`;
  });
  writeFileSync(path, text);
}
