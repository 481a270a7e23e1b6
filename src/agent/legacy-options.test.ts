import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { loadConfig } from './config-load.ts';
import { applyLegacyOptions, pluginDefaults } from './legacy-options.ts';

const configs = (options: Record<string, string>, plugins: Record<string, unknown> = {}) => {
  const blocks = Object.fromEntries(
    Object.entries(plugins).map(([name, config]) => [name, { ...pluginDefaults, config }]),
  );
  const { plugins: result, warnings } = applyLegacyOptions(options, blocks, ['docker', 'exec', 'java']);
  return { config: Object.fromEntries(Object.entries(result).map(([name, { config }]) => [name, config])), warnings };
};

/** The options of drivers that an agent file of these blocks has. */
function pasted(blocks: readonly string[]): unknown {
  const directory = mkdtempSync(join(tmpdir(), 'drover-legacy-'));
  try {
    const file = join(directory, 'agent.hcl');
    writeFileSync(file, ['server { enabled = true }', ...blocks].join('\n'));
    const loaded = loadConfig({ paths: [file], dev: false, flags: {}, defaultDataDir: directory });
    expect([loaded.diagnostics, loaded.problems, loaded.warnings]).toEqual([[], [], []]);
    return Object.fromEntries(Object.entries(loaded.config.plugins).map(([name, { config }]) => [name, config]));
  } finally {
    rmSync(directory, { recursive: true });
  }
}

describe('driver settings in client options', () => {
  it.each([
    ['driver.raw_exec.enable', '1', { raw_exec: { enabled: true } }, 'plugin "raw_exec" { config { enabled = true } }'],
    ['driver.raw_exec.enable', 'false', { raw_exec: { enabled: false } }, 'enabled = false'],
    ['docker.endpoint', 'unix:///d.sock', { docker: { endpoint: 'unix:///d.sock' } }, 'endpoint = "unix:///d.sock"'],
    ['docker.auth.config', '/a', { docker: { auth: { config: '/a' } } }, 'config { auth { config = "/a" } }'],
    ['docker.auth.helper', 'h', { docker: { auth: { helper: 'h' } } }, 'helper = "h"'],
    ['docker.tls.cert', '/c', { docker: { tls: { cert: '/c' } } }, 'tls { cert = "/c" }'],
    ['docker.tls.key', '/k', { docker: { tls: { key: '/k' } } }, 'tls { key = "/k" }'],
    ['docker.tls.ca', '/ca', { docker: { tls: { ca: '/ca' } } }, 'tls { ca = "/ca" }'],
    ['docker.cleanup.image', 'false', { docker: { gc: { image: false } } }, 'gc { image = false }'],
    ['docker.cleanup.image.delay', '5m', { docker: { gc: { image_delay: '5m' } } }, 'image_delay = "5m"'],
    ['docker.cleanup.container', 'true', { docker: { gc: { container: true } } }, 'container = true'],
    ['docker.volumes.enabled', 'true', { docker: { volumes: { enabled: true } } }, 'volumes { enabled = true }'],
    ['docker.volumes.selinuxlabel', 'z', { docker: { volumes: { selinuxlabel: 'z' } } }, 'selinuxlabel = "z"'],
    ['docker.caps.allowlist', 'chown, kill', { docker: { allow_caps: ['chown', 'kill'] } }, 'allow_caps = ["chown"'],
    ['docker.caps.whitelist', 'ALL', { docker: { allow_caps: ['ALL'] } }, 'allow_caps = ["ALL"]'],
    ['docker.privileged.enabled', '1', { docker: { allow_privileged: true } }, 'allow_privileged = true'],
    ['docker.nvidia_runtime', 'nv', { docker: { nvidia_runtime: 'nv' } }, 'nvidia_runtime = "nv"'],
  ])('%s is a plugin block, and the warning prints it', (name, value, config, warning) => {
    const result = configs({ [name]: value });
    expect(result.config).toEqual(config);
    expect(result.warnings).toEqual([expect.stringContaining(warning)]);
  });

  it.each([
    ['driver.raw_exec.no_cgroups', 'true', 'does not read it'],
    ['driver.rkt.volumes.enabled', 'true', 'does not read it'],
    ['driver.lxc.enable', 'true', 'Put its program nomad-driver-lxc (examples/plugins/lxc) into plugin_dir'],
    [
      'driver.allowlist',
      'exec, lxc',
      'plugin "java" { enabled = false }: write that, and the same for each plugin of plugin_dir',
    ],
    ['driver.whitelist', 'exec', 'plugin "docker" { enabled = false } plugin "java" { enabled = false }: write'],
    ['driver.denylist', 'docker,lxc', 'plugin "docker" { enabled = false } plugin "lxc" { enabled = false }: write'],
    ['driver.blacklist', 'exec', 'is read as plugin "exec" { enabled = false }: write that'],
    ['driver.allowlist', '', 'leaves every driver on'],
    ['docker.no.such', 'x', 'is not known'],
    [
      'driver.raw_exec.enable',
      'maybe',
      'is not read: "maybe" is neither true nor false; write plugin "raw_exec" { config',
    ],
    ['docker.cleanup.image', '', 'is not read: "" is neither true nor false'],
    ['docker.volumes.enabled', ' true ', 'is not read: " true " is neither true nor false'],
    ['user.blacklist', 'root', 'is called "user.denylist" now'],
    ['env.blacklist', 'A', 'is called "env.denylist" now'],
    ['fingerprint.whitelist', 'arch', 'is not read: every fact of a host'],
  ])('%s only warns', (name, value, warning) => {
    const result = configs({ [name]: value });
    expect(result.config).toEqual({});
    expect(result.warnings).toEqual([expect.stringContaining(warning)]);
  });

  it('all at once: the printed blocks, pasted into an agent file, mean the same', () => {
    const values: Record<string, string> = {
      'docker.caps.allowlist': 'chown, kill',
      'docker.auth.helper': 'a "b" ${c}',
    };
    const options = Object.fromEntries(
      `docker.endpoint docker.auth.config docker.auth.helper docker.tls.cert docker.tls.key docker.tls.ca docker.cleanup.image
       docker.cleanup.image.delay docker.cleanup.container docker.volumes.enabled docker.volumes.selinuxlabel docker.caps.allowlist
       docker.privileged.enabled docker.nvidia_runtime driver.raw_exec.enable`
        .split(/\s+/)
        .map((name) => [name, values[name] ?? 'false']),
    );
    const { config, warnings } = configs(options);
    const blocks = warnings.map((warning) => /is read as (.*): write that$/.exec(warning)?.[1] ?? warning);
    expect(pasted(blocks)).toEqual(config);
  });

  it('yield to what the plugin block says, and add to it', () => {
    const options = { 'docker.cleanup.image': 'false', 'docker.cleanup.container': 'false', 'docker.endpoint': 'old' };
    const { config } = configs(options, { docker: { gc: [{ image: true }], endpoint: 'new' }, exec: {} });
    expect(config).toEqual({ docker: { gc: { image: true, container: false }, endpoint: 'new' }, exec: {} });
  });

  it('leave everything else alone', () => {
    const options = { 'env.denylist': 'A', 'user.denylist': 'b' };
    expect(configs(options)).toEqual({ config: {}, warnings: [] });
  });
});
