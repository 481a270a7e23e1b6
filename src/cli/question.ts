import { CommandError } from './command.ts';

/** Asks on the terminal. Without a person there the command ends: a script has to say beforehand what it wants. */
export async function askPerson(question: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CommandError(`Nobody there to answer: ${question.trim()}`);
  const { createInterface } = await import('node:readline/promises');
  const reader = createInterface({ input: process.stdin, output: process.stdout });
  try {
    return (await reader.question(question)).trim().toLowerCase();
  } finally {
    reader.close();
  }
}
