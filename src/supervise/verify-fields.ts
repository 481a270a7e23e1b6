import type { Identity } from './contract.ts';
import { identityFields, tag } from './start-fields.ts';
import { concat, field, stringField, u32 } from './wire.ts';

/** What the verifier is told: whom to become, what to run, and the nonce its lines must carry. */
export interface VerifyInstructions {
  readonly nonce: string;
  readonly command: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly workDir?: string;
  readonly identity: Identity;
  /** Descriptors below 256 that stay open besides 0–2. */
  readonly keep?: readonly number[];
}

export function encodeVerify(instructions: VerifyInstructions): Uint8Array {
  const { nonce, command, env, workDir, identity, keep = [] } = instructions;
  return concat([
    stringField(96, nonce),
    ...command.map((word) => stringField(tag.argv, word)),
    ...Object.entries(env).map(([name, value]) => stringField(tag.env, `${name}=${value}`)),
    ...(workDir === undefined || workDir === '' ? [] : [stringField(tag.cwd, workDir)]),
    ...identityFields(identity),
    ...keep.map((fd) => field(97, u32(fd))),
  ]);
}

export interface Finding {
  readonly event: 'check' | 'ready' | 'failed';
  readonly name: string;
  readonly found: string;
}

/** The lines of a report that carry the nonce, in order; what does not, or is no JSON, is left out. */
export function readReport(report: string, nonce: string): Finding[] {
  const findings: Finding[] = [];
  for (const line of report.split('\n')) {
    try {
      const value = JSON.parse(line) as Record<string, unknown>;
      if (value['nonce'] !== nonce) continue;
      const event = value['event'] === 'ready' || value['event'] === 'failed' ? value['event'] : 'check';
      findings.push({
        event,
        name: String(value['name'] ?? value['stage'] ?? ''),
        found: String(value['found'] ?? value['message'] ?? ''),
      });
    } catch {
      // A torn line says nothing.
    }
  }
  return findings;
}
