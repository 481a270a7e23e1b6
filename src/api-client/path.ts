/** Query parameters: undefined ones are left out, arrays repeat the name, `true` is written as `true`. */
export interface Query {
  readonly [name: string]: string | number | boolean | readonly string[] | undefined;
}

/** `` path`/v1/job/${'a/b'}/plan` `` → `"/v1/job/a%2Fb/plan"`. */
export function path(literals: TemplateStringsArray, ...segments: readonly string[]): string {
  return literals.reduce((text, literal, index) => text + encodeURIComponent(segments[index - 1] ?? '') + literal);
}

/** `('/v1/jobs', { prefix: 'a b' })` → `"/v1/jobs?prefix=a%20b"`. */
export function withQuery(target: string, query: Query): string {
  const pairs: string[] = [];
  for (const [name, value] of Object.entries(query)) {
    if (value === undefined) continue;
    const values = typeof value === 'object' ? value : [String(value)];
    for (const item of values) pairs.push(`${encodeURIComponent(name)}=${encodeURIComponent(item)}`);
  }
  if (pairs.length === 0) return target;
  return `${target}${target.includes('?') ? '&' : '?'}${pairs.join('&')}`;
}
