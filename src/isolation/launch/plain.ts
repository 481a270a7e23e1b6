/** No runtime: the shim forks the command itself. Rung `process` at best. */
import type { ResourceLimit } from '../rlimits.ts';
import type { AllowedPath, Launch, LaunchRequest } from './launch.ts';

export interface PlainOptions {
  readonly noNewPrivs: boolean;
  /** Undefined: left as they are. */
  readonly capabilities: bigint | undefined;
  readonly rlimits: readonly ResourceLimit[];
  readonly pidNamespace: boolean;
  /** Null: any file. */
  readonly paths: readonly AllowedPath[] | null;
}

export function plainLaunch(request: LaunchRequest, options: PlainOptions): Launch {
  return {
    launcher: { kind: 'direct' },
    command: request.command,
    // the host's /tmp is not among them
    env: options.paths === null ? request.env : { TMPDIR: request.directories.tmp, ...request.env },
    workDir: request.workDir,
    identity: {
      // the primary group needs no second mention, and not every supervisor can set others
      ...(request.user === null
        ? {}
        : { ...request.user, groups: request.user.groups.filter((each) => each !== request.user?.gid) }),
      oomScoreAdj: request.oomScoreAdj,
      rlimits: options.rlimits,
      ...(options.noNewPrivs ? { noNewPrivs: true } : {}),
      ...(options.paths === null ? {} : { paths: options.paths }),
      ...(options.capabilities === undefined ? {} : { capabilities: options.capabilities }),
    },
    inside: null,
    joinsCgroup: true,
    network: request.network !== null && request.network !== 'none' ? request.network.path : null,
    pidNamespace: options.pidNamespace,
    runtime: 'none',
  };
}
