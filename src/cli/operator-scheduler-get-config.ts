import type { SchedulerConfiguration } from '../model/scheduler-configuration.ts';
import { asking, takes, withClient } from './client-context.ts';
import type { Command } from './command.ts';
import { formatFlags, printFormatted } from './formatted.ts';
import { formatPairs } from './table.ts';

export const command: Command = {
  usage: 'operator scheduler get-config [options]',
  help: 'Shows how the servers schedule: algorithm, preemption, and what is held back.',
  flags: formatFlags,
  client: true,
  async run(call) {
    takes(call, 'operator scheduler get-config', 'This command takes no arguments', 0);
    return withClient(call, async (client) => {
      const { value } = await asking('Error querying scheduler configuration', client.agent.schedulerConfiguration());
      if (!(await printFormatted(call, value))) call.terminal.out(overview(value.SchedulerConfig));
      return 0;
    });
  },
};

function overview(configuration: SchedulerConfiguration): string {
  const { PreemptionConfig: preemption } = configuration;
  return formatPairs([
    ['Scheduler Algorithm', configuration.SchedulerAlgorithm],
    ['Memory Oversubscription', configuration.MemoryOversubscriptionEnabled],
    ['Reject Job Registration', configuration.RejectJobRegistration],
    ['Pause Eval Broker', configuration.PauseEvalBroker],
    ['Preemption System Scheduler', preemption.SystemSchedulerEnabled],
    ['Preemption Service Scheduler', preemption.ServiceSchedulerEnabled],
    ['Preemption Batch Scheduler', preemption.BatchSchedulerEnabled],
    ['Preemption SysBatch Scheduler', preemption.SysBatchSchedulerEnabled],
    ['Node Limit For Feasibility Checks', configuration.NodeLimitForFeasibilityChecks ?? 0],
    ['Modify Index', configuration.ModifyIndex],
  ]);
}
