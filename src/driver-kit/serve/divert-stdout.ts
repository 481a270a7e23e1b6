/** Stdout is whose handshake line, or whose page, stands on it: an author's words go to stderr. */

/**
 * What this process writes to stdout by whatever of Node's streams, `console.log` among it, goes to stderr; the function that it gives ends
 * that. File descriptor 1 itself stays as it is: a child that inherits it, or `fs.writeSync(1, …)`, still writes there.
 */
export function divertStdout(): () => void {
  const { stdout, stderr } = process;
  const { write } = stdout;
  stdout.write = ((...given: Parameters<typeof write>) => {
    stderr.write(...given);
    // whoever is told to wait would wait for a word of stdout
    return true;
  }) as typeof write;
  return () => {
    stdout.write = write;
  };
}
