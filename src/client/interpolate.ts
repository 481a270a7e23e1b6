/** `${name}` in plain strings. Names that are not known stay as they are written. Source: Nomad's runtime variable reference. */
const reference = /\$\{([a-zA-Z0-9_\-.]+)\}/g;

export type Names = ReadonlyMap<string, string>;

export function interpolate(text: string, names: Names): string {
  if (!text.includes('${')) return text;
  return text.replace(reference, (whole, name: string) => names.get(name) ?? whole);
}

/** The same in every string of a JSON value, keys left alone. */
export function interpolateAll(value: unknown, names: Names): unknown {
  if (typeof value === 'string') return interpolate(value, names);
  if (Array.isArray(value)) return value.map((item) => interpolateAll(item, names));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolateAll(item, names)]));
}
