/** What a filter expression is made of (the language of go-bexpr). */

export type Operator = '==' | '!=' | 'in' | 'not in' | 'is empty' | 'is not empty' | 'matches' | 'not matches';

/** `Meta["a.b"].c` and `"/Meta/a.b/c"` both are `['Meta', 'a.b', 'c']`. */
export type Selector = readonly string[];

export type Expression =
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | {
      readonly kind: 'match';
      readonly selector: Selector;
      readonly operator: Operator;
      /** As written, without quotes; `""` for `is empty`. */
      readonly value: string;
    }
  | {
      /** `any Services as s { s.Name == "web" }`; a second name is the value where the first is the index or key. */
      readonly kind: 'all' | 'any';
      readonly selector: Selector;
      readonly names: readonly string[];
      readonly inner: Expression;
    };
