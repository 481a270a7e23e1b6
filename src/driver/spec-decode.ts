/**
 * A body of options against a plugin's specification: the value the plugin gets, and all problems with their places. The rules, and
 * the texts of problems people search for, are those of the reference implementation of such specifications (hcldec).
 */
import {
  type Block,
  type Body,
  type BodyContent,
  type BodySchema,
  bodyContent,
  convert,
  type Diagnostic,
  dynamicType,
  type EvalContext,
  errorAt,
  evaluate,
  justAttributes,
  LimitError,
  listType,
  mapType,
  mapValue,
  nullValue,
  objectValue,
  setType,
  type Type,
  tupleValue,
  unknownValue,
  type Value,
} from '../hcl/index.ts';
import { impliedType, type SpecNode } from './spec-tree.ts';

export interface DecodedBody {
  readonly value: Value;
  readonly diagnostics: readonly Diagnostic[];
}

export function decodeBody(body: Body, spec: SpecNode, context: EvalContext): DecodedBody {
  const decoder = new Decoder(context);
  const { diagnostics } = decoder;
  try {
    return { value: decoder.body(body, spec), diagnostics };
  } catch (error) {
    if (!(error instanceof LimitError)) throw error;
    const problem = errorAt(body.missingItemRange, 'Too many options', `What is written here makes ${error.message}.`);
    return { value: unknownValue(dynamicType), diagnostics: [...diagnostics, problem] };
  }
}

/** What stands in the body itself, not in blocks of it. */
function* sameBody(spec: SpecNode): Generator<SpecNode> {
  yield spec;
  if (spec.kind === 'object') for (const each of spec.fields.values()) yield* sameBody(each);
  if (spec.kind === 'array') for (const each of spec.items) yield* sameBody(each);
  if (spec.kind === 'default') {
    yield* sameBody(spec.primary);
    yield* sameBody(spec.otherwise);
  }
}

function schemaOf(spec: SpecNode): BodySchema {
  const attributes: { name: string; required: boolean }[] = [];
  const blocks: { type: string; labelNames: readonly string[] }[] = [];
  for (const each of sameBody(spec)) {
    if (each.kind === 'attribute') attributes.push({ name: each.name, required: each.required });
    else if (each.kind === 'blockMap') blocks.push({ type: each.name, labelNames: each.labels });
    else if ('nested' in each || each.kind === 'blockAttributes') blocks.push({ type: each.name, labelNames: [] });
  }
  return { attributes, blocks };
}

type Of<K extends SpecNode['kind']> = Extract<SpecNode, { readonly kind: K }>;

class Decoder {
  readonly diagnostics: Diagnostic[] = [];
  readonly #context: EvalContext;

  constructor(context: EvalContext) {
    this.#context = context;
  }

  body(body: Body, spec: SpecNode): Value {
    const content = bodyContent(body, schemaOf(spec));
    this.diagnostics.push(...content.diagnostics.map(inClientWords));
    return this.#value(content, spec);
  }

