import { LimitError } from '../limits.ts';
import { FunctionError } from './function.ts';
import type { RuneTest } from './regex-classes.ts';
import { parseRegex, type RegexNode } from './regex-parse.ts';

/** One instruction: a character, a fork (first choice first), a place to remember, a condition, or the end. */
type Instruction =
  | { readonly op: 'rune'; readonly test: RuneTest }
  | { readonly op: 'fork'; first: number; second: number }
  | { readonly op: 'save'; readonly slot: number }
  | { readonly op: 'assert'; readonly at: string }
  | { readonly op: 'match' };

export interface Regex {
  readonly program: readonly Instruction[];
  readonly slots: number;
  readonly names: ReadonlyMap<string, number>;
}

const maxProgram = 20_000;
const maxWork = 30_000_000;

/** Compiles a pattern; a match takes time in proportion to pattern and text, whatever the pattern. */
export function compileRegex(pattern: string): Regex {
  const { root, groups, names } = parseRegex(pattern);
  const program: Instruction[] = [];
  emit(program, { kind: 'group', index: 0, inner: root });
  program.push({ op: 'match' });
  return { program, slots: (groups + 1) * 2, names };
}

function emit(program: Instruction[], node: RegexNode): void {
  if (program.length > maxProgram) throw new FunctionError('the pattern is too large');
  switch (node.kind) {
    case 'rune':
      program.push({ op: 'rune', test: node.test });
      break;
    case 'assert':
      program.push({ op: 'assert', at: node.at });
      break;
    case 'sequence':
      for (const item of node.items) emit(program, item);
      break;
    case 'either':
      emitEither(program, node.items);
      break;
    case 'group':
      program.push({ op: 'save', slot: node.index * 2 });
      emit(program, node.inner);
      program.push({ op: 'save', slot: node.index * 2 + 1 });
      break;
    case 'repeat':
      emitRepeat(program, node);
      break;
    default:
  }
}

type Fork = Extract<Instruction, { op: 'fork' }>;

function fork(program: Instruction[]): Fork {
  const instruction: Fork = { op: 'fork', first: program.length + 1, second: program.length + 1 };
  program.push(instruction);
  return instruction;
}

function emitEither(program: Instruction[], items: readonly RegexNode[]): void {
  const ends: Fork[] = [];
  for (const [i, item] of items.entries()) {
    const choice = i < items.length - 1 ? fork(program) : undefined;
    emit(program, item);
    if (choice === undefined) break;
    ends.push(fork(program));
    choice.second = program.length;
  }
  for (const end of ends) {
    end.first = program.length;
    end.second = program.length;
  }
}

function emitRepeat(program: Instruction[], node: Extract<RegexNode, { kind: 'repeat' }>): void {
  for (let i = 0; i < node.least; i++) emit(program, node.inner);
  const choices: Fork[] = [];
  const skip = (choice: Fork, to: number): void => {
    if (node.lazy) choice.first = to;
    else choice.second = to;
  };
  if (Number.isFinite(node.most)) {
    for (let i = node.least; i < node.most; i++) {
      choices.push(fork(program));
      emit(program, node.inner);
    }
  } else {
    const start = program.length;
    choices.push(fork(program));
    emit(program, node.inner);
    const back = fork(program);
    back.first = start;
    back.second = start;
  }
  for (const choice of choices) skip(choice, program.length);
}

type Slots = readonly number[];
interface Thread {
  readonly at: number;
  readonly slots: Slots;
}

function isWord(char: string | undefined): boolean {
  return char !== undefined && /^[0-9A-Za-z_]$/.test(char);
}

/** Runs one pattern over one text, given as characters. */
export class RegexRunner {
  readonly #regex: Regex;
  readonly #chars: readonly string[];
  #work = 0;

  constructor(regex: Regex, chars: readonly string[]) {
    this.#regex = regex;
    this.#chars = chars;
  }

  /** The leftmost match from `start` on: positions of the groups' starts and ends, -1 where a group has no part. */
  find(start: number): Slots | undefined {
    const { program, slots } = this.#regex;
    let threads: Thread[] = [];
    let matched: Slots | undefined;
    const empty: Slots = new Array<number>(slots).fill(-1);
    for (let position = start; ; position++) {
      const seen = new Uint8Array(program.length);
      const ready: Thread[] = [];
      for (const thread of threads) this.#follow(ready, seen, thread, position);
      if (matched === undefined) this.#follow(ready, seen, { at: 0, slots: empty }, position);
      if (ready.length === 0) return matched;
      const char = this.#chars[position];
      threads = [];
      for (const { at, slots: found } of ready) {
        const instruction = program[at]!;
        if (instruction.op === 'match') {
          matched = found;
          break;
        }
        if (char !== undefined && instruction.op === 'rune' && instruction.test(char))
          threads.push({ at: at + 1, slots: found });
      }
      if (position >= this.#chars.length || (threads.length === 0 && matched !== undefined)) return matched;
    }
  }

  /** Adds what a thread reaches without a character, best choice first. */
  #follow(ready: Thread[], seen: Uint8Array, from: Thread, position: number): void {
    const stack: Thread[] = [from];
    for (let thread = stack.pop(); thread !== undefined; thread = stack.pop()) {
      const { at, slots } = thread;
      if (seen[at] === 1) continue;
      seen[at] = 1;
      if (++this.#work > maxWork) throw new LimitError(`more than ${maxWork} steps of a regular expression`);
      const instruction = this.#regex.program[at]!;
      if (instruction.op === 'fork') {
        stack.push({ at: instruction.second, slots }, { at: instruction.first, slots });
      } else if (instruction.op === 'save') {
        stack.push({ at: at + 1, slots: slots.with(instruction.slot, position) });
      } else if (instruction.op === 'assert') {
        if (this.#holds(instruction.at, position)) stack.push({ at: at + 1, slots });
      } else ready.push(thread);
    }
  }

  #holds(what: string, position: number): boolean {
    const before = this.#chars[position - 1];
    const after = this.#chars[position];
    switch (what) {
      case 'start':
        return position === 0;
      case 'end':
        return after === undefined;
      case 'line-start':
        return before === undefined || before === '\n';
      case 'line-end':
        return after === undefined || after === '\n';
      default:
        return (isWord(before) !== isWord(after)) === (what === 'word');
    }
  }
}
