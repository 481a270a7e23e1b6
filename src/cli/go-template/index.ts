import { evaluateTemplate } from './evaluate.ts';
import { parseTemplate } from './parse.ts';
import type { Value } from './values.ts';

export { TemplateError } from './template-error.ts';
export type { Value } from './values.ts';

/** `{{range .}}{{.ID}} {{end}}` and API JSON → text. Throws `TemplateError` in Go's words. */
export function renderTemplate(source: string, data: Value): string {
  return evaluateTemplate(parseTemplate(source), data);
}
