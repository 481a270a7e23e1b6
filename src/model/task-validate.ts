import type { TaskArtifact } from './artifact.ts';
import { validateAffinities, validateConstraints } from './constraint-validate.ts';
import { nest, problems } from './error-list.ts';
import type { WorkloadIdentity } from './identity.ts';
import { validateIsolation } from './isolation-floor.ts';
import type { Job } from './job.ts';
import type { ValidationContext } from './job-validate.ts';
import type { Resources } from './resources.ts';
import { validateServices } from './service-validate.ts';
import type { Task } from './task.ts';
import type { TaskGroup } from './task-group.ts';
import type { Template } from './template.ts';

/** The problems of one task. What its `config` says is the driver's to judge, when the task starts. */
export function validateTask(task: Task, group: TaskGroup, job: Job): readonly string[] {
  const disk = group.EphemeralDisk.SizeMB;
  const logs = task.LogConfig;
  return [
    ...problems(
      [task.Name === '', 'Missing task name'],
      [/[/\\]/.test(task.Name), 'Task name cannot include slashes'],
      [task.Name.includes('\0'), 'Task name cannot include null characters'],
      // Unlike Nomad: a task's directory has its name
      [task.Name === '.' || task.Name === '..', `Task name ${JSON.stringify(task.Name)} is no name of a directory`],
      [task.Name.length > 200, `Task name of ${task.Name.length} characters is too long: at most 200`],
      [task.Name === 'alloc', 'Task name "alloc" is reserved: it is the name of the shared directory'],
      [task.Driver === '', 'Missing task driver'],
      [task.KillTimeout < 0, 'KillTimeout must be a positive value'],
      [task.ShutdownDelay < 0, 'ShutdownDelay must be a positive value'],
      [
        job.Type === 'service' &&
          group.Update !== null &&
          group.Update.ProgressDeadline > 0 &&
          task.KillTimeout > group.Update.ProgressDeadline,
        "KillTimeout is longer than the group's ProgressDeadline",
      ],
    ),
    ...validateIsolation(task),
    ...nest('', validateResources(task.Resources)),
    ...nest(
      '',
      problems(
        [logs.MaxFiles < 1, `minimum number of files is 1; got ${logs.MaxFiles}`],
        [logs.MaxFileSizeMB < 1, `minimum file size is 1MB; got ${logs.MaxFileSizeMB}`],
        [
          !logs.Disabled && logs.MaxFiles * logs.MaxFileSizeMB >= disk,
          `log storage (${logs.MaxFiles * logs.MaxFileSizeMB} MB) must be less than requested disk capacity (${disk} MB)`,
        ],
      ),
    ),
    ...validateConstraints(task.Constraints, 'task'),
    ...(job.Type === 'system'
      ? problems([(task.Affinities?.length ?? 0) > 0, 'System jobs may not have an affinity block'])
      : validateAffinities(task.Affinities)),
    ...validateServices(task.Services ?? [], group, task),
    ...(task.Artifacts ?? []).flatMap((artifact, index) =>
      nest(`Artifact ${index + 1} validation failed`, validateArtifact(artifact)),
    ),
    ...templates(task.Templates ?? []),
    ...blocks(task),
    ...named('Action', task.Actions ?? []),
    ...secrets(task),
    ...identities(task),
  ];
}

function validateResources(resources: Resources): readonly string[] {
  return problems(
    [resources.Cores > 0 && resources.CPU > 0, "Task can only ask for 'cpu' or 'cores' resource, not both."],
    [resources.Cores < 0, `minimum Cores value is 0; got ${resources.Cores}`],
    [resources.Cores === 0 && resources.CPU < 1, `minimum CPU value is 1; got ${resources.CPU}`],
    [resources.MemoryMB < 10, `minimum MemoryMB value is 10; got ${resources.MemoryMB}`],
    [
      resources.MemoryMaxMB > 0 && resources.MemoryMaxMB < resources.MemoryMB,
      `MemoryMaxMB value (${resources.MemoryMaxMB}) should be larger than MemoryMB value (${resources.MemoryMB})`,
    ],
    [
      resources.MemoryMaxMB < -1,
      `MemoryMaxMB value (${resources.MemoryMaxMB}) must be -1 (no limit), 0 or larger than MemoryMB`,
    ],
    [
      resources.SecretsMB < 0 || resources.SecretsMB > resources.MemoryMB,
      `SecretsMB value (${resources.SecretsMB}) must be between 0 and the memory`,
    ],
  );
}

