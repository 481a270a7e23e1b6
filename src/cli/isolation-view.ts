/** How isolation is shown: of a task by its report, of a node by its attributes. */
import type { IsolationReport } from '../api-client/index.ts';
import { sortedEntries } from '../lib/order.ts';
import { allLines, type IsolationRung, linesOf } from '../model/isolation-ladder.ts';
import { isolationLosses } from '../model/isolation-losses.ts';
import type { Node } from '../model/node.ts';
import { formatPairs, formatTable } from './table.ts';
import type { Terminal } from './terminal.ts';

/** Empty where nothing was wanted and nothing is given. */
export function taskIsolation(terminal: Terminal, report: IsolationReport, verbose: boolean): string {
  if (report.wanted === 'none' && report.rung === 'none') return '';
  const losses = isolationLosses(report.wanted, report.mechanisms);
  const verified = report.mechanisms.filter(({ state }) => state === 'verified').length;
  const colour = losses.length === 0 ? 'green' : 'yellow';
  const pairs: [string, string][] = [
    ['Rung', `${terminal.paint(colour, report.rung)} by ${report.runtime}`],
    ['Wanted', report.wanted],
    ['Floor', [report.floor, ...(report.required ?? [])].join(', ')],
    ['Verified', `${verified} of ${report.mechanisms.length} lines`],
    ...losses
      .slice(0, verbose ? losses.length : 3)
      .map(({ name, evidence, fix }): [string, string] => ['Missing', `${name} — ${evidence}; fix: ${fix}`]),
  ];
  const parts = [`Task Isolation:\n${formatPairs(pairs)}`];
  if (verbose) {
    const rows = report.mechanisms.map(({ name, state, evidence }) => [name, state, evidence]);
    parts.push(formatTable([['Line', 'State', 'Evidence'], ...rows]));
  }
  return parts.join('\n');
}

/** What each driver can give on a node, and which mechanisms were found there. */
export function nodeIsolation(terminal: Terminal, node: Node): string {
  const attributes = node.Attributes ?? {};
  const drivers = Object.keys(node.Drivers ?? {})
    .filter((name) => attributes[`driver.${name}.isolation`] !== undefined)
    .sort()
    .map((name) => [
      name,
      attributes[`driver.${name}.isolation`] ?? '',
      attributes[`driver.${name}.isolation.host_network`] ?? '',
      lackText(attributes[`driver.${name}.isolation.lacks`] ?? ''),
    ]);
  const mechanisms = sortedEntries(attributes)
    .filter(([name]) => name.startsWith('isolation.'))
    .map(([name, value]): [string, string] => [
      name.slice('isolation.'.length),
      terminal.paint(value === 'verified' ? 'green' : 'yellow', value),
    ]);
  const table = formatTable([['Driver', 'Own Network', 'Host Network', 'Lacks'], ...drivers]);
  return `${table}\n\nMechanisms:\n${formatPairs(mechanisms)}`;
}

const beyond: readonly IsolationRung[] = ['shielded', 'vm'];

/** Without the lines of rungs that need a driver of another kind. */
function lackText(lacks: string): string {
  const far = new Set(beyond.flatMap((rung) => linesOf[rung]));
  const named = lacks.split(',').filter((line) => line !== '' && !far.has(line));
  const near = allLines.filter((line) => !far.has(line));
  return named.length === near.length ? 'all lines' : named.join(', ');
}
