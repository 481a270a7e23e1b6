import { expect, it } from 'vitest';
import { page } from './cli-test-kit.ts';
import { createTerminal } from './terminal.ts';

it('a live line takes its own place again on a terminal, fits it, and is not written elsewhere', () => {
  const person = page(20);
  person.terminal.live('placing 1 of 3 allocations');
  person.terminal.live('placing 2 of 3');
  person.terminal.out('done');
  expect(person.out).toBe('placing 1 of 3 allo\r\u001b[Kplacing 2 of 3\r\u001b[Kdone\n');
  const pipe = page();
  pipe.terminal.live('placing 1 of 3');
  pipe.terminal.out('done');
  expect(pipe.out).toBe('done\n');
});

it('colour is for terminals, unless it is refused or forced', () => {
  const painted = (isTTY: boolean, noColor: boolean, forceColor: boolean): string =>
    createTerminal({ isTTY, write: () => {} }, { write: () => {} }, { noColor, forceColor }).paint('red', 'x');
  expect(painted(true, false, false)).toBe('\u001b[31mx\u001b[0m');
  expect(painted(true, true, false)).toBe('x');
  expect(painted(false, false, false)).toBe('x');
  expect(painted(false, false, true)).toBe('\u001b[31mx\u001b[0m');
});
