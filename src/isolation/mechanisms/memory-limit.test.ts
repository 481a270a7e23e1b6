import { existsSync } from 'node:fs';
import { mkdir, rmdir } from 'node:fs/promises';
import { expect, it } from 'vitest';
import { writeKernelText } from '../../lib/node/kernel-file.ts';
import { lookAtMemory } from './memory-limit.ts';

const top = '/sys/fs/cgroup/memory';
const can = process.getuid?.() === 0 && existsSync(`${top}/memory.limit_in_bytes`);
const bytes = 32 * 2 ** 20;

it.skipIf(!can)('a group without a limit is not taken for one that is held', async () => {
  const path = `${top}/drover-memory-${process.pid}`;
  await mkdir(path);
  try {
    const group = { version: 1, path, controllers: ['memory'], ours: true } as const;
    expect(await lookAtMemory(group, bytes)).toMatchObject({
      ok: false,
      evidence: expect.stringContaining('ended with 0'),
    });
    // control
    writeKernelText(`${path}/memory.limit_in_bytes`, String(bytes));
    expect(await lookAtMemory(group, bytes)).toMatchObject({
      ok: true,
      evidence: expect.stringMatching(/: [1-9]\d* ended/),
    });
  } finally {
    await rmdir(path);
  }
});
