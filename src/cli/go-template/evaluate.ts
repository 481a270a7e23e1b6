/** A parsed template and a value → text. */
import { compareText } from '../../lib/order.ts';
import { functions } from './functions.ts';
import { lineOf } from './lex.ts';
import { TemplateError, ValueError } from './template-error.ts';
import {
  type Command,
  type List,
  type Node,
  type Operand,
  type Pipe,
  type Template,
  writeCommand,
  writeOperand,
  writePipe,
} from './tree.ts';
import { fieldOf, format, isList, isObject, isTrue, type Value } from './values.ts';

export function evaluateTemplate(template: Template, data: Value): string {
  const evaluator = new Evaluator(template);
  evaluator.run(template.body, data, [{ name: '$', value: data }]);
  return evaluator.text;
}

/** A variable; inner scopes hold the same ones, so that what they assign stays assigned. */
interface Variable {
  readonly name: string;
  value: Value;
}

type Scope = Variable[];
type Flow = 'break' | 'continue' | undefined;

/** A template that calls itself for ever ends here. */
const maximumDepth = 1_000;

/** Arguments given where nothing takes any are told apart from no arguments. */
const none = Symbol('no final value');
type Final = Value | typeof none;

class Evaluator {
  text = '';
  readonly #template: Template;
  #depth = 0;

  constructor(template: Template) {
    this.#template = template;
  }

  run(list: List, dot: Value, scope: Scope): Flow {
    for (const node of list) {
      const flow = this.#node(node, dot, scope);
      if (flow !== undefined) return flow;
    }
    return undefined;
  }

