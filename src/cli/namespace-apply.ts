import { existsSync } from 'node:fs';
import type { DroverClient } from '../api-client/index.ts';
import { parseNamespaceFile } from '../jobspec/index.ts';
import type { Namespace } from '../model/namespace.ts';
import type { Input } from '../model/schema.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import type { FlagValues } from './flags.ts';
import { readSpec } from './spec-source.ts';

export const command: Command = {
  usage: 'namespace apply [options] <name or file or ->',
  help:
    'Makes a namespace or changes one. From a file (HCL, or JSON with -json) it becomes what the file says; a name changes only what the ' +
    'options give.',
  flags: {
    description: { kind: 'string', value: '<text>', help: 'Says what the namespace is for.' },
    quota: { kind: 'string', value: '<name>', help: 'The quota of the namespace.' },
    json: { kind: 'bool', help: "The file is in the API's JSON." },
  },
  client: true,
  complete: 'files',
  async run(call) {
    takes(call, 'namespace apply', 'This command takes one argument: <name or file or ->', 1);
    const [given] = call.args as [string];
    return withClient(call, async (client) => {
      const fromFile = given === '-' || existsSync(given);
      const namespace = fromFile
        ? // a demand that the file does not make is made no more
          { Isolation: {}, ...readSpec(call, given, 'the namespace', parseNamespaceFile) }
        : await changed(client, given, call.flags);
      await asking('Error applying namespace', client.api.put('/v1/namespace', namespace));
      call.terminal.out(`Successfully applied namespace "${namespace.Name}"!`);
      return 0;
    });
  },
};

/** What is there already, with what the flags say. */
async function changed(client: DroverClient, name: string, flags: FlagValues): Promise<Input<Namespace>> {
  const reading = client.api.get<readonly Namespace[]>('/v1/namespaces', { query: { prefix: name } });
  const { value } = await asking('Error retrieving namespaces', reading);
  const known: Input<Namespace> = value.find((row) => row.Name === name) ?? { Name: name };
  return {
    ...known,
    Description: flags.string('description') ?? known.Description ?? '',
    Quota: flags.string('quota') ?? known.Quota ?? '',
  };
}
