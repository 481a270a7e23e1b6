import type { Method, Route } from './route.ts';

interface Pattern {
  readonly path: string;
  readonly expression: RegExp;
  readonly names: readonly string[];
  readonly literalLength: number;
  readonly byMethod: Map<string, Route>;
}

export type Match =
  | { readonly kind: 'route'; readonly route: Route; readonly params: { readonly [name: string]: string } }
  | { readonly kind: 'method'; readonly allowed: readonly string[] }
  | { readonly kind: 'nothing' };

/** Finds routes by the percent-decoded path: `/v1/job/a/b/plan` is the plan of the job `a/b`. */
export class Router {
  readonly #patterns: readonly Pattern[];

  /** Throws where two routes have the same method and path: a mistake of the program. */
  constructor(routes: readonly Route[]) {
    const patterns = new Map<string, Pattern>();
    for (const route of routes) {
      const pattern = patterns.get(route.path) ?? compile(route.path);
      patterns.set(route.path, pattern);
      for (const method of route.methods) {
        if (pattern.byMethod.has(method)) throw new Error(`two routes for ${method} ${route.path}`);
        pattern.byMethod.set(method, route);
      }
    }
    this.#patterns = [...patterns.values()].sort((left, right) => right.literalLength - left.literalLength);
  }

  find(method: string, path: string): Match {
    for (const pattern of this.#patterns) {
      const match = pattern.expression.exec(path);
      if (match === null) continue;
      const route = pattern.byMethod.get(method as Method);
      if (route === undefined) return { kind: 'method', allowed: [...pattern.byMethod.keys()] };
      const params = Object.fromEntries(pattern.names.map((name, index) => [name, match[index + 1]!]));
      return { kind: 'route', route, params };
    }
    return { kind: 'nothing' };
  }
}

/** Ids of jobs and paths of variables may hold slashes. */
const wide = new Set(['id', 'path']);

function compile(path: string): Pattern {
  const names: string[] = [];
  const source = path.replace(/\{(\w+)\}|[.*+?^$()|[\]\\]/g, (all, name: string | undefined) => {
    if (name === undefined) return `\\${all}`;
    names.push(name);
    return wide.has(name) ? '(.*)' : '([^/]*)';
  });
  const literalLength = path.replace(/\{\w+\}/g, '').length;
  return { path, expression: new RegExp(`^${source}$`, 's'), names, literalLength, byMethod: new Map() };
}
