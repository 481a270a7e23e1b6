/** Where the program around a module is, here and in a sandbox, which sees of it what is mounted for it. */
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TaskMount } from '../../driver/contract.ts';
import type { SystemPath } from '../../isolation/launch/system-paths.ts';

export interface HostFiles {
  /** Node, and the program's script, as the task sees them. */
  readonly node: string;
  readonly script: string;
  readonly mounts: readonly TaskMount[];
}

const place = 'drivers/wasm/host';

/** The package's own directory: `dist` lies in it. */
function packageRoot(): string {
  return fileURLToPath(new URL('../../../', import.meta.url));
}

/** As the host has them: no sandbox is around the task. */
export function filesOnHost(): HostFiles {
  return { node: process.execPath, script: join(packageRoot(), 'dist', place, 'main.js'), mounts: [] };
}

/** In a sandbox the script keeps the end of its path: an executable with Node inside knows its own scripts by it. */
export function filesInSandbox(system: readonly SystemPath[]): HostFiles {
  const root = packageRoot();
  const inside = join('/run', basename(root));
  const node = realpathSync(process.execPath);
  const visible = system.some(({ from, to }) => from === to && node.startsWith(`${from}/`));
  const shown = (taskPath: string, hostPath: string): TaskMount => ({
    taskPath,
    hostPath,
    readOnly: true,
    propagation: '',
  });
  return {
    node: visible ? node : '/run/drover-node',
    script: join(inside, 'dist', place, 'main.js'),
    mounts: [
      ...(visible ? [] : [shown('/run/drover-node', node)]),
      shown(join(inside, 'dist', place), join(root, 'dist', place)),
      // it says that scripts are modules
      shown(join(inside, 'package.json'), join(root, 'package.json')),
    ],
  };
}

export function hostFilesAreThere(): boolean {
  return existsSync(join(packageRoot(), 'dist', place, 'main.js'));
}
