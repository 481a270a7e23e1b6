/** Texts of task events as Nomad's command line and web UI show them, and scripts look for. */
export function launchFailed(reason: string): string {
  return `failed to launch command with executor: rpc error: code = Unknown desc = ${reason}`;
}

export function binaryNotFound(command: string): string {
  return launchFailed(`binary ${JSON.stringify(command)} could not be found`);
}

export function fileNotFound(command: string, taskDirectory: string): string {
  return launchFailed(`file ${command} not found under path ${taskDirectory}`);
}

export function userUnknown(user: string): string {
  return `failed driver config validation: failed to identify user ${JSON.stringify(user)}: user: unknown user ${user}`;
}
