/**
 * A task's `config {}` before its driver sees it: every text (and key) is an HCL template once more, with the task's environment, the
 * node and a few functions. Source: Nomad's runtime variable interpolation; unlike in `env`, a name that is not known is an error.
 */
import { specFunctions } from '../driver/spec-functions.ts';
import {
  type Diagnostic,
  evaluate,
  hasErrors,
  objectValue,
  parseTemplate,
  stringValue,
  toJson,
  type Value,
} from '../hcl/index.ts';
import type { DecodedConfig } from './client-driver.ts';
import type { TaskEnv } from './task-env.ts';

export function evaluateConfig(config: Readonly<Record<string, unknown>>, env: TaskEnv): DecodedConfig {
  const templates = new Templates(env);
  const value = templates.all(config);
  return templates.problems.length === 0 ? { ok: true, value } : { ok: false, problems: templates.problems };
}

class Templates {
  readonly problems: string[] = [];
  readonly #env: TaskEnv;
  #variables: ReadonlyMap<string, Value> | null = null;

  constructor(env: TaskEnv) {
    this.#env = env;
  }

  all(value: unknown): unknown {
    if (typeof value === 'string') return this.#text(value);
    if (Array.isArray(value)) return value.map((item) => this.all(item));
    if (value === null || typeof value !== 'object') return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [String(this.#text(key)), this.all(item)]));
  }

  #text(text: string): unknown {
    if (!text.includes('${') && !text.includes('%{')) return text;
    const { expr, diagnostics } = parseTemplate(text, 'config');
    if (hasErrors(diagnostics)) return this.#refuse(diagnostics);
    this.#variables ??= variableTree(this.#env);
    const result = evaluate(expr, { variables: this.#variables, functions: specFunctions });
    if (hasErrors(result.diagnostics)) return this.#refuse(result.diagnostics);
    return toJson(result.value);
  }

  #refuse(diagnostics: readonly Diagnostic[]): null {
    this.problems.push(...diagnostics.map((problem) => `${problem.summary}: ${problem.detail}`));
    return null;
  }
}

/** A name with dots is a path of objects; where a text and an object meet, the object wins. */
interface Tree extends Map<string, Tree | string> {}

/** What a task's options may refer to: every variable by its name, `env["…"]`, `attr`, `meta` and `node`. */
export function variableTree(env: Pick<TaskEnv, 'nodeNames' | 'variables'>): ReadonlyMap<string, Value> {
  const root: Tree = new Map();
  for (const [name, value] of env.nodeNames) {
    plant(root, name, value);
    if (/^(attr|meta)\./.test(name)) plant(root, `node.${name}`, value);
  }
  for (const [name, value] of Object.entries(env.variables)) plant(root, name, value);
  const values = new Map([...root].map(([name, branch]) => [name, asValue(branch)]));
  const all = Object.entries(env.variables).map(([name, text]) => [name, stringValue(text)] as const);
  return values.set('env', objectValue(new Map(all)));
}

function plant(root: Tree, name: string, value: string): void {
  const parts = name.split('.');
  const last = parts.pop()!;
  if (last === '' || parts.includes('')) return;
  let at = root;
  for (const part of parts) {
    const next = at.get(part);
    const branch: Tree = next instanceof Map ? next : new Map();
    at.set(part, branch);
    at = branch;
  }
  if (!(at.get(last) instanceof Map)) at.set(last, value);
}

function asValue(branch: Tree | string): Value {
  if (typeof branch === 'string') return stringValue(branch);
  return objectValue(new Map([...branch].map(([name, inner]) => [name, asValue(inner)])));
}
