import { expect, it } from 'vitest';
import { formatTarget } from './scaling-policy.ts';

it('a target goes from the outside to the inside, what else it names last', () => {
  expect(formatTarget({ Group: 'g', Zone: 'a', Job: 'web', Namespace: 'default' })).toBe(
    'Namespace:default,Job:web,Group:g,Zone:a',
  );
  expect(formatTarget(null)).toBe('');
});
