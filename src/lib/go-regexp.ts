/** A regular expression written for Go, as one of this engine: leading flags, named groups and the anchors `\A` `\z`. */
export function parseGoRegexp(text: string): RegExp | undefined {
  const flags = /^\(\?([ims]+)\)/.exec(text);
  const body = text
    .slice(flags?.[0].length ?? 0)
    .replaceAll('(?P<', '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$');
  try {
    return new RegExp(body, flags?.[1] ?? '');
  } catch {
    return undefined;
  }
}
