/** Every command by its words. Loading is lazy: a command's module is read when the command is asked for. */
import type { Command } from './command.ts';

export interface Entry {
  /** One sentence for lists of commands. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
  /** Shown in lists: short forms and older names are not. */
  readonly listed?: boolean;
}

const entry = (summary: string, load: Entry['load']): Entry => ({ summary, load, listed: true });

export const commands: { readonly [words: string]: Entry } = {
  agent: entry('Run an agent: a server, a client, or both', () => import('./agent.ts')),
  'alloc logs': entry('Print or follow the output of a task', () => import('./alloc-logs.ts')),
  'alloc status': entry('Show an allocation', () => import('./alloc-status.ts')),
  'config validate': entry('Check agent configuration files', () => import('./config-validate.ts')),
  'job run': entry('Submit a job and follow it', () => import('./job-run.ts')),
  'job status': entry('List jobs, or show one', () => import('./job-status.ts')),
  'job stop': entry('Stop jobs', () => import('./job-stop.ts')),
  'node status': entry('List nodes, or show one', () => import('./node-status.ts')),
  version: entry('Print the version', () => import('./version.ts')),
};

/** Short forms and older names → the command they stand for. */
export const aliases: { readonly [words: string]: string } = {
  logs: 'alloc logs',
  run: 'job run',
  stop: 'job stop',
  'alloc-status': 'alloc status',
  'node-status': 'node status',
};
