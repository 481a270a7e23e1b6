import {
  type Attribute,
  type Block,
  type Body,
  type BodyContent,
  type Diagnostic,
  type EvalContext,
  errorAt,
  evaluate,
  expandedContent,
  isWhollyKnown,
  justAttributes,
  type SourceRange,
  startRange,
} from '../hcl/index.ts';
import { compareText } from '../lib/order.ts';
import { ScalingPolicy } from '../model/scaling-policy.ts';
import { bool, type Field, float, type Noun, string, zeroOf } from '../model/schema.ts';
import { fieldValue } from './attribute-value.ts';
import { blockAttributes } from './block-attributes.ts';
import { bodySchema, writtenRows } from './body-schema.ts';
import { constraintRow, isConstraintLike } from './constraint-rows.ts';
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
    const content = expandedContent(body, bodySchema(noun), this.#context);
    this.diagnostics.push(...content.diagnostics);
    if (isConstraintLike(noun)) {
      return constraintRow(noun, content.attributes, (attribute, kind) => this.#scalar(attribute, kind));
    }
    const row: Row = {};
    for (const [name, field] of writtenRows(noun)) {
      // The one row that the API leaves out instead of saying null.
      if (name === 'CSIPluginConfig' && !content.blocks.some((block) => block.type === 'csi_plugin')) continue;
      row[name] = field.hcl?.form === 'label' ? labels[0] : this.#field(field, content, noun);
    }
    if (noun === ScalingPolicy) this.#requireMaximum(content, labels);
    return row;
  }

  #field(field: Field<unknown>, content: BodyContent, owner: Noun): unknown {
    const { hcl } = field;
    if (hcl === undefined) return absent(field);
    const attribute = content.attributes.get(hcl.name);
    if (hcl.form === 'attribute') return attribute === undefined ? absent(field) : this.#attribute(field, attribute);
    const blocks =
      content.blocks.length === 0 ? content.blocks : content.blocks.filter((block) => block.type === hcl.name);
    switch (hcl.form) {
      case 'blocks':
        return blocks.length === 0 ? null : blocks.map((block) => this.#listed(field, block, owner));
      case 'mapping':
        if (attribute !== undefined) {
          if (blocks[0] !== undefined) this.#duplicate(blocks[0], attribute.nameRange);
          return this.#attribute(field, attribute);
        }
        return this.#single(blocks, (block) => this.#mapBlock(field, block));
      case 'free':
        return this.#single(blocks, (block) => freeMap(block.body, this.#context, this.diagnostics));
      default:
        return this.#block(field, blocks);
    }
  }

  #block(field: Field<unknown>, blocks: readonly Block[]): unknown {
    const item = field.item;
    if (field.kind === 'object')
      return this.#single(blocks, (block) => this.noun(field.noun!, block.body, block.labels));
    if (item?.kind !== 'object') return this.#single(blocks, (block) => this.#mapBlock(field, block));
    if (blocks.length === 0) return null;
    return Object.fromEntries(
      blocks.map((block) => [block.labels[0]!, this.noun(item.noun!, block.body, block.labels)]),
    );
  }

  #listed(field: Field<unknown>, block: Block, owner: Noun): unknown {
    const noun = field.item!.noun!;
    const row = this.noun(noun, block.body, block.labels);
    if (noun === ScalingPolicy && owner.name === 'Task') return this.#scalingOfTask(row, block);
    return row;
  }

  /** Takes the one block there may be; more are reported. */
  #single(blocks: readonly Block[], read: (block: Block) => unknown): unknown {
    const [first, second] = blocks;
    if (first === undefined) return null;
    if (second !== undefined) this.#duplicate(second, first.headerRange);
    return read(first);
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
    this.diagnostics.push(...diagnostics);
    const entries: [string, unknown][] = [];
    for (const attribute of attributes.values()) {
      const value = this.#attribute(field.item!, attribute);
      entries.push([attribute.name, value === undefined ? null : value]);
    }
    return Object.fromEntries(entries.sort(([a], [b]) => compareText(a, b)));
  }

  #attribute(field: Field<unknown>, attribute: Attribute): unknown {
    return this.#read(field, attribute, startRange(attribute.expr));
  }

  #scalar(attribute: Attribute | undefined, kind: 'string' | 'bool' | 'float'): unknown {
    if (attribute === undefined) return undefined;
    return this.#read(scalars[kind], attribute, attribute.expr.range) ?? undefined;
  }

  #read(field: Field<unknown>, attribute: Attribute, where: SourceRange): unknown {
    const { value, diagnostics } = evaluate(attribute.expr, this.#context);
    this.diagnostics.push(...diagnostics);
    // Unknown without a problem of its own: what made it so was said where it happened.
    if (diagnostics.length === 0 && !isWhollyKnown(value)) return undefined;
    const result = fieldValue(field, value);
    if (result.reason === undefined) return result.json;
    this.diagnostics.push(errorAt(where, 'Unsuitable value type', `Unsuitable value: ${result.reason}`));
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
        errorAt(block.labelRanges[0], 'Invalid scaling policy name', 'the policy of a task is named "cpu" or "mem"'),
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

/** A noun's row of which a file says nothing. */
export const emptyRow = (noun: Noun): Row =>
  Object.fromEntries(writtenRows(noun).map(([name, field]) => [name, absent(field)]));

/** What the JSON form says of a field that the file does not mention. */
function absent(field: Field<unknown>): unknown {
  if (field.optional || field.kind === 'bytes') return null;
  return zeroOf(field.kind) ?? null;
}
