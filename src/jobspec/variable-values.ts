import {
  asString,
  boolType,
  convert,
  countGraphemes,
  type Diagnostic,
  dynamicUnknown,
  type EvalContext,
  type Expression,
  errorAt,
  evaluate,
  hasErrors,
  justAttributes,
  looksLikeJson,
  objectValue,
  parseExpression,
  parseJson,
  parseNative,
  SourceFile,
  SourceRange,
  stringType,
  stringValue,
  suggestion,
  type Value,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { evaluateLiteral } from './literal.ts';
import type { Variable } from './variable-declarations.ts';

export interface VariableFile {
  readonly name: string;
  readonly source: string | Uint8Array;
}

/** Where values of variables come from; a later kind wins over an earlier one, and within a kind the later entry. */
export interface VariableSources {
  /** The whole environment: names that start with `NOMAD_VAR_` count. */
  readonly env?: { readonly [name: string]: string | undefined };
  readonly files?: readonly VariableFile[];
  /** The text of one more file, as the parse route takes it. */
  readonly inline?: string;
  /** `name=value`, as `-var` takes it. */
  readonly flags?: readonly string[];
}

interface Given {
  readonly value: Value;
  readonly range: SourceRange;
}

const environmentPrefix = 'NOMAD_VAR_';

/** Gives each declared variable its value; where that fails the value is unknown and the problem is reported. */
export class VariableValues {
  readonly #variables: ReadonlyMap<string, Variable>;
  readonly #diagnostics: Diagnostic[];
  readonly #strict: boolean;
  readonly #given = new Map<string, Given>();

  constructor(variables: ReadonlyMap<string, Variable>, strict: boolean, diagnostics: Diagnostic[]) {
    this.#variables = variables;
    this.#strict = strict;
    this.#diagnostics = diagnostics;
  }

  /** False when a file cannot be read as HCL at all: then nothing more is worth saying. */
  collect(sources: VariableSources): boolean {
    for (const [name, text] of Object.entries(sources.env ?? {})) {
      const variable = name.startsWith(environmentPrefix)
        ? this.#variables.get(name.slice(environmentPrefix.length))
        : undefined;
      if (variable !== undefined && text !== undefined)
        this.#text(variable, text, `<value for var.${variable.name} from env>`);
    }
    const inline = sources.inline === undefined ? [] : [{ name: 'input.hcl', source: sources.inline }];
    for (const file of [...(sources.files ?? []), ...inline]) if (!this.#file(file)) return false;
    for (const flag of sources.flags ?? []) this.#flag(flag);
    return true;
  }

  #file(file: VariableFile): boolean {
    const json = file.name.endsWith('.json') || looksLikeJson(file.source);
    const parsed = json ? parseJson(file.source, file.name) : parseNative(file.source, file.name);
    append(this.#diagnostics, parsed.diagnostics);
    if (hasErrors(parsed.diagnostics)) return false;
    for (const block of parsed.body.blocks) {
      const what =
        block.type === 'variable'
          ? 'this file gives values; declare variables in the job file'
          : 'this file holds values only, no blocks';
      this.#diagnostics.push(errorAt(block.typeRange, `Unexpected "${block.type}" block`, what));
    }
    const { attributes } = justAttributes({ ...parsed.body, blocks: [] });
    for (const attribute of attributes.values()) {
      const variable = this.#variables.get(attribute.name);
      if (variable === undefined) this.#undeclared(attribute.name, `the file ${file.name}`, attribute.nameRange);
      else this.#expression(variable, attribute.expr);
    }
    return true;
  }

  #flag(flag: string): void {
    const equals = flag.indexOf('=');
    const name = equals < 0 ? flag : flag.slice(0, equals);
    const variable = this.#variables.get(name);
    const origin = `<value for var.${name} from arguments>`;
    if (equals < 0)
      this.#problem(wholeOf(origin, name), 'Invalid -var option', `"${flag}" must be written as name=value`);
    else if (variable === undefined) this.#undeclared(name, 'an argument', wholeOf(origin, name));
    else this.#text(variable, flag.slice(equals + 1), origin);
  }

  #undeclared(name: string, where: string, range: SourceRange): void {
    if (!this.#strict) return;
    const near = suggestion(name, this.#variables.keys());
    const detail = `a value for the variable "${name}" is given by ${where}, but no variable of this name is declared.${near}`;
    this.#problem(range, 'Undefined variable', detail);
  }

  #problem(range: SourceRange, summary: string, detail: string): void {
    this.#diagnostics.push(errorAt(range, summary, detail));
  }

  /** Text from outside: taken as it is for simple types, as an expression for others. */
  #text(variable: Variable, text: string, origin: string): void {
    const { kind } = variable.type;
    if (kind === 'string' || kind === 'number' || kind === 'dynamic') {
      this.#assign(variable, stringValue(text), wholeOf(origin, text));
      return;
    }
    const { expr, diagnostics } = parseExpression(text, origin);
    append(this.#diagnostics, diagnostics);
    if (!hasErrors(diagnostics)) this.#expression(variable, expr);
  }

  #expression(variable: Variable, expr: Expression): void {
    const { value, diagnostics } = evaluateLiteral(expr);
    append(this.#diagnostics, diagnostics);
    this.#assign(variable, diagnostics.length > 0 ? dynamicUnknown : value, expr.range);
  }

  #assign(variable: Variable, value: Value, range: SourceRange): void {
    const converted = convert(value, variable.type);
    if (converted.error === undefined) {
      this.#given.set(variable.name, { value: converted.value, range });
      return;
    }
    this.#given.set(variable.name, { value: dynamicUnknown, range });
    this.#diagnostics.push(
      errorAt(
        range,
        'Invalid value for variable',
        `the value of "${variable.name}" does not fit its type: ${converted.error}`,
      ),
    );
  }

  /** The values by name, after the rules of each variable were checked. */
  values(functions: EvalContext): ReadonlyMap<string, Value> {
    const result = new Map<string, Value>();
    for (const variable of this.#variables.values()) {
      const given = this.#given.get(variable.name);
      const value = given?.value ?? variable.fallback;
      if (value === undefined) {
        this.#problem(variable.range, `Unset variable "${variable.name}"`, unset(variable.name));
        result.set(variable.name, dynamicUnknown);
      } else {
        result.set(variable.name, value);
        this.#check(variable, value, given?.range ?? variable.range, functions);
      }
    }
    return result;
  }

  #check(variable: Variable, value: Value, range: SourceRange, functions: EvalContext): void {
    const self = objectValue(new Map([[variable.name, value]]));
    const context: EvalContext = { parent: functions, variables: new Map([['var', self]]) };
    for (const rule of variable.rules) {
      const { value: outcome, diagnostics } = evaluate(rule.condition, context);
      append(this.#diagnostics, diagnostics);
      if (diagnostics.length > 0 || outcome.state === 'unknown') continue;
      const answer = convert(outcome, boolType);
      if (answer.error !== undefined || answer.value.state !== 'known') {
        this.#diagnostics.push(
          errorAt(rule.condition.range, 'Invalid variable validation result', 'the condition must be true or false'),
        );
      } else if (answer.value.data === false) {
        this.#diagnostics.push(errorAt(range, 'Invalid value for variable', this.#message(rule.message, context)));
      }
    }
  }

  #message(expr: Expression, context: EvalContext): string {
    const { value, diagnostics } = evaluate(expr, context);
    const text = convert(value, stringType);
    if (
      diagnostics.length === 0 &&
      text.error === undefined &&
      text.value.state === 'known' &&
      asString(text.value).trim() !== ''
    ) {
      return asString(text.value);
    }
    append(this.#diagnostics, diagnostics);
    this.#diagnostics.push(
      errorAt(expr.range, 'Invalid validation error message', 'the message must be a text that is not empty'),
    );
    return 'its validation failed';
  }
}

/** All of a text that stands in no file. */
function wholeOf(origin: string, text: string): SourceRange {
  const file = new SourceFile(origin, text);
  const lines = text.split('\n');
  const end = countGraphemes(lines.at(-1)!) + 1;
  return new SourceRange(file, 1, 1, 0, lines.length, end, file.bytes.length);
}

const unset = (name: string): string =>
  `it has no default: set it by -var ${name}=VALUE, in a file for -var-file, or as NOMAD_VAR_${name}`;
