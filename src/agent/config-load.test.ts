import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { formatDiagnostic } from '../hcl/index.ts';
import { loadConfig } from './config-load.ts';

const folder = mkdtempSync(join(tmpdir(), 'drover-config-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(text: string, flags = {}) {
  const file = join(folder, 'agent.hcl');
  writeFileSync(file, text);
  const loaded = loadConfig({ paths: [file], dev: false, flags, defaultDataDir: '/' });
  const shown = loaded.diagnostics.map((item) => formatDiagnostic(item).replace(file, 'agent.hcl'));
  return { shown, problems: loaded.problems };
}

describe('a setting that does not fit', () => {
  it('is said with its place, each of them', () => {
    const { shown, problems } = load(`log_level = "LOUD"
ports {
  http = 99999
}
tls { http = true }
client {
  enabled = true
  node_pool = "all"
  max_dynamic_port = 70000
  bridge_network_subnet = "10.0.0.0/31"
  host_volume "data" {}
}
`);
    expect(problems).toEqual([]);
    expect(shown.map((text) => text.split(';')[0])).toEqual([
      'agent.hcl:1,1-19: log_level "LOUD" is no level',
      'agent.hcl:3,3-15: ports.http 99999 is not a port',
      'agent.hcl:5,1-4: tls { http = true } lacks a certificate',
      'agent.hcl:9,3-27: dynamic ports 20000–70000 are no range of ports',
      'agent.hcl:8,3-20: node_pool "all" is not a name that a node may have',
      'agent.hcl:6,1-7: client { servers = [...] } is empty and this agent is no server',
      'agent.hcl:10,3-40: bridge_network_subnet "10.0.0.0/31" is no block for networks',
      'agent.hcl:11,3-21: host_volume "data" has no path',
    ]);
  });

  it('is an address that more than this machine reaches, or one that is still a template', () => {
    const { shown, problems } = load(`bind_addr = "127.0.0.1 0.0.0.0"
advertise { http = "{{ GetPrivateIP }}" }
server { enabled = true }
`);
    expect(problems).toEqual([]);
    expect(shown.map((text) => text.split(':').slice(0, 3).join(':'))).toEqual([
      'agent.hcl:2,13-40: advertise.http "{{ GetPrivateIP }}" is a template; this version does not fill it in',
      'agent.hcl:1,1-32: the HTTP API would listen on 0.0.0.0 without access control',
    ]);
    expect(
      load('bind_addr = "0.0.0.0"\napi { allow_remote_without_acl = true }\nserver { enabled = true }').shown,
    ).toEqual([]);
  });

  it('has no place where a flag set it', () => {
    const { shown, problems } = load('log_level = "INFO"\nserver { enabled = true }', { log_level: 'LOUD' });
    expect(shown).toEqual([]);
    expect(problems).toEqual(['log_level "LOUD" is no level: it is one of TRACE, DEBUG, INFO, WARN, ERROR']);
  });
});
