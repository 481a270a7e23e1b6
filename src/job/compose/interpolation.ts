import { escaped } from './hcl-writer.ts';

/** `$NAME`, `${NAME}`, `${NAME:-default}` and their kin, and `$$`. */
const reference = /\$(?:\$|([A-Za-z_]\w*)|\{([A-Za-z_]\w*)(?:(:?[-?+])((?:[^{}]|\{[^{}]*\})*))?\})/g;

/** Variables of a Compose file become input variables of the job. */
export class Interpolation {
  /** Name → default; undefined: the variable has to be given. */
  readonly variables = new Map<string, string | undefined>();
  readonly notes: string[] = [];

  /** A text of the Compose file as an HCL expression. */
  readonly quote = (text: string): string => {
    let result = '';
    let end = 0;
    for (const match of text.matchAll(reference)) {
      result += escaped(text.slice(end, match.index));
      end = match.index + match[0].length;
      result += match[0] === '$$' ? '$' : this.#reference(match[1] ?? match[2]!, match[3] ?? '', match[4] ?? '');
    }
    return `"${result}${escaped(text.slice(end))}"`;
  };

  #reference(name: string, operator: string, rest: string): string {
    if (operator.endsWith('+')) {
      this.#declare(name, '');
      return `\${var.${name} != "" ? "${escaped(rest)}" : ""}`;
    }
    this.#declare(name, operator.endsWith('?') ? undefined : operator === '' ? '' : rest);
    return `\${var.${name}}`;
  }

  #declare(name: string, otherwise: string | undefined): void {
    const before = this.variables.get(name);
    if (this.variables.has(name) && before !== '' && otherwise !== '' && before !== otherwise)
      this.notes.push(`variable ${name}: it has different defaults; the first one counts`);
    if (!this.variables.has(name) || before === '') this.variables.set(name, otherwise);
  }
}
