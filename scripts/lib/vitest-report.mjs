// What a run of vitest says: which tests passed, failed or were skipped, and what broke without a test having failed.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './source-files.mjs';

/**
 * What makes vitest write a report.
 * @param {string} path where, without its extension
 */
export function reporting(path) {
  const reporters = ['default', 'json', join(root, 'scripts/lib/outside-of-tests.mjs')];
  const args = [...reporters.map((each) => `--reporter=${each}`), `--outputFile.json=${path}.json`];
  return { args, env: { DROVER_TEST_ERRORS: `${path}-errors.json` } };
}

/**
 * @param {string} path as given to `reporting`
 * @returns `null`: it did not come to its end. `failed`: what may be tried again, in `files`. `broken`: a process that died, an error that
 *   nobody awaited: which test is to blame is not sure, so none is tried again.
 */
export function readReport(path) {
  const results = readJson(`${path}.json`)?.testResults ?? [];
  if (results.length === 0) return null;
  const tests = results.flatMap((file) => (file.assertionResults ?? []).map((test) => ({ ...test, file: file.name })));
  const files = results.filter((file) => file.status === 'failed').map((file) => file.name);
  const of = (...statuses) => tests.filter(({ status }) => statuses.includes(status));
  const errors = (readJson(`${path}-errors.json`) ?? []).filter(({ file }) => !files.includes(file));
  return {
    files,
    passed: of('passed').length,
    skipped: of('skipped', 'todo', 'disabled').map(({ fullName }) => fullName),
    failed: [...of('failed'), ...results.filter(isUnrun)].map(failure),
    broken: [...cutOff(of('pending')), ...errors.map(outside)],
  };
}

function readJson(path) {
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : null;
}

/** A file that could not be read, or whose preparations failed: none of its tests has. */
const isUnrun = (file) =>
  file.status === 'failed' && !(file.assertionResults ?? []).some((test) => test.status === 'failed');

/** Tests of which no end was told, file by file: the first is the one that ran when its process died, or a moment before it. */
function cutOff(pending) {
  const files = [...new Set(pending.map(({ file }) => file))];
  return files.map((of) => {
    const [first, ...others] = pending.filter(({ file }) => file === of);
    const why = `    its end was not told, nor of ${others.length} after it: the process of ${of} ended`;
    return { name: first.fullName, why };
  });
}

function outside({ file, test, text }) {
  const where = [file, test].filter(Boolean).join(': ');
  return { name: `an error outside of tests${where === '' ? '' : `, the last was ${where}`}`, why: short(text) };
}

/** The test's name, or that of a file that could not be run, and its message, short. */
function failure({ fullName, failureMessages, name, message }) {
  const text = (failureMessages ?? [message ?? '']).join('\n');
  return { name: fullName ?? `${name} could not be run`, why: short(text) };
}

const short = (text) =>
  text
    .split('\n')
    .slice(0, 12)
    .map((line) => `    ${line.slice(0, 300)}`)
    .join('\n');
