import { DriverChoice } from './driver-choice.ts';
import { bool, duration, type Infer, int, list, map, noun, nullable, object, omitted, string, time } from './schema.ts';

export const TaskEvent = noun('TaskEvent', {
  Type: string(),
  Time: int(),
  DisplayMessage: string(),
  Details: nullable(map(string())),
  Message: string(),
  FailsTask: bool(),
  RestartReason: string(),
  SetupError: string(),
  DriverError: string(),
  DriverMessage: string(),
  ExitCode: int(),
  Signal: int(),
  KillReason: string(),
  KillTimeout: duration(),
  KillError: string(),
  StartDelay: int(),
  DownloadError: string(),
  ValidationError: string(),
  DiskLimit: int(),
  DiskSize: int(),
  FailedSibling: string(),
  VaultError: string(),
  TaskSignalReason: string(),
  TaskSignal: string(),
  GenericSource: string(),
});
export type TaskEvent = Infer<typeof TaskEvent>;

/** Times are null until they happened: Nomad's API says so too. */
export const TaskState = noun('TaskState', {
  State: string(),
  Failed: bool(),
  Restarts: int(),
  LastRestart: nullable(time()),
  StartedAt: nullable(time()),
  FinishedAt: nullable(time()),
  Events: nullable(list(object(TaskEvent))),
  Paused: string(),
  /** Of a task of driver "auto": what it got on its node. */
  DriverChoice: omitted(nullable(object(DriverChoice))),
});
export type TaskState = Infer<typeof TaskState>;
