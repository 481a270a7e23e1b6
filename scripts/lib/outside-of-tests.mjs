// A reporter of vitest: writes what went wrong outside of all tests, of which its JSON has nothing, to DROVER_TEST_ERRORS.
import { writeFileSync } from 'node:fs';

export default class {
  onTestRunEnd(_files, errors) {
    const rows = errors.map((error) => ({
      file: error.VITEST_TEST_PATH ?? null,
      test: error.VITEST_TEST_NAME ?? null,
      text: [error.stack ?? error.message, error.cause?.message].filter(Boolean).join('\ncaused by: '),
    }));
    writeFileSync(process.env.DROVER_TEST_ERRORS, JSON.stringify(rows));
  }
}
