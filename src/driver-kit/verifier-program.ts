/** The native verifier as the isolation folder wants to know it: where it is, and how to tell it what to do. */

import type { VerifierProbe } from '../isolation/mechanisms/verifier.ts';
import { hostFilter } from '../isolation/seccomp/compile.ts';
import { locateNative } from '../supervise/locate.ts';
import { encodeVerify } from '../supervise/verify-fields.ts';

/** Null: not built, or not for this system. */
export function locateVerifier(): VerifierProbe | null {
  const program = locateNative('drover-verify');
  if (program === null) return null;
  const seccomp = hostFilter();
  return {
    program,
    instructions: (command) =>
      encodeVerify({
        nonce: 'probe',
        command,
        env: { PATH: '/usr/local/bin:/usr/bin:/bin' },
        identity: { noNewPrivs: true, capabilities: 0n, ...(seccomp === null ? {} : { seccomp }) },
      }),
  };
}
