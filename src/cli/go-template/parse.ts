/** Tokens → tree. Variables and functions are looked up here, so that a template is refused before anything is written. */
import { functions } from './functions.ts';
import { keywords, lex, lineOf, type Token } from './lex.ts';
import { unquote } from './literals.ts';
import { TemplateError } from './template-error.ts';
import type { Command, List, Node, Operand, Pipe, Template } from './tree.ts';

export function parseTemplate(source: string): Template {
  return new Parser(source).run();
}

/** Nesting deeper than this is no template that anybody wrote. */
const maximumDepth = 200;

type Ending = 'end' | 'else';

class Parser {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #defined = new Map<string, List>();
  #next = 0;
  #variables: string[] = ['$'];
  #depth = 0;
  #loops = 0;

  constructor(source: string) {
    this.#source = source;
    this.#tokens = lex(source);
  }

  run(): Template {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end') {
      const { node, ending } = this.#node();
      if (ending !== undefined) throw this.#fault(`unexpected {{${ending}}}`);
      if (node !== undefined) nodes.push(node);
    }
    return { source: this.#source, body: nodes, defined: this.#defined };
  }

  #node(): { node?: Node; ending?: Ending } {
    const token = this.#take();
    if (token.kind === 'text') return { node: { kind: 'text', text: token.text } };
    this.#skipSpace();
    const word = this.#peek();
    if (word.kind !== 'keyword' || word.text === 'nil') return { node: this.#action() };
    this.#take();
    switch (word.text) {
      case 'end':
        this.#close('end');
        return { ending: 'end' };
      case 'else':
        return { ending: 'else' };
      case 'if':
      case 'with':
      case 'range':
        return { node: this.#control(word.text) };
      case 'break':
      case 'continue':
        if (this.#loops === 0) throw this.#fault(`{{${word.text}}} outside {{range}}`);
        this.#close(`{{${word.text}}}`);
        return { node: { kind: word.text } };
      case 'template':
        return { node: this.#template() };
      case 'block':
        return { node: this.#block() };
      default:
        this.#define();
        return {};
    }
  }

  #action(): Node {
    const pipe = this.#pipeline('command', 'right');
    return { kind: 'action', pipe };
  }

  #control(kind: 'if' | 'with' | 'range'): Node {
    if (++this.#depth > maximumDepth) throw this.#fault('templates are nested too deeply');
    const scope = this.#variables.length;
    const pipe = this.#pipeline(kind, 'right');
    if (kind === 'range') this.#loops++;
    const first = this.#list();
    if (kind === 'range') this.#loops--;
    let otherwise: List | null = null;
    if (first.ending === 'else') {
      this.#skipSpace();
      const word = this.#peek();
      if (word.kind === 'keyword' && word.text === kind && kind !== 'range') {
        this.#take();
        otherwise = [this.#control(kind)];
      } else {
        this.#close('else');
        const second = this.#list();
        if (second.ending !== 'end') throw this.#fault('expected end; found {{else}}');
        otherwise = second.nodes;
      }
    }
    this.#variables.length = scope;
    this.#depth--;
    return { kind, pipe, body: first.nodes, otherwise };
  }

  #list(): { nodes: List; ending: Ending } {
    const nodes: Node[] = [];
    while (this.#peek().kind !== 'end') {
      const { node, ending } = this.#node();
      if (ending !== undefined) return { nodes, ending };
      if (node !== undefined) nodes.push(node);
    }
    throw this.#fault('unexpected EOF');
  }

  #template(): Node {
    const { name, at } = this.#name('template clause');
    this.#skipSpace();
    const pipe = this.#peek().kind === 'right' ? null : this.#pipeline('template clause', 'right');
    if (pipe === null) this.#take();
    return { kind: 'template', name, pipe, at };
  }

  #block(): Node {
    const { name, at } = this.#name('block clause');
    const pipe = this.#pipeline('block clause', 'right');
    this.#body(name, 'block clause');
    return { kind: 'template', name, pipe, at };
  }

  #define(): void {
    const { name } = this.#name('define clause');
    this.#close('define clause');
    this.#body(name, 'define clause');
  }

