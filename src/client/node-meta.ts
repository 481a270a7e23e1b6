import { Fault } from '../lib/fault.ts';
import type { ClientStore } from './client-tables.ts';

type Meta = { readonly [key: string]: string };
/** null: what the configuration says of the key does not count. */
type DynamicMeta = { readonly [key: string]: string | null };

export interface NodeMetaView {
  /** What counts: the configuration's with what was set at run time on top. */
  readonly Meta: Meta;
  readonly Dynamic: DynamicMeta;
  readonly Static: Meta;
}

const validKey = /^[A-Za-z_][\w-]*(?:\.[A-Za-z_][\w-]*)*$/;

/** The node's metadata, of which some is set at run time and kept over restarts. */
export class NodeMeta {
  readonly #store: ClientStore;
  readonly #static: Meta;

  constructor(store: ClientStore, configured: Meta) {
    this.#store = store;
    this.#static = configured;
  }

  view(): NodeMetaView {
    const dynamic = this.#store.snapshot().get('nodeMeta', 'dynamic')?.Meta ?? {};
    const all = Object.entries({ ...this.#static, ...dynamic });
    return {
      Meta: Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== null)),
      Dynamic: dynamic,
      Static: this.#static,
    };
  }

  /** null takes a key away. Resolves when it is durable. Faults: `invalid` for a key that no job file could name. */
  async set(changes: DynamicMeta): Promise<NodeMetaView> {
    const wrong = Object.keys(changes).find((key) => !validKey.test(key));
    if (wrong !== undefined)
      throw new Fault('invalid', `"${wrong}" is invalid; metadata keys must be valid dotted hcl identifiers`);
    await this.#store.write((head) => {
      const before = head.get('nodeMeta', 'dynamic')?.Meta ?? {};
      const merged = Object.entries({ ...before, ...changes });
      // only a key of the configuration has to be remembered as taken away
      const kept = merged.filter(([key, value]) => value !== null || Object.hasOwn(this.#static, key));
      return {
        changes: [{ table: 'nodeMeta', id: 'dynamic', row: { Meta: Object.fromEntries(kept) } }],
        result: null,
      };
    });
    return this.view();
  }
}