  #value(content: BodyContent, spec: SpecNode): Value {
    switch (spec.kind) {
      case 'object':
        return objectValue(new Map([...spec.fields].map(([name, each]) => [name, this.#value(content, each)])));
      case 'array':
        return tupleValue(spec.items.map((each) => this.#value(content, each)));
      case 'attribute':
        return this.#attribute(content, spec);
      case 'block':
        return this.#block(content, spec);
      case 'blockAttributes':
        return this.#blockAttributes(content, spec);
      case 'blockList':
      case 'blockSet':
        return this.#blocks(content, spec);
      case 'blockMap':
        return this.#blockMap(content, spec);
      case 'default': {
        const value = this.#value(content, spec.primary);
        return value.state === 'null' ? this.#value(content, spec.otherwise) : value;
      }
      default:
        return spec.value;
    }
  }

  #attribute(content: BodyContent, spec: Of<'attribute'>): Value {
    const attribute = content.attributes.get(spec.name);
    if (attribute === undefined) return nullValue(spec.type);
    const { value, diagnostics } = evaluate(attribute.expr, this.#context);
    this.diagnostics.push(...diagnostics);
    const converted = convert(value, spec.type);
    if (converted.error === undefined) return converted.value;
    const detail = `Inappropriate value for attribute ${JSON.stringify(spec.name)}: ${converted.error}.`;
    this.diagnostics.push(errorAt(attribute.expr.range, 'Incorrect attribute value type', detail));
    return unknownValue(spec.type);
  }

  /** The only block of its name, if there is one. */
  #only(content: BodyContent, name: string, required: boolean): Block | undefined {
    const [first, second] = content.blocks.filter((block) => block.type === name);
    const quoted = JSON.stringify(name);
    if (first === undefined && required) {
      const detail = `A block of type ${quoted} is required here.`;
      this.diagnostics.push(errorAt(content.missingItemRange, `Missing ${name} block`, detail));
    }
    if (first !== undefined && second !== undefined) {
      const detail = `Only one block of type ${quoted} is allowed. Previous definition was at ${first.headerRange}.`;
      this.diagnostics.push(errorAt(second.headerRange, `Duplicate ${name} block`, detail));
    }
    return first;
  }

  #block(content: BodyContent, spec: Of<'block'>): Value {
    const block = this.#only(content, spec.name, spec.required);
    return block === undefined ? nullValue(impliedType(spec)) : this.body(block.body, spec.nested);
  }

  #blockAttributes(content: BodyContent, spec: Of<'blockAttributes'>): Value {
    const block = this.#only(content, spec.name, spec.required);
    if (block === undefined) return nullValue(mapType(spec.type));
    const { attributes, diagnostics } = justAttributes(block.body);
    this.diagnostics.push(...diagnostics);
    const entries = new Map<string, Value>();
    for (const [name, { expr }] of attributes) {
      const { value, diagnostics: problems } = evaluate(expr, this.#context);
      this.diagnostics.push(...problems);
      const converted = convert(value, spec.type);
      if (converted.error === undefined) entries.set(name, converted.value);
      else {
        const detail = `Invalid value for attribute of ${JSON.stringify(spec.name)} block: ${converted.error}.`;
        this.diagnostics.push(errorAt(expr.range, 'Invalid attribute value', detail));
      }
    }
    return this.#collected(objectValue(entries), mapType(spec.type), content);
  }

  #blocks(content: BodyContent, spec: Of<'blockList' | 'blockSet'>): Value {
    const blocks = content.blocks.filter((block) => block.type === spec.name);
    const { name, minimum, maximum, kind } = spec;
    if (blocks.length < minimum) {
      const detail = `At least ${minimum} ${JSON.stringify(name)} blocks are required.`;
      this.diagnostics.push(errorAt(content.missingItemRange, `Insufficient ${name} blocks`, detail));
    }
    if (maximum > 0 && blocks.length > maximum) {
      const detail = `No more than ${maximum} ${JSON.stringify(name)} blocks are allowed`;
      this.diagnostics.push(errorAt(blocks[maximum]!.headerRange, `Too many ${name} blocks`, detail));
    }
    const items = blocks.map((block) => this.body(block.body, spec.nested));
    const element = items.length === 0 ? impliedType(spec.nested) : dynamicType;
    return this.#collected(tupleValue(items), kind === 'blockList' ? listType(element) : setType(element), content);
  }

  #blockMap(content: BodyContent, spec: Of<'blockMap'>): Value {
    const root: Branch = new Map();
    for (const block of content.blocks) {
      if (block.type !== spec.name) continue;
      const value = this.body(block.body, spec.nested);
      const labels = block.labels.slice(0, spec.labels.length);
      if (plant(root, labels, value)) continue;
      const detail = `A ${spec.name} block with the labels ${labels.map((each) => JSON.stringify(each)).join(', ')} was given already.`;
      this.diagnostics.push(errorAt(block.headerRange, `Duplicate ${spec.name} block`, detail));
    }
    // of one map, however many labels: Go has it so, and an empty one does not go together with one that has two
    return root.size === 0 ? mapValue(new Map(), impliedType(spec.nested)) : this.#mapOf(root, content);
  }

  #mapOf(branch: Branch, content: BodyContent): Value {
    const entries = [...branch].map(([key, inner]): [string, Value] => [
      key,
      inner instanceof Map ? this.#mapOf(inner, content) : (inner as Value),
    ]);
    return this.#collected(objectValue(new Map(entries)), mapType(dynamicType), content);
  }

  /** Elements of one collection have one type: what cannot have is a problem, not a crash. */
  #collected(value: Value, type: Type, content: BodyContent): Value {
    const converted = convert(value, type);
    if (converted.error === undefined) return converted.value;
    const detail = `The blocks here do not have one type: ${converted.error}.`;
    this.diagnostics.push(errorAt(content.missingItemRange, 'Unconsistent argument types', detail));
    return unknownValue(type);
  }
}

interface Branch extends Map<string, Branch | Value> {}

function plant(root: Branch, labels: readonly string[], value: Value): boolean {
  let at = root;
  for (const label of labels.slice(0, -1)) {
    const next = at.get(label);
    const branch: Branch = next instanceof Map ? next : new Map();
    at.set(label, branch);
    at = branch;
  }
  const last = labels.at(-1) ?? '';
  if (at.has(last)) return false;
  at.set(last, value);
  return true;
}

/** What Nomad's clients show for these two, in the words people look for. */
function inClientWords(problem: Diagnostic): Diagnostic {
  const quoted = /"(?:[^"\\]|\\.)*"/.exec(problem.detail)?.[0] ?? '';
  switch (problem.summary) {
    case 'Extraneous JSON object property': {
      const hint = / Did you mean .*$/.exec(problem.detail)?.[0] ?? '';
      return {
        ...problem,
        summary: 'Invalid label',
        detail: `No argument or block type is named ${quoted}.${hint}`,
      };
    }
    case 'Missing required argument':
      return { ...problem, detail: `The argument ${quoted} is required, but no definition was found.` };
    default:
      return problem;
  }
}
