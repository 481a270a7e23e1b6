import { existsSync } from 'node:fs';
import { takes } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import { writeNew } from './given-file.ts';

export const command: Command = {
  usage: 'job init [options] [<filename>]',
  help: 'Writes an example job file to begin with: example.nomad.hcl, or the name given. Needs no agent.',
  flags: {
    short: { kind: 'bool', help: 'Without the explanations.' },
    connect: { kind: 'bool', help: 'Accepted for compatibility: there is no service mesh yet.', hidden: true },
    template: { kind: 'string', help: 'Accepted for compatibility.', hidden: true },
    'list-templates': { kind: 'bool', help: 'Accepted for compatibility.', hidden: true },
  },
  client: false,
  complete: 'files',
  async run(call) {
    takes(call, 'job init', 'This command takes no arguments or one: <filename>', 0, 1);
    const name = call.args[0] ?? 'example.nomad.hcl';
    if (existsSync(name)) throw new CommandError(`Job file '${name}' already exists`);
    const text = call.flags.bool('short') ? example.replace(/^\s*#.*\n/gm, '') : example;
    writeNew(name, text);
    call.terminal.out(`Example job file written to ${name}`);
    return 0;
  },
};

const example = `# Try it:  drover job run example.nomad.hcl
#          drover job status example
#          drover alloc logs -f -job example
job "example" {
  # service: kept running.  batch: runs to its end.  system: one on every node.
  type = "service"

  # A new version replaces the old one an allocation at a time, and goes on when that is healthy.
  update {
    max_parallel     = 1
    min_healthy_time = "5s"
    healthy_deadline = "2m"
  }

  # A group's tasks run together on one node; count is how many times.
  group "greeter" {
    count = 1

    # A free port of the node, told to the tasks as NOMAD_PORT_http and NOMAD_ADDR_http.
    network {
      port "http" {}
    }

    # What happens when a task ends with an error: two more tries within half an hour.
    restart {
      attempts = 2
      interval = "30m"
      delay    = "15s"
      mode     = "fail"
    }

    task "greet" {
      # exec runs a command in the strictest sandbox that the node can give.
      driver = "exec"

      config {
        command = "/bin/sh"
        args    = ["-c", "while true; do echo \\"$GREETING\\"; sleep 2; done"]
      }

      env {
        GREETING = "Hello from \${NOMAD_ALLOC_NAME}."
      }

      # What the scheduler sets aside: MHz and MB.
      resources {
        cpu    = 100
        memory = 64
      }
    }
  }
}
`;
