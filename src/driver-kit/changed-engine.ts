/** An engine some of whose hooks are others; the rest stay its own, private members and all. */
import type { EngineDriver } from '../driver/contract.ts';

/** Hooks in place of the engine's; undefined: one it then does not have. */
export type EngineChanges = { readonly [Hook in keyof EngineDriver]?: EngineDriver[Hook] | undefined };

/** Properties that the engine does not have are not there either, so an optional hook stays a capability. */
export function changedEngine(engine: EngineDriver, changes: EngineChanges): EngineDriver {
  return new Proxy(engine, {
    get: (target, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      // read and called on the engine itself: a getter or a method of another object has no private members
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
