/** What the commands that change a deployment share. */

import type { ReadResult } from '../api-client/client.ts';
import type { DeploymentUpdate, DroverClient } from '../api-client/index.ts';
import type { Deployment } from '../model/deployment.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Call, type Command, CommandError } from './command.ts';
import { monitorEvaluation } from './evaluation-monitor.ts';
import type { FlagTable } from './flags.ts';
import { followFlags } from './follow-registration.ts';
import { sanitizeUuidPrefix } from './resolve-id.ts';

/** From an id, or the beginning of exactly one. */
export async function resolveDeployment(client: DroverClient, prefix: string): Promise<Deployment> {
  if (prefix.length === 1) throw new CommandError('Identifier must contain at least two characters.');
  const { value } = await asking(
    'Error retrieving deployment',
    client.deployments.list({ query: { prefix: sanitizeUuidPrefix(prefix) } }),
  );
  if (value.length === 0)
    throw new CommandError(`Error retrieving deployment: Deployment ID "${prefix}" matched no deployments`);
  if (value.length > 1)
    throw new CommandError(`Prefix matched multiple deployments\n\n${value.map((row) => row.ID).join('\n')}`);
  return value[0]!;
}

interface DeploymentVerb {
  readonly name: string;
  readonly help: string;
  /** `failing`: as errors say it. */
  readonly doing: string;
  /** `failed`: as success says it. */
  readonly done: string;
  readonly flags?: FlagTable;
  readonly ask: (client: DroverClient, id: string, call: Call) => Promise<ReadResult<DeploymentUpdate>>;
}

/** `drover deployment <name>`. */
export function deploymentCommand(verb: DeploymentVerb): Command {
  return {
    usage: `deployment ${verb.name} [options] <deployment id>`,
    help: verb.help,
    flags: { ...verb.flags, ...followFlags },
    client: true,
    complete: 'deployments',
    async run(call) {
      takes(call, `deployment ${verb.name}`, 'This command takes one argument: <deployment id>', 1);
      return withClient(call, async (client) => {
        const { ID } = await resolveDeployment(client, call.args[0]!);
        const { value } = await asking(`Error ${verb.doing} deployment`, verb.ask(client, ID, call));
        return followDeployment(call, client, ID, value, verb.done);
      });
    },
  };
}

export async function followDeployment(
  { flags, terminal, interrupted }: Call,
  client: DroverClient,
  id: string,
  { EvalID: evalId, RevertedJobVersion: reverted }: DeploymentUpdate,
  done: string,
): Promise<number> {
  terminal.out(`Deployment "${id}" ${done}`);
  if (reverted !== null) terminal.out(`Job went back to version ${reverted}`);
  const verbose = flags.bool('verbose');
  if (evalId === '') return 0;
  if (flags.bool('detach')) {
    terminal.out(`Evaluation ID: ${evalId}`);
    return 0;
  }
  return monitorEvaluation({ client, terminal, verbose, interrupted, offersDetach: true }, evalId);
}
