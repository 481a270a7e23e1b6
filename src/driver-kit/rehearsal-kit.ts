/** For tests of drivers: what a rehearsal says, beside what the start of the same task then does. */
import type { EngineDriver, StartedTask, TaskConfig } from '../driver/contract.ts';
import { messageOf } from '../lib/fault.ts';

const never = new AbortController().signal;

/** As a rehearsal has it: nothing of its directories is there. */
function away(task: TaskConfig): TaskConfig {
  const elsewhere = Object.entries(task.directories).map(([name, path]) => [name, path.replace(root(task), absent)]);
  const directories = Object.fromEntries(elsewhere) as unknown as TaskConfig['directories'];
  const config = Object.entries(task.config as Readonly<Record<string, unknown>>).map(
    ([name, value]) => [name, typeof value === 'string' ? value.replaceAll(root(task), absent) : value] as const,
  );
  const id = `${task.allocId}/${task.name}/00000000`;
  return { ...task, id, directories, config: Object.fromEntries(config), rehearsal: { filesCome: false } };
}

const root = ({ directories }: TaskConfig): string => directories.allocation;
const absent = '/nonexistent/allocation';

async function foretold(engine: EngineDriver, task: TaskConfig): Promise<string | null> {
  const [first = null] = (await engine.rehearse?.(away(task), never)) ?? [];
  return first?.replaceAll(absent, root(task)) ?? null;
}

/** The start. Throws where it was foretold to be refused, and is not. */
export async function startForetold(engine: EngineDriver, task: TaskConfig): Promise<StartedTask> {
  const refusal = await foretold(engine, task);
  const started = await engine.start(task, never);
  if (refusal !== null) throw new Error(`foretold to be refused: ${refusal}`);
  return started;
}

/**
 * How a start is refused; `"it was started"`, and the task is gone again. Throws where a rehearsal said something else before; `told` false:
 * it is the engine's own refusal, or about a file that may still come, of which a rehearsal says nothing.
 */
export async function startRefusal(engine: EngineDriver, task: TaskConfig, told = true): Promise<string> {
  const before = await foretold(engine, task);
  const got = await engine.start(task, never).then(
    () => null,
    (error: unknown) => messageOf(error),
  );
  if (got === null) await engine.destroy(task.id, { force: true }, never);
  const expected = told ? got : null;
  if (before !== expected) throw new Error(`foretold: ${before}; at the start: ${got}`);
  return got ?? 'it was started';
}
