import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { decodedConfig } from '../../driver/config-decode.ts';
import type { TaskConfig } from '../../driver/contract.ts';
import { securityOptions } from './container-request.ts';
import { configSchema, taskSchema } from './options.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'drover-test-profile-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function optionsOf(profile: string): Promise<readonly string[]> {
  const task = { directories: { task: root } } as unknown as TaskConfig;
  const options = decodedConfig(taskSchema, { image: 'x', security_opt: [`seccomp=${profile}`] });
  return securityOptions(task, decodedConfig(configSchema, {}), options);
}

test('a seccomp profile of the host, by a link too, and one of the task', async () => {
  writeFileSync(join(root, 'profile.json'), '{ "a": 1 }');
  symlinkSync('profile.json', join(root, 'link.json'));
  for (const path of [join(root, 'profile.json'), join(root, 'link.json'), 'profile.json'])
    expect(await optionsOf(path)).toContain('seccomp={"a":1}');
});

test('what is no file, or has no end, is refused as a profile at once', async () => {
  execFileSync('mkfifo', [join(root, 'fifo')]);
  writeFileSync(join(root, 'large.json'), `"${'x'.repeat(1024 * 1024)}"`);
  for (const path of [join(root, 'fifo'), '/dev/zero', join(root, 'large.json'), 'large.json', root]) {
    const refused = optionsOf(path).then(() => 'taken', String);
    expect(await Promise.race([refused, sleep(2000, 'it hangs')]), path).toContain('seccomp profile');
  }
});
