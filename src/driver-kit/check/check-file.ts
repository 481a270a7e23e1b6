/**
 * How tasks of a driver are made, as its author says it:
 *
 *   ends    { script = "exit ${code}" }
 *   runs    { script = "sleep ${seconds}" }      also ${ms}
 *   says    { script = "echo ${text}" }
 *   command = ["sh", "-c", "echo out; exit 4"]   what is run inside a task of `execs`
 *   plugin  { … }                                the operator's options
 *   excuse "the case's name" {
 *     reason = "why this driver is different"
 *   }
 */
import {
  type Block,
  type Body,
  type Diagnostic,
  errorAt,
  evaluate,
  hasErrors,
  nearestName,
  parseNative,
  standardFunctions,
  stringValue,
  toJson,
} from '../../hcl/index.ts';

export type TaskKind = (typeof taskKinds)[number];

export const taskKinds = ['ends', 'runs', 'stubborn', 'fails', 'says', 'execs'] as const;

type Options = Readonly<Record<string, unknown>>;

export interface CheckFile {
  /** Null: this kind is not given. `variables`: code, seconds, ms, text. */
  task(kind: TaskKind, variables: Readonly<Record<string, string>>): Options | null;
  readonly command: readonly string[];
  /** The operator's options. */
  readonly plugin: Options;
  /** Case → why. */
  readonly excused: Readonly<Record<string, string>>;
}

export type ReadCheckFile =
  | { readonly ok: true; readonly file: CheckFile }
  | { readonly ok: false; readonly diagnostics: readonly Diagnostic[] };

const functions = standardFunctions({});
const samples = { code: '0', seconds: '1', ms: '1000', text: 'text' };

/** Everything that is wrong at once, each with its place. */
export function readCheckFile(source: Uint8Array, name: string): ReadCheckFile {
  const { body, diagnostics: found } = parseNative(source, name);
  const diagnostics = [...found];
  const known = [...taskKinds, 'plugin', 'excuse'];
  for (const block of body.blocks) {
    if (known.includes(block.type)) continue;
    const near = nearestName(block.type, known);
    const hint = near === undefined ? '' : ` Did you mean ${JSON.stringify(near)}?`;
    diagnostics.push(errorAt(block.headerRange, 'Unknown block', `There are ${known.join(', ')}.${hint}`));
  }
  for (const attribute of body.attributes.values())
    if (attribute.name !== 'command')
      diagnostics.push(errorAt(attribute.range, 'Unknown attribute', 'Only "command" stands outside of a block.'));
  // once with samples: what cannot be evaluated is said before anything is started
  const blockOf = (type: string): Block | undefined => body.blocks.find((block) => block.type === type);
  for (const kind of [...taskKinds, 'plugin']) {
    const block = blockOf(kind);
    if (block !== undefined) plain(block.body, samples, diagnostics);
  }
  const excused = Object.fromEntries(
    body.blocks
      .filter(({ type }) => type === 'excuse')
      .map(({ labels, body: inner }) => [labels[0] ?? '', String(plain(inner, {}, diagnostics)['reason'] ?? '')]),
  );
  const given = body.attributes.get('command');
  const command = given === undefined ? [] : valueIn(given.expr, {}, diagnostics);
  if (!Array.isArray(command) || !command.every((each) => typeof each === 'string'))
    diagnostics.push(errorAt(given?.range ?? body.missingItemRange, 'Wrong command', 'A list of texts is needed.'));
  if (hasErrors(diagnostics)) return { ok: false, diagnostics };
  const options = (block: Block | undefined, variables: Readonly<Record<string, string>>): Options | null =>
    block === undefined ? null : plain(block.body, variables, []);
  return {
    ok: true,
    file: {
      task: (kind, variables) => options(blockOf(kind), { ...samples, ...variables }),
      command: command as readonly string[],
      plugin: options(blockOf('plugin'), samples) ?? {},
      excused,
    },
  };
}

/** For a driver whose options are `command` and `args`, as exec's are. */
export function commandCheckFile(plugin: Options, command = '/bin/sh'): CheckFile {
  const scripts: Readonly<Record<TaskKind, (given: Readonly<Record<string, string>>) => string>> = {
    ends: ({ code }) => `exit ${code}`,
    // a trap: process 1 of a pid namespace gets no signal it does not ask for
    runs: ({ seconds }) => `trap 'exit 0' INT TERM; sleep ${seconds} & wait`,
    stubborn: () => 'trap "" INT; while :; do sleep 0.1; done',
    fails: () => '',
    says: ({ text }) => `echo ${text}`,
    execs: () => "trap 'exit 0' INT TERM; sleep 60 & wait",
  };
  return {
    task: (kind, variables) =>
      kind === 'fails'
        ? { command: '/no/such/program' }
        : { command, args: ['-c', scripts[kind]({ ...samples, ...variables })] },
    command: ['sh', '-c', 'echo out; exit 4'],
    plugin,
    excused: {},
  };
}

function plain(body: Body, variables: Readonly<Record<string, string>>, diagnostics: Diagnostic[]): Options {
  const entries: [string, unknown][] = [...body.attributes.values()].map(({ name, expr }) => [
    name,
    valueIn(expr, variables, diagnostics),
  ]);
  const blocks = new Map<string, unknown[]>();
  for (const block of body.blocks) {
    const list = blocks.get(block.type) ?? [];
    list.push(plain(block.body, variables, diagnostics));
    blocks.set(block.type, list);
  }
  return Object.fromEntries([...entries, ...blocks]);
}

function valueIn(
  expr: Parameters<typeof evaluate>[0],
  variables: Readonly<Record<string, string>>,
  diagnostics: Diagnostic[],
): unknown {
  const context = new Map(Object.entries(variables).map(([name, text]) => [name, stringValue(text)]));
  const { value, diagnostics: found } = evaluate(expr, { functions, variables: context });
  diagnostics.push(...found);
  return hasErrors(found) ? null : toJson(value);
}
