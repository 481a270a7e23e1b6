// The types of `drover/job` from the field tables: one interface per block of the job file.

const kinds = {
  string: 'Text',
  number: 'number | Text',
  bool: 'boolean | Text',
  duration: 'Duration',
  strings: 'readonly Text[]',
  map: '{ readonly [key: string]: unknown }',
  objects: 'readonly object[]',
  any: 'unknown',
};

const head = `// Made by scripts/reference.mjs from the field tables of the model; do not edit.

/** Text may hold expressions, as in a job file: \`\${attr.kernel.name}\` is filled in at run time. */
export type Text = string;
/** Like \`1h30m\` or \`10s\`, or nanoseconds. */
export type Duration = string | number;
/** One block, or several of its kind. */
export type Blocks<T> = T | readonly T[];
/** Blocks by their labels. */
export type Labelled<T> = { readonly [label: string]: Blocks<T> };
/** Free-form: what it may hold is up to the driver. */
export type Free = { readonly [key: string]: unknown };
/** Text by key; numbers and booleans become text. */
export type TextMap = { readonly [key: string]: string | number | boolean };
`;

/** @returns the source of src/job/job-types.ts */
export function jobTypes(blockShape, Job, about) {
  const done = new Set();
  const parts = [head];
  const visit = (noun) => {
    if (done.has(noun.name)) return;
    done.add(noun.name);
    const { attributes, blocks } = blockShape(noun);
    const lines = attributes.map(
      ({ name, kind, required }) =>
        `  readonly ${name}${required ? '' : '?'}: ${kinds[kind]}${required ? '' : ' | null'};`,
    );
    for (const block of blocks) lines.push(`  readonly ${block.name}?: ${blockType(block)};`);
    const doc = about(noun.name);
    const start = doc ? `/** ${doc} */\n` : '';
    if (lines.length === 0) parts.push(`${start}export type ${noun.name}Body = Record<string, never>;\n`);
    else parts.push(`${start}export interface ${noun.name}Body {\n${lines.join('\n')}\n}\n`);
    for (const block of blocks) if (block.noun) visit(block.noun);
  };
  visit(Job);
  return parts.join('\n');
}

function blockType(block) {
  if (block.content === 'free') return 'Free';
  if (block.noun === undefined) return 'TextMap';
  const body = `${block.noun.name}Body`;
  if (block.labelled) return `Labelled<${body}>`;
  return block.repeated ? `Blocks<${body}>` : body;
}
