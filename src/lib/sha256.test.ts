import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { sha256 } from './sha256.ts';

it('digests texts of every length around its blocks as Node does', () => {
  for (const unit of ['a', 'é', '🐄']) {
    for (let count = 0; count < 140; count++) {
      const text = unit.repeat(count);
      expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'));
    }
  }
});
