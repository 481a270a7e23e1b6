/** The layouts in which Nomad's clients show several problems of one job. */

/** `["a", "b"]` → `"2 errors occurred:\n\t* a\n\t* b\n\n"`, as Nomad's server writes it. Nested lists stand in it as they are. */
export function formatErrors(errors: readonly string[]): string {
  const head = errors.length === 1 ? '1 error occurred:' : `${errors.length} errors occurred:`;
  return `${head}\n${errors.map((error) => `\t* ${error}`).join('\n')}\n\n`;
}

/** `["a"]` → `"1 warning:\n\n* a"`; none → `""`. */
export function formatWarnings(warnings: readonly string[]): string {
  if (warnings.length === 0) return '';
  const head = warnings.length === 1 ? '1 warning:' : `${warnings.length} warnings:`;
  return `${head}\n\n${warnings.map((warning) => `* ${warning}`).join('\n')}`;
}

/** The problems of a part as one problem of the whole: `"Task t validation failed: 1 error occurred: …"`; none → none. */
export function nest(prefix: string, errors: readonly string[]): readonly string[] {
  if (errors.length === 0) return [];
  return [prefix === '' ? formatErrors(errors) : `${prefix}: ${formatErrors(errors)}`];
}

/** Rows of [is it wrong, what to say] → what is wrong. */
export function problems(...rows: readonly (readonly [boolean, string])[]): readonly string[] {
  return rows.filter(([wrong]) => wrong).map(([, text]) => text);
}
