import {
  type Attribute,
  type Block,
  type Body,
  type BodyContent,
  type Diagnostic,
  type EvalContext,
  type Expression,
  errorAt,
  evaluate,
  expandedContent,
  isWhollyKnown,
  justAttributes,
  type SourceRange,
  startRange,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { compareText } from '../lib/order.ts';
import { Isolation, NamespaceIsolation } from '../model/isolation.ts';
import { ScalingPolicy } from '../model/scaling-policy.ts';
import { bool, type Field, float, type Noun, string, zeroOf } from '../model/schema.ts';
import { fieldValue } from './attribute-value.ts';
import { blockAttributes } from './block-attributes.ts';
import { writtenRows } from './body-schema.ts';
import { constraintRow, isConstraintLike } from './constraint-rows.ts';
import { demandDiagnostics } from './demand-diagnostics.ts';
import { hintingSchema } from './elsewhere.ts';
import { freeMap } from './free-map.ts';

/** What a block gave: the noun's fields under their JSON names, those of extra rows among them. */
export type Row = { [key: string]: unknown };

const scalars = {
  string: string({ optional: true }),
  bool: bool({ optional: true }),
  float: float({ optional: true }),
};

/** Decodes blocks of a job file by the field tables; collects every problem. */
export class JobDecoder {
  readonly diagnostics: Diagnostic[] = [];
  readonly #context: EvalContext;

  constructor(context: EvalContext) {
    this.#context = context;
  }

  /** The fields of a noun from the body of its block; labels become the field that holds them. */
  noun(noun: Noun, body: Body, labels: readonly string[] = []): Row {
    const content = expandedContent(body, hintingSchema(noun), this.#context);
    append(this.diagnostics, content.diagnostics);
    if (isConstraintLike(noun)) {
      return constraintRow(noun, content.attributes, (attribute, kind) => this.#scalar(attribute, kind));
    }
    const plan = planOf(noun);
    const plugin = content.blocks.some((block) => block.type === 'csi_plugin');
    const row: Row = { ...(plugin ? plan.blankWithPlugin : plan.blank) };
    if (plan.label !== undefined) row[plan.label] = labels[0];
    for (const attribute of content.attributes.values()) {
      const [name, field] = plan.fields.get(attribute.name)!;
      row[name] = this.#attribute(field, attribute);
    }
    // The first two blocks of each type of which there may be only one: few, whatever the file holds.
    const singles: { readonly first: Block; repeated: boolean }[] = [];
    for (const block of content.blocks) {
      const [name, field] = plan.fields.get(block.type)!;
      if (takesMany(field)) row[name] = this.#another(field, block, noun, row[name]);
      else {
        const before = singles.find(({ first }) => first.type === block.type);
        const attribute = content.attributes.get(block.type);
        const other = before?.first.headerRange ?? attribute?.nameRange;
        if (other === undefined) row[name] = this.#only(field, block);
        else if (before === undefined || (!before.repeated && attribute === undefined)) this.#duplicate(block, other);
        if (before === undefined) singles.push({ first: block, repeated: false });
        else before.repeated = true;
      }
    }
    if (noun === ScalingPolicy) this.#requireMaximum(content, labels);
    if (noun === Isolation || noun === NamespaceIsolation) append(this.diagnostics, demandDiagnostics(content, row));
    return row;
  }

  /** What a field holds with one more of its blocks: a list, or a map by label. */
  #another(field: Field<unknown>, block: Block, owner: Noun, before: unknown): unknown {
    if (field.hcl!.form !== 'blocks')
      return { ...(before as Row | null), [block.labels[0]!]: this.noun(field.item!.noun!, block.body, block.labels) };
    const row = this.#listed(field, block, owner);
    if (before === null) return [row];
    (before as unknown[]).push(row);
    return before;
  }

  /** What a field gets from the one block it may have. */
  #only(field: Field<unknown>, block: Block): unknown {
    if (field.hcl!.form === 'free') return freeMap(block.body, this.#context, this.diagnostics);
    if (field.kind === 'object') return this.noun(field.noun!, block.body, block.labels);
    return this.#mapBlock(field, block);
  }

  #listed(field: Field<unknown>, block: Block, owner: Noun): unknown {
    const noun = field.item!.noun!;
    const row = this.noun(noun, block.body, block.labels);
    if (noun === ScalingPolicy && owner.name === 'Task') return this.#scalingOfTask(row, block);
    return row;
  }

  #duplicate(block: Block, first: SourceRange): void {
    this.diagnostics.push(
      errorAt(
        block.headerRange,
        `Duplicate ${block.type} block`,
        `Only one block of type "${block.type}" is allowed. Previous definition was at ${first}.`,
      ),
    );
  }

  /** A block of attributes that are the keys of a map; blocks in it count as attributes too. */
  #mapBlock(field: Field<unknown>, block: Block): Row {
    const { attributes, diagnostics } =
      block.body.json === undefined ? blockAttributes(block.body) : justAttributes(block.body);
    append(this.diagnostics, diagnostics);
    const entries: [string, unknown][] = [];
    for (const attribute of attributes.values()) {
      const value = this.#attribute(field.item!, attribute);
      entries.push([attribute.name, value === undefined ? null : value]);
    }
    return Object.fromEntries(entries.sort(([a], [b]) => compareText(a, b)));
  }

  #attribute(field: Field<unknown>, attribute: Attribute): unknown {
    return this.#read(field, attribute, startRange);
  }

  #scalar(attribute: Attribute | undefined, kind: 'string' | 'bool' | 'float'): unknown {
    if (attribute === undefined) return undefined;
    return this.#read(scalars[kind], attribute, ({ range }) => range) ?? undefined;
  }

  #read(field: Field<unknown>, attribute: Attribute, place: (expr: Expression) => SourceRange): unknown {
    const { value, diagnostics } = evaluate(attribute.expr, this.#context);
    append(this.diagnostics, diagnostics);
    // Unknown without a problem of its own: what made it so was said where it happened.
    if (diagnostics.length === 0 && !isWhollyKnown(value)) return undefined;
    const result = fieldValue(field, value);
    if (result.reason === undefined) return result.json;
    const problem = errorAt(place(attribute.expr), 'Unsuitable value type', `Unsuitable value: ${result.reason}`);
    this.diagnostics.push(isWhollyKnown(value) ? problem : { ...problem, echo: true });
    return undefined;
  }

  #requireMaximum(content: BodyContent, labels: readonly string[]): void {
    if (labels.length > 0 || content.attributes.has('max')) return;
    this.diagnostics.push(
      errorAt(
        content.missingItemRange,
        'Missing required argument',
        'The argument "max" is required, but no definition was found.',
      ),
    );
  }

  /** The label says what a task's policy scales, and with that its type. */
  #scalingOfTask(row: Row, block: Block): Row {
    const label = block.labels[0]!.toLowerCase();
    const type = label === 'cpu' ? 'vertical_cpu' : label === 'mem' ? 'vertical_mem' : undefined;
    if (type === undefined) {
      this.diagnostics.push(
        errorAt(block.labelRanges[0]!, 'Invalid scaling policy name', 'the policy of a task is named "cpu" or "mem"'),
      );
    } else if (row['Type'] !== '' && row['Type'] !== type) {
      this.diagnostics.push(
        errorAt(
          block.headerRange,
          'Invalid scaling policy type',
          `the policy "${label}" has the type "${type}", not "${String(row['Type'])}"`,
        ),
      );
    }
    return { ...row, Type: type ?? '' };
  }
}

