/** Patterns such as `AWS_*`: `*` stands for any run of characters, `?` for one. */
export function matchesPattern(pattern: string, name: string): boolean {
  const source = pattern
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replaceAll('*', '.*')
    .replaceAll('?', '.');
  return new RegExp(`^${source}$`).test(name);
}

/** The names that a task does not get. */
export function withoutDenied(env: Readonly<Record<string, string>>, patterns: readonly string[]): readonly string[] {
  return Object.keys(env).filter((name) => patterns.some((pattern) => matchesPattern(pattern, name)));
}
