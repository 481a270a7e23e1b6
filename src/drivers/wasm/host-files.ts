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

/** What the build makes of `host/`. */
const place = 'dist/drivers/wasm/host.cjs';

/** The package's own directory: `dist` lies in it. */
function packageRoot(): string {
  return fileURLToPath(new URL('../../../', import.meta.url));
}

/** As the host has them: no sandbox is around the task. */
export function filesOnHost(): HostFiles {
  return { node: process.execPath, script: join(packageRoot(), place), mounts: [] };
}

/** In a sandbox the script keeps the end of its path: an executable with Node inside knows its own scripts by it. */
export function filesInSandbox(system: readonly SystemPath[]): HostFiles {
  const root = packageRoot();
  const script = join('/run', basename(root), place);
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
    script,
    mounts: [...(visible ? [] : [shown('/run/drover-node', node)]), shown(script, join(root, place))],
  };
}

export function hostFilesAreThere(): boolean {
  return existsSync(join(packageRoot(), place));
}
