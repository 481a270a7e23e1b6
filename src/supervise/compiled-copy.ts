import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * For tests that need this folder in a process of its own: compiles it (Node 20 runs no TypeScript) into a directory one level
 * below the package, where the native programs are found as from `dist`. `remove` takes it away again.
 */
export function compiledCopy(): { readonly directory: string; remove(): void } {
  const directory = mkdtempSync(join(root, 'dist-test-'));
  chmodSync(directory, 0o755);
  const entries = ['fallback/main.ts', 'supervisor.ts', 'verify-fields.ts'].map((name) =>
    join(root, 'src/supervise', name),
  );
  const options = [
    '--module',
    'nodenext',
    '--target',
    'es2023',
    '--types',
    'node',
    '--rewriteRelativeImportExtensions',
  ];
  const compiler = join(root, 'node_modules/typescript/bin/tsc');
  execFileSync(process.execPath, [
    ...[compiler, '--ignoreConfig', ...entries, '--outDir', directory, '--rootDir', join(root, 'src')],
    ...[...options, '--allowImportingTsExtensions', '--skipLibCheck', '--strict'],
  ]);
  return { directory, remove: () => rmSync(directory, { recursive: true, force: true }) };
}
