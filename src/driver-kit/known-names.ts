/** Names that an author wrote and nobody reads: a slip among them would be without effect, and so without notice. */
import { suggestion } from '../hcl/index.ts';
import { Fault } from '../lib/fault.ts';

/** `whose`: `"driver script: the definition"`. `Fault('invalid')`: a name that is none of these, with the one that was most likely meant. */
export function checkNames(whose: string, given: object | undefined, known: readonly string[]): void {
  for (const name of Object.keys(given ?? {}))
    if (!known.includes(name))
      throw new Fault(
        'invalid',
        `${whose} has no ${JSON.stringify(name)}, only ${known.join(', ')}.${suggestion(name, known)}`,
      );
}
