import { expect, it } from 'vitest';
import { isLoopback } from './loopback.ts';

it('only addresses of this machine are loopback, and no name but localhost', () => {
  for (const host of ['localhost', '127.0.0.1', '127.9.8.7', '::1', '[::1]']) expect(isLoopback(host)).toBe(true);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', '127.0.0.1.example.com', '127.1', 'localhost.example.com', ''])
    expect(isLoopback(host)).toBe(false);
});
