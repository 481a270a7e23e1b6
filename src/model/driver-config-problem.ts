/** What is wrong with a task's `config`, by what the nodes' drivers say they take. */
export interface DriverConfigProblem {
  readonly TaskGroup: string;
  readonly Task: string;
  readonly Driver: string;
  /** Names of blocks and attributes on the way to it; empty: the block as a whole. */
  readonly Path: readonly string[];
  readonly Summary: string;
  readonly Detail: string;
  /** False: some node that could run the task takes it as it is. */
  readonly Certain: boolean;
}
