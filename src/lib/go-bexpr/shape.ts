/**
 * What a value looks like by its declaration: whether an absent name is a mistake (a struct's field) or just absent (a map's key),
 * and how the text of an expression is read (`"5"` is a number beside a number).
 */
export interface Shape {
  readonly kind: 'string' | 'int' | 'float' | 'bool' | 'list' | 'map' | 'struct' | 'any';
  /** Of a list or map. */
  readonly item?: Shape;
  /** Of a struct; a function where it would be costly or endless to say. */
  readonly fields?: () => { readonly [name: string]: Shape };
}

export const anyShape: Shape = { kind: 'any' };
