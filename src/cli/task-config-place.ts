/** Where the `config` of a task stands in a job file, in whichever form it is written, or one option in it. */
import type { Block, Body, JsonNode, JsonProperty, SourceRange } from '../hcl/index.ts';
import type { DriverConfigProblem } from '../model/driver-config-problem.ts';

type Wanted = Pick<DriverConfigProblem, 'TaskGroup' | 'Task' | 'Path'>;

/** The attribute or block itself; else the nearest that encloses it: the job's, where the task is not written out in the file. */
export function taskConfigPlace({ TaskGroup, Task, Path }: Wanted, body: Body): SourceRange {
  if (body.json !== undefined) return placeInJson({ TaskGroup, Task, Path }, body.json);
  const tasks = taskBodies(body, TaskGroup, Task);
  const config = tasks.flatMap((task) => blocksOf(task, 'config'))[0];
  if (config === undefined) return (tasks[0] ?? blocksOf(body, 'job')[0]?.body ?? body).missingItemRange;
  let [place, inner] = [config.headerRange, config.body];
  for (const name of Path) {
    const attribute = inner.attributes.get(name);
    if (attribute !== undefined) return attribute.range;
    const [block] = blocksOf(inner, name);
    if (block === undefined) return place;
    [place, inner] = [block.headerRange, block.body];
  }
  return place;
}

/** A task stands in its group, or alone in the job. */
function taskBodies(body: Body, group: string, task: string): readonly Body[] {
  const jobs = blocksOf(body, 'job').map((job) => job.body);
  const groups = jobs.flatMap((job) => blocksOf(job, 'group', group).map((each) => each.body));
  return [...groups, ...jobs].flatMap((each) => blocksOf(each, 'task', task).map((found) => found.body));
}

/** `label`: its first, where one is given. */
function blocksOf(body: Body, type: string, label?: string): readonly Block[] {
  return body.blocks.filter((block) => block.type === type && (label === undefined || block.labels[0] === label));
}

/** In HCL's JSON syntax labels are keys; in the API's form groups and tasks are lists, and have names. */
function placeInJson({ TaskGroup, Task, Path }: Wanted, root: JsonNode): SourceRange {
  const job = propertiesOf(root, 'job').flatMap(({ value }) => propertiesOf(value));
  const written = [...job.flatMap(({ value }) => propertiesOf(value, 'group', TaskGroup)), ...job];
  const listed = [root, ...propertiesOf(root, 'Job').map(({ value }) => value)];
  const tasks = [
    ...written.flatMap(({ value }) => propertiesOf(value, 'task', Task)).map(({ value }) => value),
    ...listed.flatMap((each) => named(named([each], 'TaskGroups', TaskGroup), 'Tasks', Task)),
  ];
  let [config] = tasks.flatMap((task) => [...propertiesOf(task, 'config'), ...propertiesOf(task, 'Config')]);
  if (config === undefined) return (tasks[0] ?? root).range.atStart();
  for (const name of Path) {
    const [next] = propertiesOf(config.value, name);
    if (next === undefined) break;
    config = next;
  }
  return config.nameRange;
}

/** The properties of an object, or of all objects of a list, of one name or all; further names lead into those. */
function propertiesOf(node: JsonNode, name?: string, ...inner: readonly string[]): readonly JsonProperty[] {
  if (node.kind === 'array') return node.items.flatMap((item) => propertiesOf(item, name, ...inner));
  const found =
    node.kind === 'object' ? node.properties.filter((each) => name === undefined || each.name === name) : [];
  return inner.length === 0 ? found : found.flatMap(({ value }) => propertiesOf(value, ...(inner as [string])));
}

function named(nodes: readonly JsonNode[], list: string, name: string): readonly JsonNode[] {
  const items = nodes
    .flatMap((node) => propertiesOf(node, list))
    .flatMap(({ value }) => (value.kind === 'array' ? value.items : []));
  return items.filter((item) =>
    propertiesOf(item, 'Name').some(({ value }) => value.kind === 'string' && value.value === name),
  );
}
