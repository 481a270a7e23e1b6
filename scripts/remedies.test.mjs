// docs/remedies.md against the tables of the tests: each kind of remedy has a host on which it is carried out, or a reason why not.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { remedyKinds, sentenceKinds } from '../src/isolation/remedy.ts';
import { poorHosts } from '../test/guest/poor-hosts.ts';
import { systemdHosts } from '../test/guest/systemd-hosts.ts';
import { crippledHosts } from '../test/security/crippled-hosts.ts';
import { foreignHosts } from '../test/security/distributions.ts';
import { root } from './lib/source-files.mjs';

const [shown, unshown] = readFileSync(join(root, 'docs/remedies.md'), 'utf8').split('## Not carried out');
const rows = (text) => [...text.matchAll(/^\| `(\w+)` \| .* \| ([^|]*) \|$/gm)].map(([, kind, last]) => [kind, last]);
const tables = { crippled: crippledHosts, foreign: foreignHosts, poor: poorHosts, systemd: systemdHosts };

/** `"mount_groups on crippled: no cgroup is mounted"` */
const proofs = Object.entries(tables).flatMap(([table, hosts]) =>
  hosts.filter(({ remedy }) => remedy !== undefined).map(({ name, remedy }) => `${remedy.kind} on ${table}: ${name}`),
);

it('each kind of remedy is in the list once', () => {
  expect([...rows(shown), ...rows(unshown)].map(([kind]) => kind).sort()).toEqual([...remedyKinds].sort());
});

it('those that no command does stand where the list says so', () => {
  const [commands, sentences] = shown.split('No command does these');
  const kinds = (text) => rows(text).map(([kind]) => kind);
  expect(kinds(sentences).filter((kind) => !sentenceKinds.includes(kind))).toEqual([]);
  expect(kinds(commands).filter((kind) => sentenceKinds.includes(kind))).toEqual([]);
});

it('the hosts of the list are those on which tests carry out what is printed', () => {
  expect(
    rows(shown)
      .flatMap(([kind, hosts]) => hosts.split('; ').map((host) => `${kind} on ${host}`))
      .sort(),
  ).toEqual([...proofs].sort());
});