  #node(node: Node, dot: Value, scope: Scope): Flow {
    switch (node.kind) {
      case 'text':
        this.text += node.text;
        return undefined;
      case 'action': {
        const value = this.#pipe(node.pipe, dot, scope);
        if (node.pipe.variables.length === 0) this.text += format(value);
        return undefined;
      }
      case 'if':
      case 'with': {
        const inner: Scope = [...scope];
        const value = this.#pipe(node.pipe, dot, inner);
        if (isTrue(value)) return this.run(node.body, node.kind === 'with' ? value : dot, inner);
        return node.otherwise === null ? undefined : this.run(node.otherwise, dot, inner);
      }
      case 'range':
        return this.#range(node, dot, scope);
      case 'template':
        this.#call(node, dot, scope);
        return undefined;
      default:
        return node.kind;
    }
  }

  #range(node: Node & { kind: 'range' }, dot: Value, scope: Scope): Flow {
    const { pipe } = node;
    const value = this.#commands(pipe, dot, scope);
    let count = 0;
    for (const [key, item] of this.#items(value, pipe)) {
      count++;
      const inner: Scope = [...scope];
      if (pipe.variables.length > 0) {
        const given = pipe.variables.length === 1 ? [item] : [key, item];
        for (const [at, name] of pipe.variables.entries()) setVariable(inner, name, given[at], pipe.assign);
      }
      if (this.run(node.body, item, inner) === 'break') break;
    }
    if (count > 0 || node.otherwise === null) return undefined;
    return this.run(node.otherwise, dot, scope);
  }

  *#items(value: Value, pipe: Pipe): Iterable<[Value, Value]> {
    if (value === null || value === undefined) return;
    if (isList(value)) yield* value.entries();
    else if (isObject(value)) for (const key of Object.keys(value).sort(compareText)) yield [key, value[key]];
    else if (typeof value === 'number' && Number.isInteger(value)) for (let at = 0; at < value; at++) yield [at, at];
    else throw this.#fault(pipe.at, writePipe(pipe), `range can't iterate over ${format(value)}`);
  }

  #call(node: Node & { kind: 'template' }, dot: Value, scope: Scope): void {
    const body = this.#template.defined.get(node.name);
    const written = `{{template ${JSON.stringify(node.name)}}}`;
    if (body === undefined) throw this.#fault(node.at, written, `template ${JSON.stringify(node.name)} not defined`);
    if (++this.#depth > maximumDepth)
      throw this.#fault(node.at, written, `exceeded maximum template depth (${maximumDepth})`);
    const value = node.pipe === null ? undefined : this.#pipe(node.pipe, dot, scope);
    this.run(body, value, [{ name: '$', value }]);
    this.#depth--;
  }

  /** Declares its variables in the scope. */
  #pipe(pipe: Pipe, dot: Value, scope: Scope): Value {
    const value = this.#commands(pipe, dot, scope);
    for (const name of pipe.variables) setVariable(scope, name, value, pipe.assign);
    return value;
  }

  #commands(pipe: Pipe, dot: Value, scope: Scope): Value {
    let value: Final = none;
    for (const command of pipe.commands) value = this.#command(command, dot, scope, value);
    return value === none ? undefined : value;
  }

  #command(command: Command, dot: Value, scope: Scope, final: Final): Value {
    const [first, ...rest] = command.words as [Operand, ...Operand[]];
    if (first.kind === 'function') return this.#function(first, command, rest, dot, scope, final);
    if (rest.length > 0 || final !== none) {
      const written = writeOperand(first);
      if (first.kind === 'field' || first.kind === 'variable' || first.kind === 'chain')
        throw this.#fault(first.at, written, `${lastName(first)} has arguments but cannot be invoked as function`);
      throw this.#fault(command.at, writeCommand(command), `can't give argument to non-function ${written}`);
    }
    if (first.kind === 'nil') throw this.#fault(command.at, writeCommand(command), 'nil is not a command');
    return this.#operand(first, dot, scope);
  }

  #function(
    word: Operand & { kind: 'function' },
    command: Command,
    given: readonly Operand[],
    dot: Value,
    scope: Scope,
    final: Final,
  ): Value {
    const { name } = word;
    const { least, most, run } = functions[name]!;
    const count = given.length + (final === none ? 0 : 1);
    if (count < least || count > most) {
      const want = most === Number.POSITIVE_INFINITY ? `at least ${least}` : String(least);
      throw this.#fault(word.at, writeOperand(word), `wrong number of args for ${name}: want ${want} got ${count}`);
    }
    const values: Value[] = [];
    for (const operand of given) {
      const value = this.#operand(operand, dot, scope);
      if ((name === 'and' && !isTrue(value)) || (name === 'or' && isTrue(value))) return value;
      values.push(value);
    }
    if (final !== none) values.push(final);
    try {
      return run(values);
    } catch (error) {
      if (!(error instanceof ValueError)) throw error;
      const known = error.message.startsWith('error calling ') || error.message.startsWith('wrong type ');
      throw this.#fault(
        word.at,
        writeCommand(command),
        known ? error.message : `error calling ${name}: ${error.message}`,
      );
    }
  }

  #operand(word: Operand, dot: Value, scope: Scope): Value {
    switch (word.kind) {
      case 'dot':
        return dot;
      case 'nil':
        return null;
      case 'bool':
      case 'number':
      case 'string':
        return word.value;
      case 'field':
        return this.#fields(word, dot, word.names);
      case 'variable':
        return this.#fields(word, lookUp(scope, word.name), word.names);
      case 'function':
        return this.#function(word, { at: word.at, words: [word] }, [], dot, scope, none);
      case 'pipe':
        return this.#pipe(word.pipe, dot, scope);
      case 'chain':
        return this.#fields(word, this.#operand(word.base, dot, scope), word.names);
    }
  }

  #fields(word: Operand, base: Value, names: readonly string[]): Value {
    try {
      return names.reduce(fieldOf, base);
    } catch (error) {
      if (error instanceof ValueError) throw this.#fault(word.at, writeOperand(word), error.message);
      throw error;
    }
  }

  #fault(at: number, written: string, problem: string): TemplateError {
    const { source } = this.#template;
    const before = source.slice(source.lastIndexOf('\n', at - 1) + 1, at);
    const column = new TextEncoder().encode(at === 0 ? '' : before).length;
    return new TemplateError(`template: :${lineOf(source, at)}:${column}: executing "" at <${written}>: ${problem}`);
  }
}

function lookUp(scope: Scope, name: string): Value {
  return scope.findLast((variable) => variable.name === name)?.value;
}

function setVariable(scope: Scope, name: string, value: Value, assign: boolean): void {
  const known = assign ? scope.findLast((variable) => variable.name === name) : undefined;
  if (known === undefined) scope.push({ name, value });
  else known.value = value;
}

function lastName(word: Operand): string {
  return 'names' in word && word.names.length > 0 ? word.names.at(-1)! : writeOperand(word);
}
