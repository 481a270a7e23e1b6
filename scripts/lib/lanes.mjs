// Lanes side by side: each speaks into a file of its own, which is shown when it has ended; the only one speaks at once.
import { spawn } from 'node:child_process';
import { appendFileSync, closeSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-files.mjs';

/** Commands of lanes that run now. */
const running = new Set();

/**
 * Runs the lanes in their order, and then, alone, what asks for it.
 * @param {{ name: string, minutes: number }[]} lanes the longest first: one that begins last leaves processors idle
 * @param {number} atOnce
 * @param {string} scratch where the files are kept
 * @param {(lane: object) => Promise<{ counts: object, again?: () => Promise<object> }>} run
 * @returns {Promise<{ lane: object, counts: object, seconds: number }[]>} in the order of `lanes`
 */
export async function sideBySide(lanes, atOnce, scratch, run) {
  const results = lanes.map((lane) => ({
    lane: { ...lane, log: lanes.length === 1 ? null : join(scratch, `${lane.name}.log`) },
    seconds: 0,
  }));
  const interrupted = () => {
    for (const child of running) endGroup(child);
    for (const { lane } of results) show(lane);
    process.exit(1);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, interrupted);
  const waiting = [...results];
  const work = async () => {
    for (let result = waiting.shift(); result !== undefined; result = waiting.shift()) {
      const { lane } = result;
      process.stderr.write(`${lane.name} begins\n`);
      await timed(result, async () => Object.assign(result, await run(lane)));
      process.stderr.write(`\n── ${lane.name}: ${result.seconds} s ──\n`);
      show(lane);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  for (const result of results) {
    if (result.again === undefined) continue;
    process.stderr.write(`\n── ${result.lane.name}: once more, alone ──\n`);
    await timed(result, async () => Object.assign(result, { counts: await result.again() }));
  }
  return results;
}

async function timed(result, work) {
  const started = Date.now();
  await work();
  result.seconds += Math.round((Date.now() - started) / 1000);
}

/** What it said until now; from now on it speaks at once. */
function show(lane) {
  if (lane.log === null) return;
  try {
    process.stderr.write(readFileSync(lane.log));
  } catch {
    // it has said nothing
  }
  lane.log = null;
}

export function say(lane, text) {
  if (lane.log === null) process.stderr.write(`${text}\n`);
  else appendFileSync(lane.log, `${text}\n`);
}

/** Runs a command; ends its whole process group at the lane's limit. @returns the exit code, or null after the limit */
export function limited(command, args, lane, options = {}) {
  return new Promise((resolve) => {
    const output = lane.log === null ? 2 : openSync(lane.log, 'a');
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', output, output], detached: true, ...options });
    if (output !== 2) closeSync(output);
    running.add(child);
    const ended = (code) => {
      clearTimeout(timer);
      running.delete(child);
      resolve(code);
    };
    const timer = setTimeout(() => {
      say(lane, `${lane.name}: FAILED, not finished within its limit of ${lane.minutes} minutes`);
      endGroup(child);
      ended(null);
    }, lane.minutes * 60_000);
    child.on('error', (error) => {
      say(lane, String(error));
      ended(1);
    });
    child.on('exit', (code) => ended(code ?? 1));
  });
}

function endGroup(child) {
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // it ended meanwhile
  }
}
