/**
 * Options of a job's tasks against what the nodes' drivers take. Each node publishes the specifications of its drivers when it registers;
 * a task's options are wrong where every node that could run it refuses them, and doubtful where some do. Unlike Nomad, which finds out
 * on the node.
 */
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import { autoSchema } from '../driver/auto-options.ts';
import { type ConfigProblem, checkConfig } from '../driver/config-check.ts';
import { SpecSchema } from '../driver/gen/nomad/hclspec_pb.ts';
import { specOf } from '../driver/hclspec.ts';
import { rktAdvice } from '../driver/rkt-to-podman.ts';
import { readSpec, type SpecNode } from '../driver/spec-tree.ts';
import { autoDriver } from '../model/driver-choice.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';
import type { Job } from '../model/job.ts';
import type { ServerSnapshot } from '../state/server-tables.ts';

/** Of the options that are every node's. */
const autoSpec = Buffer.from(toBinary(SpecSchema, specOf(autoSchema))).toString('base64');

/** Parsed specifications by their text: nodes of one kind publish the same. */
const specs = new Map<string, SpecNode | null>();
const mostSpecs = 256;

export function checkDriverConfigs(snapshot: ServerSnapshot, job: Job): readonly DriverConfigProblem[] {
  const published = publishedFor(snapshot, job);
  const translated = [...snapshot.scan('nodes')].some((node) => node.Drivers?.['rkt']?.Detected === true);
  return job.TaskGroups.flatMap((group) =>
    group.Tasks.flatMap((task) => {
      const found =
        task.Driver === 'rkt' && !translated
          ? [replaced(task.Config ?? {})]
          : problemsOf(task.Config, published.get(task.Driver));
      return found.map(({ path, summary, detail, everywhere }) => ({
        TaskGroup: group.Name,
        Task: task.Name,
        Driver: task.Driver,
        Path: path,
        Summary: summary,
        Detail: detail,
        Certain: everywhere,
      }));
    }),
  );
}

/** `group "web", task "app": driver "exec": No argument … is named "comand". Did you mean "command"?` */
export function driverConfigText({ TaskGroup, Task, Driver, Path, Detail, Certain }: DriverConfigProblem): string {
  const where = Path.length === 0 ? '' : ` at "${Path.join('.')}"`;
  const some = Certain ? '' : ' (on some nodes)';
  return `group "${TaskGroup}", task "${Task}": config of driver "${Driver}"${where}: ${Detail}${some}`;
}

/** Of a driver that no node has any more. */
function replaced(config: Readonly<Record<string, unknown>>): ConfigProblem & { readonly everywhere: boolean } {
  return { path: [], summary: 'Driver "rkt" is replaced by "podman"', detail: rktAdvice(config), everywhere: true };
}

/** Driver → specification → how many nodes that could run the job publish it. */
function publishedFor(snapshot: ServerSnapshot, job: Job): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const drivers = new Set(job.TaskGroups.flatMap((group) => group.Tasks.map((task) => task.Driver)));
  const all = new Map<string, Map<string, number>>();
  if (drivers.delete(autoDriver)) all.set(autoDriver, new Map([[autoSpec, 1]]));
  for (const node of snapshot.scan('nodes')) {
    if (node.Status !== 'ready' || (job.NodePool !== 'all' && node.NodePool !== job.NodePool)) continue;
    for (const driver of drivers) {
      const text = node.DriverSchemas?.[driver];
      if (text === undefined) continue;
      const counts = all.get(driver) ?? new Map<string, number>();
      all.set(driver, counts.set(text, (counts.get(text) ?? 0) + 1));
    }
  }
  return all;
}

function problemsOf(
  config: unknown,
  published: ReadonlyMap<string, number> | undefined,
): readonly (ConfigProblem & { readonly everywhere: boolean })[] {
  if (published === undefined) return [];
  const byFrequency = [...published].sort(([, a], [, b]) => b - a).map(([text]) => parsedSpec(text));
  const checked = byFrequency.filter((spec) => spec !== null).map((spec) => checkConfig(config, spec));
  const refused = checked.filter((problems) => problems.length > 0);
  const everywhere = refused.length === checked.length;
  return (refused[0] ?? []).map((problem) => ({ ...problem, everywhere }));
}

/** In base64. Clients publish none that is longer; who does is no client of ours. */
const longestSpec = 400_000;

/** Null: it cannot be read, so it says nothing. */
function parsedSpec(text: string): SpecNode | null {
  if (text.length > longestSpec) return null;
  let spec = specs.get(text);
  if (spec !== undefined) return spec;
  try {
    spec = readSpec(fromBinary(SpecSchema, Buffer.from(text, 'base64')));
  } catch {
    spec = null;
  }
  if (specs.size >= mostSpecs) specs.clear();
  specs.set(text, spec);
  return spec;
}
