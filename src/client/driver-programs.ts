import type { DriverInfo } from '../model/driver-info.ts';

/** The programs behind a node's external drivers, as the API tells of them. Declared here, by who asks; the agent has them. */
export interface DriverProgram {
  /** In plugin_dir, without `.exe`; empty: part of this program. */
  readonly File: string;
  /** As in `driver = "…"`; empty: it was never up. */
  readonly Driver: string;
  readonly Version: string;
  /** Program and arguments. */
  readonly Command: string;
  /** `sha256:…` of the program that runs. */
  readonly Checksum: string;
  readonly Pid: number;
  /** Empty: it is up. */
  readonly Problem: string;
  /** Those it was given or took over; of a driver of this program, those that run. */
  readonly Tasks: number;
}

/** A program, and what its driver last said of itself; nothing yet: not detected. */
export interface ListedDriver extends DriverProgram, Pick<DriverInfo, 'Detected' | 'Healthy' | 'HealthDescription'> {}

export interface DriverReload {
  readonly File: string;
  readonly Outcome: 'unchanged' | 'replaced' | 'started' | 'failed' | 'kept';
  readonly Reason: string;
}

export interface DriverPrograms {
  list(): readonly DriverProgram[];
  /** Takes up new files of plugin_dir, and what changed in files and `plugin` blocks; running tasks go on. */
  reload(): Promise<readonly DriverReload[]>;
}
