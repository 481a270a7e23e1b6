import { expect, it } from 'vitest';
import { Fault, messageOf } from '../lib/fault.ts';
import { namingProgram } from './exec-session.ts';

it('names the program that could not be run, and leaves other faults as they are', () => {
  const named = namingProgram(new Fault('not_found', 'execve: No such file or directory'), '/no/such');
  expect(named).toMatchObject({ kind: 'not_found', message: 'fork/exec /no/such: no such file or directory' });
  const other = new Fault('unavailable', 'the shim is gone');
  expect(namingProgram(other, '/bin/true')).toBe(other);
  expect(messageOf(namingProgram('odd', '/bin/true'))).toBe('odd');
});
