import { decodeUtf8 } from '../hcl/source.ts';
import type { JobFile } from './parse-job.ts';
import type { Variable } from './variable-declarations.ts';

/** The file as its author wrote it, with the values of its variables. */
export interface Submission {
  readonly Source: string;
  readonly Format: 'hcl2' | 'json';
  /** Values of simple types given one by one. */
  readonly VariableFlags: { readonly [name: string]: string };
  /** The text of all variable files, and other values as HCL. */
  readonly Variables: string;
}

export function submissionOf(file: JobFile, variables: ReadonlyMap<string, Variable>): Submission {
  const sources = file.variables ?? {};
  const flags = new Map<string, string>();
  const complex: string[] = [];
  const add = (name: string, text: string) => {
    const kind = variables.get(name)?.type.kind;
    if (kind === undefined) return;
    if (kind === 'string' || kind === 'number' || kind === 'bool' || kind === 'dynamic') flags.set(name, text);
    else complex.push(`${name} = ${text}`);
  };
  for (const [name, text] of Object.entries(sources.env ?? {})) {
    if (name.startsWith('NOMAD_VAR_') && text !== undefined) add(name.slice('NOMAD_VAR_'.length), text);
  }
  for (const flag of sources.flags ?? []) {
    const equals = flag.indexOf('=');
    if (equals >= 0) add(flag.slice(0, equals), flag.slice(equals + 1));
  }
  const files = [
    ...(sources.files ?? []).map(({ source }) => source),
    ...(sources.inline === undefined ? [] : [sources.inline]),
  ];
  return {
    Source: textOf(file.source),
    Format: 'hcl2',
    VariableFlags: Object.fromEntries(flags),
    Variables: [...files.map(textOf), ...complex].join('\n'),
  };
}

const textOf = (source: string | Uint8Array): string => (typeof source === 'string' ? source : decodeUtf8(source));
