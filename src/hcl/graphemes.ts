let segmenter: Intl.Segmenter | undefined;

/** True when no grapheme cluster of the text can hold more than one UTF-16 unit. */
function isSimple(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x2ff || code === 0xad || code === 13) return false;
  }
  return true;
}

/** The grapheme clusters of a text (UAX #29). */
export function splitGraphemes(text: string): string[] {
  if (isSimple(text)) return text.split('');
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  const parts: string[] = [];
  for (const { segment } of segmenter.segment(text)) parts.push(segment);
  return parts;
}

/** How many grapheme clusters a text has. */
export function countGraphemes(text: string): number {
  if (isSimple(text)) return text.length;
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  let count = 0;
  for (const _ of segmenter.segment(text)) count++;
  return count;
}

/** The first `count` grapheme clusters of a text, or all of them. */
export const firstGraphemes = (text: string, count: number): string =>
  isSimple(text) ? text.slice(0, count) : splitGraphemes(text).slice(0, count).join('');
