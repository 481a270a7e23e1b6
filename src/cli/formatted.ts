/** `-json` and `-t`: what the API answered, as a script wants it. */

import { formatJson } from '../lib/json.ts';
import { sortedEntries } from '../lib/order.ts';
import { type Call, CommandError } from './command.ts';
import type { FlagTable } from './flags.ts';
import type { Value } from './go-template/index.ts';

export const formatFlags: FlagTable = {
  json: { kind: 'bool', help: "Print the API's JSON." },
  t: { kind: 'string', value: '<template>', help: 'Print with a Go template.' },
};

/** True: the command was asked for JSON or a template, and the value has been printed so. `jsonFlag`: where `-json` means something else. */
export async function printFormatted(
  { flags, terminal }: Call,
  value: unknown,
  { jsonFlag = 'json', asJson = value }: { jsonFlag?: string; asJson?: unknown } = {},
): Promise<boolean> {
  const json = flags.bool(jsonFlag);
  const template = flags.string('t') ?? '';
  if (json && template !== '') throw new CommandError('Both json and template formatting are not allowed');
  if (json) terminal.out(formatJson(sortKeys(asJson), 4));
  else if (template !== '') terminal.out(await render(template, value));
  else return false;
  return true;
}

/** Asked for at all: some commands then read more, or need no argument. */
export const wantsFormat = ({ flags }: Pick<Call, 'flags'>): boolean =>
  flags.bool('json') || (flags.string('t') ?? '') !== '';

async function render(template: string, value: unknown): Promise<string> {
  const { renderTemplate, TemplateError } = await import('./go-template/index.ts');
  try {
    return renderTemplate(template, value as Value);
  } catch (error) {
    if (error instanceof TemplateError) throw new CommandError(`Error formatting the data: ${error.message}`);
    throw error;
  }
}

/** Keys in order: two prints of one thing can be compared line by line. */
export function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (value === null || typeof value !== 'object') return value;
  const entries = sortedEntries(value as { readonly [name: string]: unknown });
  return Object.fromEntries(entries.map(([key, inner]) => [key, sortKeys(inner)]));
}
