// The project's TypeScript files and what each imports. Shared by the checks; no dependency but Node.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = normalize(join(dirname(fileURLToPath(import.meta.url)), '..', '..'));

const importForm =
  /(?:^|\n)\s*(?:import|export)\s+(type\s+)?(?:[^'"();]*?\sfrom\s+)?['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]\s*\)/g;

/** @returns {{ path: string, text: string, imports: { to: string, typeOnly: boolean, line: number }[], isTest: boolean }[]} paths relative to src/ */
export function sourceFiles(folder = 'src') {
  const base = join(root, folder);
  return readdirSync(base, { recursive: true })
    .map((name) => name.split(sep).join('/'))
    .filter((name) => name.endsWith('.ts') && !name.includes('/gen/'))
    .sort()
    .map((path) => {
      const text = readFileSync(join(base, path), 'utf8');
      return { path, text, imports: importsOf(path, text), isTest: path.endsWith('.test.ts') };
    });
}

function importsOf(path, text) {
  const found = [];
  for (const match of text.matchAll(importForm)) {
    const target = match[2] ?? match[3];
    const line = text.slice(0, match.index).split('\n').length;
    const to = target.startsWith('.')
      ? normalize(join(dirname(path), target))
          .split(sep)
          .join('/')
      : target;
    found.push({ to, typeOnly: match[1] !== undefined, line });
  }
  return found;
}
