/** The verifier itself, used as a probe: no_new_privs, empty capability sets and the filter, taken by a child that then shows their effect. */
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { messageOf } from '../../lib/fault.ts';
import { spawn } from '../../lib/node/spawn.ts';
import { type ChildOptions, type ProbeResult, probe } from './probe.ts';

/** Bytes for the verifier, made by who knows its protocol. */
export interface VerifierProbe {
  readonly program: string;
  /** Instructions that run `command` with no_new_privs, no capabilities and the filter. */
  instructions(command: readonly string[]): Uint8Array;
}

/** `no_new_privs`, `capabilities`, `seccomp`: each read back, and the filter tried: unshare must answer EPERM. */
export async function verifierProbes(
  verifier: VerifierProbe | null,
  as: ChildOptions,
): Promise<readonly ProbeResult[]> {
  const names = ['no_new_privs', 'capabilities', 'seccomp'] as const;
  if (verifier === null) {
    return Promise.all(
      names.map((name) => probe(name, async () => ({ ok: false, evidence: 'the verifier is not built' }))),
    );
  }
  const ran = runVerifier(
    verifier,
    ['/bin/sh', '-c', 'unshare --user true 2>/dev/null && echo through || echo refused'],
    as,
  );
  const found = async (name: string): Promise<string> => {
    const line = (await ran).lines.find((each) => each.includes(`"name":"${name}"`)) ?? '';
    return /"found":"([^"]*)"/.exec(line)?.[1] ?? '';
  };
  const failure = async (): Promise<string> => {
    const { lines, refused } = await ran;
    return refused || (lines.find((each) => each.includes('"event":"failed"')) ?? '');
  };
  return Promise.all([
    probe('no_new_privs', async () => ({
      ok: (await found('no_new_privs')) === '1',
      evidence: (await found('no_new_privs')) || (await failure()),
    })),
    probe('capabilities', async () => {
      const sets = await found('capabilities');
      // effective, permitted, inheritable, bounding, ambient; without root the bounding set stays, and is empty of effect with no_new_privs
      return { ok: /^(0{16} ){3}[0-9a-f]{16} 0{16}$/.test(sets), evidence: sets || (await failure()) };
    }),
    probe('seccomp', async () => {
      const { output } = await ran;
      return {
        ok: (await found('seccomp')) === '2' && output.trim() === 'refused',
        evidence: `mode ${await found('seccomp')}, unshare ${output.trim() || (await failure())}`,
      };
    }),
  ]);
}

interface VerifierRun {
  readonly lines: readonly string[];
  readonly output: string;
  /** Why it could not even be run. */
  readonly refused: string;
}

function runVerifier(verifier: VerifierProbe, command: readonly string[], as: ChildOptions): Promise<VerifierRun> {
  return new Promise<VerifierRun>((resolve) => {
    // by descriptor: its directory may be closed to the uid that it runs under
    const program = openSync(verifier.program, 'r');
    let child: ChildProcess;
    try {
      child = spawn('/proc/self/fd/4', ['3'], {
        cwd: '/',
        env: {},
        stdio: ['ignore', 'pipe', 'ignore', 'pipe', program],
        timeout: 5000,
        killSignal: 'SIGKILL',
        ...(as.uid === undefined ? {} : { uid: as.uid }),
        ...(as.gid === undefined ? {} : { gid: as.gid }),
      });
    } finally {
      closeSync(program);
    }
    let report = '';
    let output = '';
    const control = child.stdio[3] as Duplex;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    control.setEncoding('utf8').on('data', (text: string) => {
      report += text;
      if (text.includes('"event":"ready"')) control.write(Uint8Array.of(0, 0, 0, 1, 2));
    });
    control.on('error', () => {});
    child.on('error', (error) => resolve({ lines: [], output, refused: error.message }));
    child.on('close', () => resolve({ lines: report.split('\n'), output, refused: '' }));
    const instructions = verifier.instructions(command);
    const head = new DataView(new ArrayBuffer(5));
    head.setUint32(0, instructions.length + 1);
    head.setUint8(4, 1);
    control.write(new Uint8Array(head.buffer));
    control.write(instructions);
    // root may lack the right to give a process other ids: that is thrown at once
  }).catch((error: unknown) => ({ lines: [], output: '', refused: messageOf(error) }));
}
