/** Programs for the guest as one file each, that it need not read hundreds slowly; what was built of this repository is used as it was. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

export const repository = join(import.meta.dirname, '../..');
/** What is made for guests. */
export const guestHome = join(repository, 'build/guest');

/** `"inside"` → `build/guest/inside.mjs`, of `inside.ts` beside this file. */
export async function bundle(name: string): Promise<string> {
  mkdirSync(guestHome, { recursive: true });
  const file = join(guestHome, `${name}.mjs`);
  const built = {
    name: 'as-built',
    resolveId(id: string, importer: string | undefined) {
      const path = importer === undefined ? '' : join(importer, '..', id);
      const sources = `${join(repository, 'src')}/`;
      if (!path.startsWith(sources)) return null;
      return {
        id: `file://${join(repository, 'dist', path.slice(sources.length).replace(/\.ts$/, '.js'))}`,
        external: true,
      };
    },
  };
  const made = await rolldown({ input: join(import.meta.dirname, `${name}.ts`), platform: 'node', plugins: [built] });
  await made.write({ file, format: 'esm' });
  return file;
}
