import type { Attribute } from './syntax.ts';

/** Up to as many are looked through one after the other, which is as fast as hashing and takes a fifth of the memory. */
const few = 8;

/**
 * The attributes of a body by name, in the order of the file. Nearly all bodies have a handful, and a large file has a hundred
 * thousand bodies.
 */
export class AttributeMap implements ReadonlyMap<string, Attribute> {
  #list: Attribute[] = [];
  #byName: Map<string, Attribute> | undefined;

  /** Takes one more, or gives the one that has its name already. */
  add(attribute: Attribute): Attribute | undefined {
    const existing = this.get(attribute.name);
    if (existing !== undefined) return existing;
    this.#list.push(attribute);
    this.#byName?.set(attribute.name, attribute);
    return undefined;
  }

  /** Itself, without the room to grow that adding gave it. */
  trimmed(): this {
    this.#list = this.#list.slice();
    return this;
  }

  get size(): number {
    return this.#list.length;
  }

  get(name: string): Attribute | undefined {
    if (this.#list.length > few) {
      this.#byName ??= new Map(this.#list.map((attribute) => [attribute.name, attribute]));
      return this.#byName.get(name);
    }
    for (const attribute of this.#list) if (attribute.name === name) return attribute;
    return undefined;
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  forEach(run: (value: Attribute, key: string, map: ReadonlyMap<string, Attribute>) => void): void {
    for (const attribute of this.#list) run(attribute, attribute.name, this);
  }

  values(): ArrayIterator<Attribute> {
    return this.#list.values();
  }

  keys(): ArrayIterator<string> {
    return this.#list.map((attribute) => attribute.name).values();
  }

  entries(): ArrayIterator<[string, Attribute]> {
    return this.#list.map((attribute): [string, Attribute] => [attribute.name, attribute]).values();
  }

  [Symbol.iterator](): ArrayIterator<[string, Attribute]> {
    return this.entries();
  }
}
