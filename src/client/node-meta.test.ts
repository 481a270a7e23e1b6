import { describe, expect, it } from 'vitest';
import { FakeDisk, fakeJournal } from '../state/fake-journal.ts';
import { openStore } from '../state/open-store.ts';
import { clientTables } from './client-tables.ts';
import { NodeMeta } from './node-meta.ts';

describe('the metadata of a node', () => {
  it('is that of its configuration with what was set at run time on top, also after a restart', async () => {
    const disk = new FakeDisk();
    const open = async () => {
      const { store } = await openStore({ tables: clientTables, journal: fakeJournal({ disk }) });
      return { store, meta: new NodeMeta(store, { rack: 'r1', 'a.b': 'static' }) };
    };
    const { store, meta } = await open();
    expect(await meta.set({ colour: 'red', rack: null })).toEqual({
      Meta: { colour: 'red', 'a.b': 'static' },
      Dynamic: { colour: 'red', rack: null },
      Static: { rack: 'r1', 'a.b': 'static' },
    });
    await store.close();
    const again = await open();
    expect(again.meta.view().Meta).toEqual({ colour: 'red', 'a.b': 'static' });
    expect((await again.meta.set({ colour: null, rack: 'r2' })).Dynamic).toEqual({ rack: 'r2' });
    await again.store.close();
  });

  it.each(['a b..c', '', '.a', '1a', 'a.'])('has no key %j', async (key) => {
    const { store } = await openStore({ tables: clientTables, journal: fakeJournal({ disk: new FakeDisk() }) });
    await expect(new NodeMeta(store, {}).set({ [key]: 'x' })).rejects.toThrow('must be valid dotted hcl identifiers');
    await store.close();
  });
});
