/** What every runtime is told alike: it starts the verifier, and the verifier becomes the task. */
import type { ResourceLimit } from '../rlimits.ts';
import type { InsideSteps, LaunchIdentity, LaunchRequest } from './launch.ts';

/** Where the verifier is inside: a read-only bind that only it needs. */
export const verifierInside = '/run/drover-verify';

/** What /run may hold: in memory, which without a cgroup nothing else would bound. */
export const runBytes = 64 * 1024 * 1024;

export interface TaskPrivileges {
  readonly capabilities: bigint;
  /** Null: no filter. */
  readonly seccomp: Uint8Array | null;
  readonly rlimits: readonly ResourceLimit[];
}

/** `identity` is that of sessions which enter later (the runtime itself starts without it), `inside` that of the task. */
export function handedToTask(
  request: LaunchRequest,
  { capabilities, seccomp, rlimits }: TaskPrivileges,
): { readonly identity: LaunchIdentity; readonly inside: InsideSteps } {
  return {
    identity: {
      ...(request.user === null ? {} : request.user),
      oomScoreAdj: request.oomScoreAdj,
      rlimits,
      noNewPrivs: true,
      capabilities,
      ...(seccomp === null ? {} : { seccomp }),
    },
    inside: {
      command: request.command,
      env: request.env,
      workDir: request.workDir || '/',
      noNewPrivs: true,
      capabilities,
      seccomp,
      rlimits,
    },
  };
}
