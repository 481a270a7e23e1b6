/** Columns a text takes on a terminal: colour codes take none, wide characters two. */
export function displayWidth(text: string): number {
  const plain = text.replace(/\u001b\[[0-9;]*m/g, '');
  let width = 0;
  for (const char of plain)
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Extended_Pictographic}/u.test(
        char,
      )
        ? 2
        : 1;
  return width;
}
