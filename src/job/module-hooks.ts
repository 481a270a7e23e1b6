// Hooks of module loading, for job modules and drivers' files: `drover/…` is this package wherever the module lies, and TypeScript loses its types on
// versions of Node that do not take it by themselves. Started by path (`register`), in a thread of its own.
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}

type NextResolve = (specifier: string, context: unknown) => Promise<Resolved>;
type NextLoad = (url: string, context: unknown) => Promise<unknown>;

const own: { readonly [name: string]: string } = {
  'drover/driver': '../driver-kit/index.js',
  'drover/job': './index.js',
  'drover/hcl': '../hcl/index.js',
  'drover/jobspec': '../jobspec/index.js',
  'drover/api-client': '../api-client/index.js',
};

export async function resolve(specifier: string, context: unknown, next: NextResolve): Promise<Resolved> {
  const path = own[specifier];
  return path === undefined
    ? next(specifier, context)
    : { url: new URL(path, import.meta.url).href, shortCircuit: true };
}

const native = Boolean((process.features as { readonly typescript?: unknown }).typescript);

export async function load(url: string, context: unknown, next: NextLoad): Promise<unknown> {
  if (native || !/^file:.*\.m?ts$/.test(url)) return next(url, context);
  const { transformSync } = (await import('amaro')).default;
  const path = fileURLToPath(url);
  const source = await readFile(path, 'utf8');
  try {
    const { code } = transformSync(source, { mode: 'strip-only', filename: path });
    return { format: 'module', source: code, shortCircuit: true };
  } catch (error) {
    throw placed(path, error);
  }
}

/** What is thrown there is no error, but a record of one. */
function placed(path: string, thrown: unknown): unknown {
  if (thrown instanceof Error) return thrown;
  const { message, snippet = '', startLine = 1, startColumn = 0 } = thrown as { [name: string]: string | number };
  return new SyntaxError(`${path}:${startLine},${Number(startColumn) + 1}: ${message}\n${snippet}`.trimEnd());
}
