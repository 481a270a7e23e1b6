/** A user's module, TypeScript or JavaScript, wherever it lies: `drover/…` in it is this package. */
import { register } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

let hooked = false;

export async function importModule(path: string): Promise<{ readonly default?: unknown }> {
  if (!hooked) register(new URL('../job/module-hooks.js', import.meta.url));
  hooked = true;
  return (await import(pathToFileURL(resolve(path)).href)) as { readonly default?: unknown };
}
