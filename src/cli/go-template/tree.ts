/** The parsed template, and how its parts are written in messages. */
export type Node =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'action'; readonly pipe: Pipe }
  | { readonly kind: 'if' | 'with'; readonly pipe: Pipe; readonly body: List; readonly otherwise: List | null }
  | { readonly kind: 'range'; readonly pipe: Pipe; readonly body: List; readonly otherwise: List | null }
  | { readonly kind: 'break' | 'continue' }
  | { readonly kind: 'template'; readonly name: string; readonly pipe: Pipe | null; readonly at: number };

export type List = readonly Node[];

export interface Pipe {
  readonly at: number;
  /** `$i, $v :=`; `assign`: `$v =`. */
  readonly variables: readonly string[];
  readonly assign: boolean;
  readonly commands: readonly Command[];
}

export interface Command {
  readonly at: number;
  readonly words: readonly Operand[];
}

export type Operand =
  | { readonly kind: 'dot' | 'nil'; readonly at: number }
  | { readonly kind: 'bool'; readonly at: number; readonly value: boolean }
  | { readonly kind: 'number'; readonly at: number; readonly text: string; readonly value: number | bigint }
  | { readonly kind: 'string'; readonly at: number; readonly text: string; readonly value: string }
  | { readonly kind: 'field'; readonly at: number; readonly names: readonly string[] }
  | { readonly kind: 'variable'; readonly at: number; readonly name: string; readonly names: readonly string[] }
  | { readonly kind: 'function'; readonly at: number; readonly name: string }
  | { readonly kind: 'pipe'; readonly at: number; readonly pipe: Pipe }
  | { readonly kind: 'chain'; readonly at: number; readonly base: Operand; readonly names: readonly string[] };

export interface Template {
  readonly source: string;
  readonly body: List;
  readonly defined: ReadonlyMap<string, List>;
}

export function writePipe(pipe: Pipe): string {
  const variables = pipe.variables.length === 0 ? '' : `${pipe.variables.join(', ')} ${pipe.assign ? '=' : ':='} `;
  return variables + pipe.commands.map(writeCommand).join(' | ');
}

export function writeCommand(command: Command): string {
  return command.words.map(writeOperand).join(' ');
}

export function writeOperand(word: Operand): string {
  switch (word.kind) {
    case 'dot':
      return '.';
    case 'nil':
      return 'nil';
    case 'bool':
      return String(word.value);
    case 'number':
    case 'string':
      return word.text;
    case 'field':
      return word.names.map((name) => `.${name}`).join('');
    case 'variable':
      return word.name + word.names.map((name) => `.${name}`).join('');
    case 'function':
      return word.name;
    case 'pipe':
      return `(${writePipe(word.pipe)})`;
    case 'chain':
      return writeOperand(word.base) + word.names.map((name) => `.${name}`).join('');
  }
}
