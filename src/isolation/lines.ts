/** What was found of the ladder's lines on one task. */
import type { IsolationReport, IsolationRung } from '../driver/contract.ts';
import { linesOf, rankOf, rungs, rungWith } from '../model/isolation-ladder.ts';

export { rankOf, rungs };

export type Mechanism = IsolationReport['mechanisms'][number];

/** The highest rung whose lines are all verified. */
export function rungOf(mechanisms: readonly Mechanism[]): IsolationRung {
  return rungWith(new Set(mechanisms.filter(({ state }) => state === 'verified').map(({ name }) => name)));
}

/** The first line that keeps a task below `rung`, or of those required besides, with why; null: all are there. */
export function missingLine(
  mechanisms: readonly Mechanism[],
  rung: IsolationRung,
  required: readonly string[] = [],
): string | null {
  const wanted = [...rungs.slice(0, rankOf(rung) + 1).flatMap((each) => linesOf[each]), ...required];
  for (const line of wanted) {
    const found = mechanisms.find(({ name }) => name === line);
    if (found?.state !== 'verified') return `${line} (${found === undefined ? 'not checked' : found.evidence})`;
  }
  return null;
}
