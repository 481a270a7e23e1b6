/** Every command by its words. Loading is lazy: a command's module is read when the command is asked for. */
import type { Command } from './command.ts';

export interface Entry {
  /** One sentence for lists of commands. */
  readonly summary: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

function entry(summary: string, load: Entry['load']): Entry {
  return { summary, load };
}

export const commands: { readonly [words: string]: Entry } = {
  agent: entry('Run an agent: a server, a client, or both', () => import('./agent.ts')),
  'agent-info': entry('Show what the agent says of itself', () => import('./agent-info.ts')),
  'alloc checks': entry('Show the results of health checks', () => import('./alloc-checks.ts')),
  'alloc exec': entry('Run a command inside a task', () => import('./alloc-exec.ts')),
  'alloc fs': entry("Look into an allocation's directory", () => import('./alloc-fs.ts')),
  'alloc logs': entry('Print or follow the output of a task', () => import('./alloc-logs.ts')),
  'alloc restart': entry('Restart tasks in place', () => import('./alloc-restart.ts')),
  'alloc signal': entry('Send a signal to tasks', () => import('./alloc-signal.ts')),
  'alloc status': entry('Show an allocation', () => import('./alloc-status.ts')),
  'alloc stop': entry('Stop an allocation; another takes its place', () => import('./alloc-stop.ts')),
  'config validate': entry('Check agent configuration files', () => import('./config-validate.ts')),
  'deployment list': entry('List the roll-outs of job versions', () => import('./deployment-list.ts')),
  'deployment status': entry('Show how far a roll-out is', () => import('./deployment-status.ts')),
  'driver build': entry('Make one executable file of a driver', () => import('./driver-build.ts')),
  'driver check': entry('Check a driver against the contract, with faults', () => import('./driver-check.ts')),
  'driver dev': entry('Work on a driver: an agent that reloads it on save', () => import('./driver-dev.ts')),
  'driver docs': entry('Write the page of a driver', () => import('./driver-docs.ts')),
  'driver init': entry('Begin a new driver', () => import('./driver-init.ts')),
  'driver list': entry('List task drivers and the programs behind them', () => import('./driver-list.ts')),
  'driver reload': entry('Take up new versions of driver plugins', () => import('./driver-reload.ts')),
  doctor: entry('Find out what this host can enforce, and how it climbs', () => import('./doctor.ts')),
  'driver serve': entry('Serve a built-in driver as a plugin', () => import('./driver-serve.ts')),
  'eval list': entry('List evaluations', () => import('./eval-list.ts')),
  'eval status': entry('Show an evaluation and why something could not be placed', () => import('./eval-status.ts')),
  explain: entry('Show where a job can run, why not elsewhere, and how isolated', () => import('./explain.ts')),
  fmt: entry('Put job and agent files into the canonical layout', () => import('./fmt.ts')),
  'job allocs': entry('List the allocations of a job', () => import('./job-allocs.ts')),
  'job deployments': entry('List the roll-outs of a job', () => import('./job-deployments.ts')),
  'job eval': entry('Have the scheduler look at a job again', () => import('./job-eval.ts')),
  'job history': entry('List the versions of a job', () => import('./job-history.ts')),
  'job import': entry('Make a job file from a Compose file', () => import('./job-import.ts')),
  'job init': entry('Write an example job file', () => import('./job-init.ts')),
  'job inspect': entry('Print a job as the servers keep it', () => import('./job-inspect.ts')),
  'job plan': entry('Show what submitting a job file would change', () => import('./job-plan.ts')),
  'job restart': entry('Restart the allocations of a job, some at a time', () => import('./job-restart.ts')),
  'job revert': entry('Go back to an earlier version of a job', () => import('./job-revert.ts')),
  'job run': entry('Submit a job and follow it', () => import('./job-run.ts')),
  'job scale': entry('Change the count of a group', () => import('./job-scale.ts')),
  'job scaling-events': entry('List the changes of counts', () => import('./job-scaling-events.ts')),
  'job schema': entry('Print a JSON Schema of job files', () => import('./job-schema.ts')),
  'job start': entry('Start a stopped job again', () => import('./job-start.ts')),
  'job status': entry('List jobs, or show one', () => import('./job-status.ts')),
  'job stop': entry('Stop jobs', () => import('./job-stop.ts')),
  'job validate': entry('Check a job file', () => import('./job-validate.ts')),
  monitor: entry('Print the log of an agent as it is written', () => import('./monitor.ts')),
  'namespace apply': entry('Make or change a namespace', () => import('./namespace-apply.ts')),
  'namespace delete': entry('Remove a namespace', () => import('./namespace-delete.ts')),
  'namespace inspect': entry('Print a namespace as the servers keep it', () => import('./namespace-inspect.ts')),
  'namespace list': entry('List the namespaces', () => import('./namespace-list.ts')),
  'namespace status': entry('Show a namespace', () => import('./namespace-status.ts')),
  'node drain': entry('Move the work of a node elsewhere', () => import('./node-drain.ts')),
  'node eligibility': entry('Let new work onto a node, or keep it away', () => import('./node-eligibility.ts')),
  'node meta read': entry('Print the metadata of a node', () => import('./node-meta-read.ts')),
  'node pool apply': entry('Make or change a node pool', () => import('./node-pool-apply.ts')),
  'node pool delete': entry('Remove a node pool', () => import('./node-pool-delete.ts')),
  'node pool info': entry('Show a node pool', () => import('./node-pool-info.ts')),
  'node pool init': entry('Write an example node pool file', () => import('./node-pool-init.ts')),
  'node pool jobs': entry('List the jobs of a node pool', () => import('./node-pool-jobs.ts')),
  'node pool list': entry('List the node pools', () => import('./node-pool-list.ts')),
  'node pool nodes': entry('List the nodes of a node pool', () => import('./node-pool-nodes.ts')),
  'node status': entry('List nodes, or show one', () => import('./node-status.ts')),
  'operator api': entry('Send one request to the API', () => import('./operator-api.ts')),
  'operator metrics': entry('Print the metrics of an agent', () => import('./operator-metrics.ts')),
  'operator scheduler get-config': entry(
    'Show how the servers schedule',
    () => import('./operator-scheduler-get-config.ts'),
  ),
  'operator scheduler set-config': entry(
    'Change how the servers schedule',
    () => import('./operator-scheduler-set-config.ts'),
  ),
  'server members': entry('List the servers', () => import('./server-members.ts')),
  status: entry('Show whatever an id belongs to', () => import('./status.ts')),
  'system gc': entry('Forget what is only kept for a while', () => import('./system-gc.ts')),
  'system reconcile summaries': entry(
    'Count the summaries of all jobs again',
    () => import('./system-reconcile-summaries.ts'),
  ),
  version: entry('Print the version', () => import('./version.ts')),
};

/** Short forms and older names → the command they stand for. */
export const aliases: { readonly [words: string]: string } = {
  exec: 'alloc exec',
  fs: 'alloc fs',
  init: 'job init',
  inspect: 'job inspect',
  'job fmt': 'fmt',
  logs: 'alloc logs',
  plan: 'job plan',
  run: 'job run',
  'server-members': 'server members',
  start: 'job start',
  stop: 'job stop',
  validate: 'job validate',
  'alloc-status': 'alloc status',
  'eval-status': 'eval status',
  'node-status': 'node status',
  'node-drain': 'node drain',
};
