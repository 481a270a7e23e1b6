/** The program that tries what a line of the ladder forbids, run where nothing protects: what it says of a try that did not come to its end. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { locateNative } from '../supervise/locate.ts';
import { runChild } from './mechanisms/probe.ts';

const root = process.getuid?.() === 0;
const verifier = locateNative('drover-verify');

const childrenOf = (pid: number): string => readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();

// it tries things as root: in mounts and with a host name of its own
it.skipIf(!root || verifier === null)(
  'says of a try that was ended from outside, or by its own time, that it was cut off: not that it was stopped',
  async () => {
    const directory = mkdtempSync(join(tmpdir(), 'drover-tries-'));
    // a host so busy that a file does not open: whoever opens it waits for a writer
    const slow = join(directory, 'slow');
    await runChild(['mkfifo', slow]);
    const words = ['nonce=n', `scratch=${directory}`, `neighbour_file=${slow}`, `closed_file=${slow}`];
    const args = ['--mount', '--uts', '--propagation', 'private', '--', verifier!, 'try', ...words];
    const child = spawn('unshare', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    try {
      let said = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        said += text;
      });
      const ended = new Promise((resolve) => child.on('close', resolve));
      await expect.poll(() => said, { timeout: 60_000 }).toContain('by leaving a root within the root');
      await expect.poll(() => childrenOf(child.pid!)).not.toBe('');
      // what comes next waits; as the kernel does that has no memory left
      process.kill(Number(childrenOf(child.pid!)), 'SIGKILL');
      await ended;
      const rows = said.split('\n');
      expect(rows).toContain('n unique_uid cut_off KILL a file of another allocation');
      expect(rows).toContain('n not_root cut_off ALRM a closed file of root');
      expect(rows).toContain('n end - - -');
      // control: what had nothing to wait for came to its end
      expect(rows).toContain('n empty_capabilities through - CAP_SETUID');
    } finally {
      child.kill('SIGKILL');
      rmSync(directory, { recursive: true, force: true });
    }
  },
);
