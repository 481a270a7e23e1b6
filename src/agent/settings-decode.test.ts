import { describe, expect, it } from 'vitest';
import { hasErrors, SourceFile, SourceRange } from '../hcl/index.ts';
import { second } from '../lib/duration.ts';
import { decodeSettings, mergeValues, type Tree, type TreeValue } from './settings-decode.ts';

const range = new SourceRange(new SourceFile('agent.hcl', ''), 1, 1, 0, 1, 1, 0);

/** A tree from plain data: objects are blocks. */
function tree(data: { readonly [key: string]: unknown }): Tree {
  return { entries: Object.entries(data).map(([key, value]) => ({ key, range, value: treeValue(value) })) };
}

function treeValue(value: unknown): TreeValue {
  if (Array.isArray(value)) return value.map(treeValue);
  if (typeof value === 'object' && value !== null) return tree(value as { [key: string]: unknown });
  return value as TreeValue;
}

describe('agent settings', () => {
  it('are decoded by their kinds', () => {
    const { values, diagnostics } = decodeSettings(
      tree({ region: 'eu', ports: { http: '4700' }, server: { enabled: true, heartbeat_grace: '30s' } }),
    );
    expect(diagnostics).toEqual([]);
    expect(values).toEqual({
      region: 'eu',
      ports: { http: 4700 },
      server: { enabled: true, heartbeat_grace: 30 * second },
    });
  });

  it('say the nearest name for an unknown one', () => {
    const { diagnostics } = decodeSettings(tree({ datacentre: 'dc1' }));
    expect(diagnostics).toMatchObject([{ severity: 'error', summary: 'unexpected key datacentre', subject: range }]);
    expect(diagnostics[0]!.detail).toContain('"datacenter"');
  });

  it('stop the agent where doing without would weaken security or change the topology', () => {
    for (const data of [
      { acl: { enabled: true } },
      { server: { encrypt: 'x' } },
      { server: { bootstrap_expect: 3 } },
      { server: { retry_join: ['a'] } },
      { tls: { tls_cipher_suites: 'TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384' } },
    ]) {
      expect(hasErrors(decodeSettings(tree(data)).diagnostics)).toBe(true);
    }
  });

  it('pass the same settings where they ask for nothing', () => {
    expect(decodeSettings(tree({ acl: { enabled: false }, server: { bootstrap_expect: 1 } })).diagnostics).toEqual([]);
  });

  it('warn of harmless ones that are not served', () => {
    const { diagnostics } = decodeSettings(
      tree({
        telemetry: { prometheus_metrics: true },
        ui: { enabled: true },
        consul: { address: 'x' },
        vault: { enabled: false },
      }),
    );
    expect(diagnostics.map((item) => item.severity)).toEqual(['warning', 'warning', 'warning', 'warning']);
  });

  it('do not show the value of a secret that has the wrong kind', () => {
    const { diagnostics } = decodeSettings(tree({ client: { join_token: ['hunter2'] } }));
    expect(hasErrors(diagnostics)).toBe(true);
    expect(JSON.stringify(diagnostics.map((item) => item.detail))).not.toContain('hunter2');
  });

  it('keep plugin configuration as it is, by name', () => {
    const { values } = decodeSettings(tree({ plugin: { raw_exec: { config: { enabled: true } } } }));
    expect(values).toEqual({ plugin: { raw_exec: { config: { enabled: true } } } });
    const lists = { x: { config: { allowed: ['a', 'b'] } } };
    expect(decodeSettings(tree({ plugin: lists })).values).toEqual({ plugin: lists });
  });

  it('merge: scalars override unless zero, booleans add up, named blocks merge', () => {
    const base = { name: 'a', server: { enabled: true }, client: { meta: { x: '1', y: '2' } } };
    expect(mergeValues(base, { name: '', server: { enabled: false }, client: { meta: { y: '3' } } })).toEqual({
      name: 'a',
      server: { enabled: true },
      client: { meta: { x: '1', y: '3' } },
    });
  });
});
