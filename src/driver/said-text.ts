/** What a plugin says for people to read: it is stored with tasks and shown, so its length is ours to choose. Pure. */

export const longestText = 4_000;
const mostEntries = 256;

export function shortened(text: string): string {
  return text.length <= longestText ? text : `${text.slice(0, longestText)}… (${text.length} characters)`;
}

/** Names and texts, as many and as long as anybody reads. */
export function shortenedAll(texts: Readonly<Record<string, string>>): Record<string, string> {
  const kept = Object.entries(texts).slice(0, mostEntries);
  return Object.fromEntries(kept.map(([name, text]) => [name.slice(0, 256), shortened(text)]));
}
