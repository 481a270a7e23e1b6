/** An option schema as a page for people: a table per body, nested blocks under their names. Pure. */
import type { ConfigOption, ConfigSchema, OptionType } from './config-schema.ts';

/** Markdown without a heading; `"None."` for a schema without options. */
export function optionsPage(schema: ConfigSchema): string {
  return Object.keys(schema).length === 0 ? 'None.\n' : [...tables(schema, '')].join('\n');
}

function* tables(schema: ConfigSchema, path: string): Generator<string> {
  if (path !== '') yield `\nIn \`${path}\`:\n`;
  yield '| option | type | default | |\n|---|---|---|---|';
  for (const [name, option] of Object.entries(schema))
    yield `| \`${name}\` | ${typeText(option.type)} | ${presetText(option)} | ${cell(option.doc)} |`;
  if (path === '' || Object.keys(schema).length > 0) yield '';
  for (const [name, { type }] of Object.entries(schema))
    if (type.kind === 'block' || type.kind === 'blocks')
      yield* tables(type.fields, path === '' ? name : `${path}.${name}`);
}

function typeText(type: OptionType): string {
  switch (type.kind) {
    case 'list':
    case 'map':
      return `${type.kind}(${typeText(type.of)})`;
    case 'block':
      return 'block';
    case 'blocks':
      return type.minimum > 0 ? `blocks, at least ${type.minimum}` : 'blocks';
    default:
      return type.kind;
  }
}

function presetText({ required, default: preset }: ConfigOption): string {
  if (required) return '**required**';
  return preset === undefined ? '' : `\`${JSON.stringify(preset)}\``;
}

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

/** A body with every option that has to be there, and the first others as comments: what a job file begins with. */
export function exampleBody(schema: ConfigSchema, indent: string): string {
  const lines: string[] = [];
  for (const [name, option] of Object.entries(schema)) {
    const { type, required } = option;
    const mark = required ? '' : '# ';
    if (type.kind === 'block' || type.kind === 'blocks') {
      const inner = exampleBody(type.fields, required ? `${indent}  ` : `${indent}#   `);
      lines.push(`${indent}${mark}${name} {\n${inner}${indent}${mark}}`);
    } else lines.push(`${indent}${mark}${name} = ${exampleValue(option)}`);
  }
  return lines.map((line) => `${line}\n`).join('');
}

function exampleValue({ type, default: preset }: ConfigOption): string {
  if (preset !== undefined && preset !== null) return JSON.stringify(preset);
  if (type.kind === 'number') return '1';
  if (type.kind === 'bool') return 'true';
  if (type.kind === 'list') return '[]';
  return type.kind === 'map' ? '{}' : '"…"';
}