const checksumLengths: { readonly [type: string]: number } = { md5: 32, sha1: 40, sha256: 64, sha512: 128 };

function validateArtifact(artifact: TaskArtifact): readonly string[] {
  const checksum = artifact.GetterOptions?.['checksum'] ?? '';
  const [type, hex] = checksum.split(':');
  const length = checksumLengths[type ?? ''];
  const plain = checksum !== '' && !checksum.includes('${');
  return problems(
    [artifact.GetterSource === '', 'source must be specified'],
    [
      !['any', 'file', 'dir'].includes(artifact.GetterMode),
      `invalid artifact mode "${artifact.GetterMode}"; must be one of: any, file, dir`,
    ],
    [escapes(artifact.RelativeDest), 'artifact destination escapes the allocation directory'],
    [plain && length === undefined, `unsupported checksum type: ${type}`],
    [
      plain && length !== undefined && !(hex?.length === length && /^[0-9a-f]+$/i.test(hex)),
      `invalid ${type} checksum: ${hex}`,
    ],
  );
}

/** Does a relative path leave the directory that it is relative to? */
function escapes(path: string): boolean {
  let depth = 0;
  for (const part of path.split('/')) {
    if (part === '..') depth--;
    else if (part !== '' && part !== '.') depth++;
    if (depth < 0) return true;
  }
  return false;
}

function templates(given: readonly Template[]): readonly string[] {
  const seen = new Map<string, number>();
  return given.flatMap((template, index) => {
    const before = seen.get(template.DestPath);
    if (template.DestPath !== '') seen.set(template.DestPath, before ?? index + 1);
    return [
      ...nest(`Template ${index + 1} validation failed`, validateTemplate(template)),
      ...problems([before !== undefined, `Template ${index + 1} has the same destination as template ${before}`]),
    ];
  });
}

function validateTemplate(template: Template): readonly string[] {
  const mode = template.ChangeMode;
  return problems(
    [
      template.SourcePath === '' && template.EmbeddedTmpl === '',
      'Must specify a source path or have an embedded template',
    ],
    [template.DestPath === '', 'Must specify a destination for the template'],
    [escapes(template.DestPath), 'template destination escapes the allocation directory'],
    [!['noop', 'restart', 'signal', 'script'].includes(mode), `Invalid change mode given: "${mode}"`],
    [mode === 'signal' && template.ChangeSignal === '', 'Must specify signal value when change mode is signal'],
    [mode === 'signal' && template.Envvars, 'cannot use signals with env var templates'],
    [
      mode === 'script' && !template.ChangeScript,
      'must specify change script configuration value when change mode is script',
    ],
    [
      mode === 'script' && template.ChangeScript?.Command === '',
      'must specify script path value when change mode is script',
    ],
    [template.Splay < 0, 'Must specify positive splay value'],
    [!/^0?[0-7]{3,4}$/.test(template.Perms), `Failed to parse "${template.Perms}" as octal`],
    [(template.Wait?.Min ?? 0) > (template.Wait?.Max ?? Number.POSITIVE_INFINITY), 'wait min must be at most wait max'],
  );
}

function blocks(task: Task): readonly string[] {
  const { Lifecycle, Vault, CSIPluginConfig, DispatchPayload } = task;
  return problems(
    [
      Lifecycle !== null && !['prestart', 'poststart', 'poststop'].includes(Lifecycle.Hook),
      `Invalid lifecycle hook "${Lifecycle?.Hook}"`,
    ],
    [
      Vault !== null && !['noop', 'restart', 'signal'].includes(Vault.ChangeMode),
      `Unknown change mode "${Vault?.ChangeMode}"`,
    ],
    [
      Vault?.ChangeMode === 'signal' && Vault.ChangeSignal === '',
      'Signal must be specified when using change mode signal',
    ],
    [CSIPluginConfig !== null && CSIPluginConfig.ID === '', 'CSIPluginConfig must have a non-empty PluginID'],
    [
      CSIPluginConfig !== null && !['node', 'controller', 'monolith'].includes(CSIPluginConfig.Type),
      `CSIPluginConfig PluginType must be one of 'node', 'controller', or 'monolith', got: "${CSIPluginConfig?.Type}"`,
    ],
    [
      DispatchPayload !== null && escapes(DispatchPayload.File),
      'dispatch_payload file escapes the allocation directory',
    ],
  );
}

