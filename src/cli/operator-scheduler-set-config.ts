import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import { asking, takes, withClient } from './client-context.ts';
import { type Command, CommandError } from './command.ts';
import type { FlagTable, FlagValues } from './flags.ts';

const flags: FlagTable = {
  'scheduler-algorithm': { kind: 'string', value: '<name>', help: '"binpack" or "spread".' },
  'memory-oversubscription': { kind: 'bool', help: 'Tasks may use more memory than they reserve, up to memory_max.' },
  'reject-job-registration': { kind: 'bool', help: 'Take new jobs from managers only.' },
  'pause-eval-broker': { kind: 'bool', help: 'Let evaluations wait.' },
  'preempt-batch-scheduler': { kind: 'bool', help: 'Batch jobs may displace others of lower priority.' },
  'preempt-service-scheduler': { kind: 'bool', help: 'Service jobs may.' },
  'preempt-sysbatch-scheduler': { kind: 'bool', help: 'Sysbatch jobs may.' },
  'preempt-system-scheduler': { kind: 'bool', help: 'System jobs may.' },
  'node-limit-for-feasibility-checks': {
    kind: 'int',
    value: '<n>',
    help: 'How many nodes are looked at; 0: Drover decides.',
  },
  'check-index': {
    kind: 'int',
    value: '<index>',
    help: 'Change it only if its modify index is this.',
  },
};

export const command: Command = {
  usage: 'operator scheduler set-config [options]',
  help: 'Changes how the servers schedule; what no option names stays as it is.',
  flags,
  client: true,
  async run(call) {
    takes(call, 'operator scheduler set-config', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking(
        'Error querying for scheduler configuration',
        client.agent.schedulerConfiguration(),
      );
      const index = call.flags.int('check-index');
      const writing = client.api.put<{ readonly Updated: boolean }>(
        '/v1/operator/scheduler/configuration',
        changed(value.SchedulerConfig, call.flags),
        index === undefined ? {} : { query: { cas: index } },
      );
      const answer = await asking('Error setting scheduler configuration', writing);
      if (index !== undefined && answer.value?.Updated === false)
        throw new CommandError('Scheduler configuration could not be atomically updated, please try again');
      call.terminal.out('Scheduler configuration updated!');
      return 0;
    });
  },
};

function changed(now: SchedulerConfiguration, given: FlagValues): SchedulerConfiguration {
  const flag = (name: string, before: boolean): boolean => (given.given(name) ? given.bool(name) : before);
  const { PreemptionConfig: preemption } = now;
  return {
    ...now,
    SchedulerAlgorithm: (given.string('scheduler-algorithm') ??
      now.SchedulerAlgorithm) as SchedulerConfiguration['SchedulerAlgorithm'],
    MemoryOversubscriptionEnabled: flag('memory-oversubscription', now.MemoryOversubscriptionEnabled),
    RejectJobRegistration: flag('reject-job-registration', now.RejectJobRegistration),
    PauseEvalBroker: flag('pause-eval-broker', now.PauseEvalBroker),
    NodeLimitForFeasibilityChecks: given.int('node-limit-for-feasibility-checks') ?? now.NodeLimitForFeasibilityChecks,
    PreemptionConfig: {
      ...preemption,
      BatchSchedulerEnabled: flag('preempt-batch-scheduler', preemption.BatchSchedulerEnabled),
      ServiceSchedulerEnabled: flag('preempt-service-scheduler', preemption.ServiceSchedulerEnabled),
      SysBatchSchedulerEnabled: flag('preempt-sysbatch-scheduler', preemption.SysBatchSchedulerEnabled),
      SystemSchedulerEnabled: flag('preempt-system-scheduler', preemption.SystemSchedulerEnabled),
    },
  };
}