/** How the blocks of a noun are decoded: a row of which the file says nothing, and where its names go. */
interface Plan {
  readonly blank: Row;
  /** With the one row that the API leaves out instead of saying null. */
  readonly blankWithPlugin: Row;
  readonly label: string | undefined;
  /** Row and field by the name of the attribute or block. */
  readonly fields: ReadonlyMap<string, readonly [string, Field<unknown>]>;
}

const plans = new Map<Noun, Plan>();

/** Made once per noun: a large file has tens of thousands of blocks, each of which sets few of its fields. */
function planOf(noun: Noun): Plan {
  let plan = plans.get(noun);
  if (plan === undefined) {
    const written = writtenRows(noun);
    // what Nomad has no row for is left out: its output stays what it was for files that say nothing of it
    const said = written.filter(([name]) => name !== 'Isolation');
    const blankWithPlugin = Object.fromEntries(said.map(([name, field]) => [name, absent(field)]));
    plan = {
      blankWithPlugin,
      blank: Object.fromEntries(Object.entries(blankWithPlugin).filter(([name]) => name !== 'CSIPluginConfig')),
      label: written.find(([, field]) => field.hcl?.form === 'label')?.[0],
      fields: new Map(
        written.flatMap(([name, field]) =>
          field.hcl === undefined || field.hcl.form === 'label' ? [] : [[field.hcl.name, [name, field] as const]],
        ),
      ),
    };
    plans.set(noun, plan);
  }
  return plan;
}

/** True of fields that gather all blocks of their type. */
const takesMany = (field: Field<unknown>): boolean =>
  field.hcl!.form === 'blocks' || (field.hcl!.form === 'block' && field.item?.kind === 'object');

/** A noun's row of which a file says nothing. */
export const emptyRow = (noun: Noun): Row => ({ ...planOf(noun).blank });

/** What the JSON form says of a field that the file does not mention. */
function absent(field: Field<unknown>): unknown {
  if (field.optional || field.kind === 'bytes') return null;
  return zeroOf(field.kind) ?? null;
}
