import type { FlagTable, FlagValues } from './flags.ts';
import type { Terminal } from './terminal.ts';

/** A leaf command. `run` gets what is left after its flags and resolves with the exit code. */
export interface Command {
  /** After `drover `, as the usage line shows it: `"job run [options] <path>"`. */
  readonly usage: string;
  /** Paragraphs of help, before the options. */
  readonly help: string;
  readonly flags: FlagTable;
  /** True: the common flags of commands that talk to an agent are taken too. */
  readonly client: boolean;
  /** What completion offers for the next argument. */
  readonly complete?: 'jobs' | 'allocations' | 'nodes' | 'evaluations' | 'files' | 'deployments' | 'drivers';
  run(call: Call): Promise<number>;
}

export interface Call {
  readonly args: readonly string[];
  readonly flags: FlagValues;
  readonly terminal: Terminal;
  readonly env: { readonly [name: string]: string | undefined };
  /** Fires at the first Ctrl-C; the second ends the program at once. */
  readonly interrupted: AbortSignal;
}

/** Ctrl-C while something was followed: the program ends by that signal, so that scripts around it end too. */
export class Interrupted extends Error {}

/** Ends a command with a message on stderr and an exit code; thrown from anywhere below `run`. */
export class CommandError extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}
