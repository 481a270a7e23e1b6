/** What a driver of this node is told of a task: its configuration, with what the node adds to every task's. */
import type { TaskConfig } from '../driver/contract.ts';
import { Fault } from '../lib/fault.ts';
import type { Node } from '../model/node.ts';
import { taskDirectories } from './alloc-dir.ts';
import type { ClientDrivers } from './client-driver.ts';
import type { ClientConfig } from './config.ts';
import { buildTaskConfig, type TaskConfigInput, userRefusal } from './task-config.ts';

export interface TaskHost {
  readonly config: ClientConfig;
  readonly drivers: ClientDrivers;
  readonly hostEnv: Readonly<Record<string, string | undefined>>;
  readonly deniedEnv: ReadonlySet<string>;
  node(): Node;
}

type OfTask = Pick<TaskConfigInput, 'alloc' | 'job' | 'group' | 'task' | 'network' | 'generation' | 'floor'>;

/** As `buildTaskConfig`; `Fault('not_found')`: its driver is not here. */
export function taskConfigOn({ config, drivers, hostEnv, deniedEnv, node }: TaskHost, of: OfTask): TaskConfig {
  const driver = drivers.get(of.task.Driver);
  if (driver === undefined) throw new Fault('not_found', `driver "${of.task.Driver}" is not on this node`);
  return buildTaskConfig({
    ...of,
    node: node(),
    region: config.region,
    cgroupParent: config.cgroupParent || 'nomad.slice',
    directories: taskDirectories(config.allocDir, of.alloc.ID, of.task.Name),
    hostEnv,
    denied: deniedEnv,
    driver,
    refusesUser: userRefusal(config.options),
  });
}
