/** What the process around a module is told, as the JSON of its only argument. Paths are as that process sees them. */
export interface HostPlan {
  readonly module: string;
  /** The module's own name first. */
  readonly args: readonly string[];
  readonly dirs: readonly HostDirectory[];
  /** 0: no limit. */
  readonly timeoutMs: number;
  /** The most that the module's own memory may become, in pages of 64 KiB; 0: as much as there is. */
  readonly memoryPages: number;
  /** A file that takes one line about an end that the exit code alone does not explain. */
  readonly endFile: string;
}

export interface HostDirectory {
  readonly guest: string;
  readonly path: string;
  readonly readOnly: boolean;
}

/** `message` null: the code says it all. */
export interface ModuleEnd {
  readonly code: number;
  readonly message: string | null;
}

/** As other runtimes and shells have it: a trap is an abort (128 + 6); a command that cannot be run 126, or is not there 127; SIGINT is 2. */
export const exitCodes = { timeout: 124, notRunnable: 126, notFound: 127, interrupted: 130, trap: 134 } as const;