function named(what: string, items: readonly { readonly Name: string; readonly Command: string }[]): readonly string[] {
  const names = items.map((item) => item.Name);
  return items.flatMap((item, index) =>
    problems(
      [names.indexOf(item.Name) !== index, `${what} "${item.Name}" is defined twice`],
      [item.Command === '', `${what} "${item.Name}" has no command`],
    ),
  );
}

function secrets(task: Task): readonly string[] {
  const names = (task.Secrets ?? []).map((secret) => secret.Name);
  return (task.Secrets ?? []).flatMap((secret, index) =>
    problems(
      [names.indexOf(secret.Name) !== index, `secret "${secret.Name}" is defined twice`],
      [secret.Provider === '', `secret "${secret.Name}" has no provider`],
      [secret.Path === '', `secret "${secret.Name}" has no path`],
      [secret.Provider === 'vault' && task.Vault === null, `secret "${secret.Name}" needs a vault block in its task`],
      [
        ['nomad', 'vault'].includes(secret.Provider) && secret.Env !== null,
        `secret "${secret.Name}": env is for plugins only`,
      ],
    ),
  );
}

function identities(task: Task): readonly string[] {
  const others = task.Identities ?? [];
  const names = others.map((identity) => identity.Name);
  return [
    ...validateIdentity(task.Identity),
    ...problems([task.Identity.TTL !== 0, 'the default identity has no ttl']),
    ...others.flatMap((identity, index) => [
      ...validateIdentity(identity),
      ...problems([names.indexOf(identity.Name) !== index, `identity "${identity.Name}" is defined twice`]),
    ]),
  ];
}

function validateIdentity(identity: WorkloadIdentity): readonly string[] {
  const signal = identity.ChangeMode === 'signal';
  return problems(
    [
      !/^[a-zA-Z0-9_-]{1,128}$/.test(identity.Name) && !identity.Name.startsWith('consul-service_'),
      `invalid identity name "${identity.Name}"`,
    ],
    [identity.Audience?.includes('') === true, `identity "${identity.Name}": an audience must not be empty`],
    [
      !['', 'noop', 'restart', 'signal'].includes(identity.ChangeMode),
      `identity "${identity.Name}": invalid change_mode "${identity.ChangeMode}"`,
    ],
    [
      signal !== (identity.ChangeSignal !== ''),
      `identity "${identity.Name}": change_signal belongs to change_mode "signal"`,
    ],
    [identity.TTL < 0, `identity "${identity.Name}": ttl must not be negative`],
    [identity.Filepath !== '' && !identity.File, `identity "${identity.Name}": filepath needs file`],
  );
}

/** Drivers whose tasks have none of the rights it takes, or an own user namespace, from which no mount comes out. */
const makesNoMounts: ReadonlySet<string> = new Set(['exec', 'java', 'wasm']);

/** What is accepted but worth saying about a task. */
export function taskWarnings(task: Task, context: ValidationContext): readonly string[] {
  const said = [
    ...problems(
      [(task.Services?.length ?? 0) > 0 && task.ShutdownDelay === 0, 'has services but no shutdown_delay'],
      [
        (task.Resources.Networks?.length ?? 0) > 0,
        'task network resources have been deprecated. Use group networks instead',
      ],
      [task.Resources.IOPS !== 0, 'iops is ignored: take it out'],
      [
        task.Resources.MemoryMaxMB > 0 && !context.memoryOversubscription,
        'memory_max has no effect: memory oversubscription is not enabled',
      ],
    ),
    ...(task.VolumeMounts ?? []).flatMap(({ Volume, PropagationMode }) =>
      problems([
        PropagationMode === 'bidirectional' && makesNoMounts.has(task.Driver),
        `volume "${Volume}" is mounted as with propagation_mode = "host-to-task": a task of ${task.Driver} makes no mounts that the host could see`,
      ]),
    ),
    ...(task.Templates ?? []).flatMap((template, index) =>
      problems([template.VaultGrace > 0, `template ${index + 1}: vault_grace is deprecated and ignored`]),
    ),
    ...(task.Identities ?? []).flatMap((identity) =>
      problems(
        [identity.TTL === 0, `identity "${identity.Name}" never expires: set a ttl`],
        [(identity.Audience?.length ?? 0) === 0, `identity "${identity.Name}" has no audience`],
        [(identity.Audience?.length ?? 0) > 1, `identity "${identity.Name}" has more than one audience`],
      ),
    ),
  ];
  return said.map((text) => `Task "${task.Name}": ${text}`);
}
