#!/usr/bin/env node
// A task driver in one file: it runs the text of `script` with an interpreter. Put it (or a link to it) into plugin_dir and write
//
//   plugin "script" {
//     config { interpreters = ["/bin/sh", "/usr/bin/python3"] }
//   }
import { access } from 'node:fs/promises';
import { defineDriver, Fault, option, serve } from 'drover/driver';

const driver = defineDriver({
  name: 'script',
  version: '1.0.0',
  options: {
    interpreters: option.list(option.string(), { default: ['/bin/sh'], doc: 'What jobs may ask for.' }),
  },
  config: {
    script: option.string({ required: true, doc: 'The text of the script.' }),
    interpreter: option.string({ default: '/bin/sh', doc: 'The program that reads it.' }),
    args: option.list(option.string(), { doc: 'Arguments of the script.' }),
  },
  async fingerprint({ interpreters }) {
    for (const each of interpreters) await access(each);
    return { attributes: { 'driver.script.interpreters': interpreters.join(',') } };
  },
  // before each start, and for `drover explain`, which starts nothing
  check({ config }, { interpreters }) {
    if (!interpreters.includes(config.interpreter))
      throw new Fault('denied', `the interpreter ${config.interpreter} is not allowed on this node`);
  },
  start: ({ config }) => ({ command: config.interpreter, args: ['-c', config.script, 'script', ...config.args] }),
});

// the first argument, if there is one: where tasks are recorded
await serve(driver, { stateDirectory: process.argv[2] ?? '' });
