/** A job's differences as `job plan` and `job history -p` show them: markers in front, names lined up, unchanged context without a marker. */
import { sortedEntries } from '../lib/order.ts';
import type { DiffType, FieldDiff, JobDiff, ObjectDiff, TaskDiff, TaskGroupDiff } from '../model/job-diff.ts';
import type { Terminal } from './terminal.ts';

const markers: Readonly<Record<DiffType, string>> = { Added: '+', Deleted: '-', Edited: '+/-', None: '' };
const colors = { Added: 'green', Deleted: 'red', Edited: 'yellow', None: 'dim' } as const;

export function jobDiffView(terminal: Terminal, diff: JobDiff, verbose: boolean): string {
  const view = new View(terminal);
  view.line(0, diff.Type, `Job: "${diff.ID}"`);
  if (diff.Type === 'Edited' || verbose) view.body(diff.Fields, diff.Objects, 0, diff.Type);
  for (const group of diff.TaskGroups ?? []) view.group(group, verbose);
  return view.text();
}

class View {
  readonly #terminal: Terminal;
  readonly #lines: string[] = [];

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  text(): string {
    return this.#lines.join('\n');
  }

  /** `indent`: columns before the marker; a line without one is indented as if it had the one of its context. */
  line(indent: number, type: DiffType, text: string, context: DiffType = type): void {
    const marker = markers[type];
    const width = markers[context].length;
    const painted =
      marker === '' ? ' '.repeat(width) : this.#terminal.paint(colors[type === 'None' ? 'Edited' : type], marker);
    this.#lines.push(`${' '.repeat(indent)}${width === 0 ? '' : `${painted} `}${text}`);
  }

  group(group: TaskGroupDiff, verbose: boolean): void {
    if (group.Type === 'None' && !verbose && (group.Updates === null || Object.keys(group.Updates).length === 0))
      return;
    this.line(0, group.Type, `Task Group: "${group.Name}"${updates(group)}`);
    if (group.Type === 'Edited' || verbose) this.body(group.Fields, group.Objects, 2, group.Type);
    for (const task of group.Tasks ?? []) this.task(task, group.Type, verbose);
  }

  task(task: TaskDiff, context: DiffType, verbose: boolean): void {
    this.line(
      2,
      task.Type,
      `Task: "${task.Name}"${annotations(task.Annotations)}`,
      task.Type === 'None' ? context : task.Type,
    );
    if (task.Type === 'None' && !verbose) return;
    if ((task.Type === 'Deleted' || task.Type === 'Added') && !verbose) return;
    this.body(task.Fields, task.Objects, 4, task.Type);
  }

  body(
    fields: readonly FieldDiff[] | null,
    objects: readonly ObjectDiff[] | null,
    indent: number,
    context: DiffType,
  ): void {
    const names = (fields ?? []).map((field) => field.Name.length);
    const width = Math.max(0, ...names);
    for (const field of fields ?? []) this.line(indent, field.Type, fieldText(field, width), context);
    for (const object of objects ?? []) this.object(object, indent, context);
  }

  object(object: ObjectDiff, indent: number, context: DiffType): void {
    this.line(indent, object.Type, `${object.Name} {`, object.Type === 'None' ? context : object.Type);
    const inner = object.Type === 'None' ? context : object.Type;
    const before = this.#lines.length;
    this.body(object.Fields, object.Objects, indent + 2, object.Type);
    if (this.#lines.length === before) this.#lines.push('');
    this.#lines.push(`${' '.repeat(indent + markers[inner].length + 1)}}`);
  }
}

function fieldText(field: FieldDiff, width: number): string {
  const name = `${field.Name}:`.padEnd(width + 1);
  const notes = annotations(field.Annotations);
  switch (field.Type) {
    case 'Added':
      return `${name} "${field.New}"${notes}`;
    case 'Deleted':
      return `${name} "${field.Old}"${notes}`;
    case 'Edited':
      return `${name} "${field.Old}" => "${field.New}"${notes}`;
    case 'None':
      return `${name} "${field.New}"${notes}`;
  }
}

function annotations(notes: readonly string[] | null): string {
  return notes === null || notes.length === 0 ? '' : ` (${notes.join(', ')})`;
}

function updates(group: TaskGroupDiff): string {
  const counts = sortedEntries(group.Updates);
  return counts.length === 0 ? '' : ` (${counts.map(([kind, count]) => `${count} ${kind}`).join(', ')})`;
}
