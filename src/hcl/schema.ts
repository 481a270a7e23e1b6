import type { Diagnostic } from './diagnostic.ts';
import type { SourceRange } from './source.ts';
import type { Attribute, Block } from './syntax.ts';

/** Which attributes and blocks a body may hold. */
export interface BodySchema {
  readonly attributes: readonly { readonly name: string; readonly required?: boolean }[];
  readonly blocks: readonly { readonly type: string; readonly labelNames?: readonly string[] }[];
  /** What to say of a name that is not expected here but is known: where it belongs. */
  readonly elsewhere?: (name: string) => string | undefined;
}

/** What of a body fits a schema. */
export interface BodyContent {
  readonly attributes: ReadonlyMap<string, Attribute>;
  readonly blocks: readonly Block[];
  /** Where something that is missing would have to be written. */
  readonly missingItemRange: SourceRange;
  readonly diagnostics: readonly Diagnostic[];
}
