/** `${name}` in plain strings. Names that are not known stay as they are written. Source: Nomad's runtime variable reference. */
const reference = /\$\{([a-zA-Z0-9_\-.]+)\}/g;

export type Names = ReadonlyMap<string, string>;

/** `"${meta.x}"` → its value; what is not known stays as it is written, as in Nomad. */
export function interpolate(text: string, names: Names): string {
  if (!text.includes('${')) return text;
  return text.replace(reference, (whole, name: string) => names.get(name) ?? whole);
}