  /** Of a named template: it sees none of the variables around it. */
  #body(name: string, context: string): void {
    if (++this.#depth > maximumDepth) throw this.#fault('templates are nested too deeply');
    const [variables, loops] = [this.#variables, this.#loops];
    this.#variables = ['$'];
    this.#loops = 0;
    const { nodes, ending } = this.#list();
    if (ending !== 'end') throw this.#fault(`unexpected {{${ending}}} in ${context}`);
    this.#variables = variables;
    this.#loops = loops;
    this.#depth--;
    this.#defined.set(name, nodes);
  }

  #name(context: string): { name: string; at: number } {
    this.#skipSpace();
    const token = this.#take();
    const name = token.kind === 'string' ? unquote(token.text) : undefined;
    if (name === undefined) throw this.#unexpected(token, context);
    return { name, at: token.at };
  }

  #close(context: string): void {
    this.#skipSpace();
    const token = this.#take();
    if (token.kind !== 'right') throw this.#unexpected(token, context);
  }

  #pipeline(context: string, end: 'right' | ')'): Pipe {
    if (++this.#depth > maximumDepth) throw this.#fault('templates are nested too deeply');
    this.#skipSpace();
    const at = this.#peek().at;
    const { variables, assign } = this.#declarations(context);
    const commands: Command[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#peek();
      if (end === 'right' ? token.kind === 'right' : token.text === ')' && token.kind === 'symbol') {
        this.#take();
        if (commands.length === 0) throw this.#fault(`missing value for ${context}`);
        this.#refuseConstants(commands);
        this.#depth--;
        return { at, variables, assign, commands };
      }
      const before = commands.length;
      commands.push(this.#command(context));
      if (commands.length === before) throw this.#unexpected(token, context);
    }
  }

  /** `$x :=`, `$x =`, and after range `$i, $x :=`. */
  #declarations(context: string): { variables: string[]; assign: boolean } {
    const start = this.#next;
    const variables: string[] = [];
    for (;;) {
      this.#skipSpace();
      const token = this.#take();
      if (token.kind !== 'variable') break;
      variables.push(token.text);
      this.#skipSpace();
      const sign = this.#take();
      if (sign.kind === 'symbol' && (sign.text === ':=' || sign.text === '=')) {
        const assign = sign.text === '=';
        if (assign) for (const name of variables) this.#known(name);
        else this.#variables.push(...variables);
        return { variables, assign };
      }
      if (sign.text !== ',' || context !== 'range' || variables.length > 1) {
        if (sign.text === ',') throw this.#fault(`too many declarations in ${context}`);
        break;
      }
    }
    this.#next = start;
    return { variables: [], assign: false };
  }

  #command(context: string): Command {
    const at = this.#peek().at;
    const words: Operand[] = [];
    for (;;) {
      this.#skipSpace();
      const operand = this.#operand();
      if (operand !== undefined) words.push(operand);
      const token = this.#peek();
      if (token.kind === 'space' && operand !== undefined) continue;
      if (token.kind === 'right' || (token.kind === 'symbol' && token.text === ')')) break;
      if (token.kind === 'symbol' && token.text === '|') {
        this.#take();
        this.#skipSpace();
        const after = this.#peek();
        if (after.kind === 'right' || after.text === ')') throw this.#fault(`missing value for ${context}`);
        break;
      }
      throw this.#unexpected(token, operand === undefined ? context : 'operand');
    }
    if (words.length === 0) throw this.#fault('empty command');
    return { at, words };
  }

  #operand(): Operand | undefined {
    const base = this.#term();
    if (base === undefined || this.#peek().kind !== 'field') return base;
    const at = this.#peek().at;
    const names: string[] = [];
    while (this.#peek().kind === 'field') names.push(this.#take().text.slice(1));
    switch (base.kind) {
      case 'field':
      case 'variable':
        return { ...base, at, names: [...base.names, ...names] };
      case 'pipe':
      case 'function':
      case 'chain':
        return { kind: 'chain', at, base, names };
      default:
        throw this.#fault(`unexpected . after term "${this.#source.slice(base.at, at)}"`);
    }
  }

  #term(): Operand | undefined {
    const token = this.#peek();
    const { at, text } = token;
    switch (token.kind) {
      case 'identifier':
        this.#take();
        if (text === 'true' || text === 'false') return { kind: 'bool', at, value: text === 'true' };
        if (!Object.hasOwn(functions, text)) throw this.#fault(`function "${text}" not defined`);
        return { kind: 'function', at, name: text };
      case 'dot':
        this.#take();
        return { kind: 'dot', at };
      case 'keyword':
        if (text !== 'nil') return undefined;
        this.#take();
        return { kind: 'nil', at };
      case 'variable':
        this.#take();
        this.#known(text);
        return { kind: 'variable', at, name: text, names: [] };
      case 'field':
        this.#take();
        return { kind: 'field', at, names: [text.slice(1)] };
      case 'string': {
        this.#take();
        const value = unquote(text);
        if (value === undefined) throw this.#fault('invalid syntax');
        return { kind: 'string', at, text, value };
      }
      case 'char':
      case 'number':
        this.#take();
        return { kind: 'number', at, text, value: this.#number(token) };
      case 'symbol':
        if (text !== '(') return undefined;
        this.#take();
        return { kind: 'pipe', at, pipe: this.#pipeline('parenthesized pipeline', ')') };
      default:
        return undefined;
    }
  }

  #number({ kind, text }: Token): number | bigint {
    if (kind === 'char') {
      const value = unquote(`"${text.slice(1, -1).replaceAll('"', '\\"').replaceAll("\\'", "'")}"`);
      if (value === undefined || [...value].length !== 1) throw this.#fault(`malformed character constant: ${text}`);
      return value.codePointAt(0)!;
    }
    const plain = text.replaceAll('_', '').replace(/^\+/, '');
    const negative = plain.startsWith('-');
    const digits = negative ? plain.slice(1) : plain;
    if (/^(0[xXbBoO][0-9a-fA-F]+|\d+)$/.test(digits)) {
      const octal = /^0[0-7]+$/.test(digits) ? `0o${digits.slice(1)}` : digits;
      const exact = negative ? -BigInt(octal) : BigInt(octal);
      return Number.isSafeInteger(Number(exact)) ? Number(exact) : exact;
    }
    const value = Number(plain);
    if (Number.isNaN(value)) throw this.#fault(`illegal number syntax: "${text}"`);
    return value;
  }

  /** `{{1 | 2}}`: only what can take an argument may stand after a bar. */
  #refuseConstants(commands: readonly Command[]): void {
    for (const [at, command] of commands.entries()) {
      const first = command.words[0]!;
      if (at > 0 && ['bool', 'dot', 'nil', 'number', 'string'].includes(first.kind))
        throw this.#fault(`non executable command in pipeline stage ${at + 1}`);
    }
  }

  #known(name: string): void {
    if (!this.#variables.includes(name)) throw this.#fault(`undefined variable "${name}"`);
  }

  #skipSpace(): void {
    while (this.#peek().kind === 'space') this.#next++;
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  #take(): Token {
    const token = this.#peek();
    if (token.kind !== 'end') this.#next++;
    return token;
  }

  #unexpected(token: Token, context: string): TemplateError {
    if (token.kind === 'end') return this.#fault(`unexpected EOF`);
    const what = token.kind === 'keyword' && keywords.has(token.text) ? `<${token.text}>` : JSON.stringify(token.text);
    return this.#fault(`unexpected ${what} in ${context}`);
  }

  #fault(problem: string): TemplateError {
    const at = this.#tokens[Math.max(0, this.#next - 1)]?.at ?? 0;
    return new TemplateError(`template: :${lineOf(this.#source, at)}: ${problem}`);
  }
}
