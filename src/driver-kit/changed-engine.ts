/** An engine some of whose hooks are others; the rest stay its own, private members and all. */
import type { EngineDriver } from '../driver/contract.ts';

/** Properties that the engine does not have are not there either, so an optional hook stays a capability. */
export function changedEngine(engine: EngineDriver, changes: Partial<EngineDriver>): EngineDriver {
  return new Proxy(engine, {
    get: (target, name) => {
      if (Object.hasOwn(changes, name)) return Reflect.get(changes, name);
      // read and called on the engine itself: a getter or a method of another object has no private members
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
