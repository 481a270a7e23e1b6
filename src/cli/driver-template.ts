/** What `drover driver init` writes: file → text. */
import { engineFiles } from './driver-engine-template.ts';

export interface DriverProject {
  /** As in `driver = "…"`. */
  readonly name: string;
  /** The version npm is asked for, e.g. `"^0.1.0"` or `"file:/opt/drover"`. */
  readonly sdk: string;
  readonly bundler: string;
  /** True: a driver of an engine; false: one that runs programs. */
  readonly engine: boolean;
}

export function driverProject(project: DriverProject): Readonly<Record<string, string>> {
  return {
    'package.json': packageFile(project),
    'driver.js': driverFile(project),
    'plugin.js': pluginFile,
    'driver.test.js': testFile,
    'driver.check.hcl': checkFile,
    'example.nomad.hcl': jobFile(project),
    'agent.hcl': agentFile(project),
    '.github/workflows/test.yml': ciFile,
    '.gitignore': 'node_modules/\ndist/\n',
    // a drover that lies on this machine is copied, not linked: the project then holds all that it needs
    '.npmrc': 'install-links=true\n',
    'README.md': readme(project),
    ...(project.engine ? engineFiles(project.name, checkTasks) : {}),
  };
}

function packageFile({ name, sdk, bundler }: DriverProject): string {
  const description = {
    name: `drover-driver-${name}`,
    version: '0.1.0',
    description: `The task driver ${name}`,
    private: true,
    type: 'module',
    bin: { [name]: 'plugin.js' },
    engines: { node: '>=20.19' },
    scripts: {
      test: 'node --test',
      check: 'drover driver check driver.js',
      dev: 'drover driver dev driver.js',
      docs: 'drover driver docs driver.js',
      build: 'drover driver build -o dist/ driver.js',
      prebuild: 'mkdir -p dist',
    },
    dependencies: { drover: sdk },
    devDependencies: { rolldown: bundler },
  };
  return `${JSON.stringify(description, undefined, 2)}\n`;
}

function driverFile({ name }: DriverProject): string {
  return `// @ts-check
import { defineDriver, Fault, option } from 'drover/driver';

export default defineDriver({
  name: '${name}',
  version: '0.1.0',

  // the operator's: plugin "${name}" { config { … } }
  options: {
    shells: option.list(option.string(), { default: ['/bin/sh'], doc: 'Shells that jobs may ask for.' }),
  },

  // the job author's: config { … } of a task
  config: {
    script: option.string({ required: true, doc: 'The text that the shell reads.' }),
    shell: option.string({ default: '/bin/sh', doc: 'The shell.' }),
    args: option.list(option.string(), { doc: 'Arguments of the script: $1, $2, …' }),
  },

  // what this node has; a throw makes the driver unhealthy with that reason
  fingerprint: ({ shells }) => ({ attributes: { 'driver.${name}.shells': shells.join(',') } }),

  // what it refuses, by a throw: asked before each start, and by \`drover explain\`, which starts nothing
  check({ config }, { shells }) {
    if (!shells.includes(config.shell)) throw new Fault('denied', \`the shell \${config.shell} is not allowed on this node\`);
  },

  // what to run; supervision, logs, recovery, stop, signals, exec, stats and isolation are the kit's
  start: ({ config }) => ({ command: config.shell, args: ['-c', config.script, '${name}', ...config.args] }),
});
`;
}

const pluginFile = `#!/usr/bin/env node
// What an agent starts from its plugin_dir.
import { serve } from 'drover/driver';
import driver from './driver.js';

await serve(driver, { stateDirectory: process.argv[2] ?? '' });
`;

const testFile = `import assert from 'node:assert/strict';
import test from 'node:test';
import { tryTask } from 'drover/driver';
import driver from './driver.js';

test('a script runs with its arguments, and its exit code is kept', async () => {
  const { exit, stdout } = await tryTask(driver, { config: { script: 'echo "hello $1"; exit 3', args: ['you'] } });
  assert.equal(stdout, 'hello you\\n');
  assert.equal(exit.exitCode, 3);
});

test('a shell that the operator does not allow is refused', async () => {
  const refused = tryTask(driver, { config: { script: 'true', shell: '/bin/csh' } });
  await assert.rejects(refused, /\\/bin\\/csh is not allowed on this node/);
});

test('an option that does not exist is named with the nearest one', async () => {
  await assert.rejects(tryTask(driver, { config: { scrip: 'true' } }), /"scrip".*Did you mean "script"/);
});
`;

/** What a driver of either kind is checked with. */
const checkTasks = `# How \`drover driver check\` makes tasks of this driver. Each block is a task's config; what is left out is not checked.

# ends at once with the code \${code}
ends {
  script = "exit \${code}"
}

# runs for \${seconds} and then ends with 0; ends at a signal
runs {
  script = "trap 'exit 0' INT TERM; sleep \${seconds} & wait"
}

# does not heed SIGINT
stubborn {
  script = "trap '' INT; while :; do sleep 0.1; done"
}

# prints \${text} to stdout
says {
  script = "echo \${text}"
}

# cannot be started
`;

const checkFile = `${checkTasks}fails {
  script = "true"
  shell  = "/no/such/shell"
}

# runs, and a command inside of it prints "out" and ends with 4
execs {
  script  = "trap 'exit 0' INT TERM; sleep 60 & wait"
}

command = ["sh", "-c", "echo out; exit 4"]
`;

function jobFile({ name }: DriverProject): string {
  return `# drover job run example.nomad.hcl
job "${name}-example" {
  type = "batch"

  group "g" {
    task "t" {
      driver = "${name}"

      config {
        script = "echo \\"hello $1\\"; sleep 2"
        args   = ["from a driver of my own"]
      }

      resources {
        cpu    = 50
        memory = 64
      }
    }
  }
}
`;
}

function agentFile({ name }: DriverProject): string {
  return `# drover agent -dev -plugin-dir=dist -config=agent.hcl   (after npm run build)
plugin "${name}" {
  config {
    shells = ["/bin/sh"]
  }
}
`;
}

const ciFile = `name: test
on: [push, pull_request]
jobs:
  test:
    runs-on: ubuntu-latest
    strategy:
      matrix:
        node: [20, 24]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: \${{ matrix.node }}
      - run: npm install
      - run: npm test
      - run: npm run check
      - run: npm run build
`;

function readme({ name, engine }: DriverProject): string {
  const engineRow = engine ? '\n| engine.js | stands for your engine: what driver.js asks of it |' : '';
  return `# drover-driver-${name}
A task driver for Drover, and for every other host of the same plugin protocol.

    npm install
    npm test            # driver.test.js: single tasks, without an agent
    npm run dev         # an agent with the driver; saving driver.js reloads it while tasks go on
    npm run check       # the conformance suite with faults; driver.check.hcl says how to make tasks
    npm run docs        # a page about its options
    npm run build       # dist/${name}: one executable for plugin_dir

| file | |
|---|---|
| driver.js | the driver |${engineRow}
| plugin.js | the driver as a program |
| driver.test.js, driver.check.hcl | its tests, and how the conformance suite makes tasks of it |
| example.nomad.hcl, agent.hcl | a job that uses it, and the agent's configuration |
`;
}
