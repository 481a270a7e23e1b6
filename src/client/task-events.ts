/** Nomad's task events: Types, DisplayMessages and Details are parsed by its clients, so they are its very texts. */
import type { IsolationReport, TaskExit } from '../driver/contract.ts';
import { formatDuration } from '../lib/duration.ts';
import type { DriverChoice } from '../model/driver-choice.ts';
import { fixOf, isolationLosses } from '../model/isolation-losses.ts';
import type { TaskEvent } from '../model/task-state.ts';

/** A task keeps its last events only. */
export const keptEvents = 10;

const blank: TaskEvent = {
  Type: '',
  Time: 0,
  DisplayMessage: '',
  Details: {},
  Message: '',
  FailsTask: false,
  RestartReason: '',
  SetupError: '',
  DriverError: '',
  DriverMessage: '',
  ExitCode: 0,
  Signal: 0,
  KillReason: '',
  KillTimeout: 0,
  KillError: '',
  StartDelay: 0,
  DownloadError: '',
  ValidationError: '',
  DiskLimit: 0,
  DiskSize: 0,
  FailedSibling: '',
  VaultError: '',
  TaskSignalReason: '',
  TaskSignal: '',
  GenericSource: '',
};

function taskEvent(Type: string, DisplayMessage: string, fields: Partial<TaskEvent> = {}): TaskEvent {
  return { ...blank, Type, DisplayMessage, ...fields };
}

export const received = taskEvent('Received', 'Task received by client');

export const buildingDirectory = taskEvent('Task Setup', 'Building Task Directory', {
  Message: 'Building Task Directory',
  Details: { message: 'Building Task Directory' },
});

export const started = taskEvent('Started', 'Task started by client');

export const killed = taskEvent('Killed', 'Task successfully killed');

export const leaderDead = taskEvent('Leader Task Dead', 'Leader Task in Group dead');

export const mainTasksDead = taskEvent('Main Tasks Dead', 'Main tasks in the group died');

export const userRestart = restartSignaled('User requested task to restart');

export const userRestartRunning = restartSignaled('User requested running tasks to restart');

export const userRestartAll = restartSignaled('User requested all tasks to restart');

function restartSignaled(reason: string): TaskEvent {
  return taskEvent('Restart Signaled', reason, { RestartReason: reason, Details: { restart_reason: reason } });
}

/** The exit code of an unknowable end is left out of Details: it is not invented. */
export function terminated(exit: TaskExit): TaskEvent {
  const Details: Record<string, string> = { oom_killed: String(exit.oomKilled) };
  if (exit.unknown !== undefined) {
    const message = `exit unknown: ${exit.unknown}`;
    return taskEvent('Terminated', `Exit unknown: ${exit.unknown}`, {
      Message: message,
      Details: { ...Details, exit_message: message },
    });
  }
  Details['exit_code'] = String(exit.exitCode);
  Details['signal'] = String(exit.signal);
  const message = exit.message ?? '';
  let text = `Exit Code: ${exit.exitCode}`;
  if (exit.signal !== 0) text += `, Signal: ${exit.signal}`;
  if (message !== '') {
    text += `, Exit Message: ${JSON.stringify(message)}`;
    Details['exit_message'] = message;
  }
  return taskEvent('Terminated', text, { ExitCode: exit.exitCode, Signal: exit.signal, Message: message, Details });
}

export const withinPolicy = 'Restart within policy';

/** `delayNs` 0 and no reason: somebody asked for it. */
export function restarting(delayNs: number, reason: string): TaskEvent {
  const wait = `Task restarting in ${formatDuration(delayNs)}`;
  return taskEvent('Restarting', reason === '' || reason === withinPolicy ? wait : `${reason} - ${wait}`, {
    StartDelay: delayNs,
    RestartReason: reason,
    Details: { restart_reason: reason, start_delay: String(delayNs) },
  });
}

export function notRestarting(reason: string): TaskEvent {
  return taskEvent('Not Restarting', reason, {
    FailsTask: true,
    RestartReason: reason,
    Details: { restart_reason: reason, fails_task: 'true' },
  });
}

/** Reads "interrupt" whatever the signal, as Nomad does. */
export function killing(killTimeoutNs: number, reason = ''): TaskEvent {
  const timeout = formatDuration(killTimeoutNs);
  return taskEvent('Killing', reason || `Sent interrupt. Waiting ${timeout} before force killing`, {
    KillTimeout: killTimeoutNs,
    KillReason: reason,
    Details: { kill_timeout: timeout, ...(reason !== '' && { kill_reason: reason }) },
  });
}

export function waitingShutdownDelay(delayNs: number): TaskEvent {
  return taskEvent(
    'Waiting for shutdown delay',
    `Waiting for shutdown_delay of ${formatDuration(delayNs)} before killing the task.`,
  );
}

export function siblingFailed(sibling: string): TaskEvent {
  return taskEvent('Sibling Task Failed', `Task's sibling ${JSON.stringify(sibling)} failed`, {
    FailedSibling: sibling,
    Details: { failed_sibling: sibling },
  });
}

export function driverFailure(message: string): TaskEvent {
  return taskEvent('Driver Failure', message, { DriverError: message, Details: { driver_error: message } });
}

export function failedValidation(message: string): TaskEvent {
  return taskEvent('Failed Validation', message, { ValidationError: message, Details: { validation_error: message } });
}

/** A step before the start that did not work: `hook` names it as Nomad does (`task_dir`, `volumes`). */
export function hookFailed(hook: string, message: string): TaskEvent {
  const text = `${hook}: ${message}`;
  return taskEvent('Task hook failed', text, { Message: text, Details: { message: text } });
}

export function signaling(signal: string): TaskEvent {
  return taskEvent('Signaling', 'Task being sent a signal', { Details: { signal } });
}

export function driverMessage(message: string, annotations: Readonly<Record<string, string>>): TaskEvent {
  return taskEvent('Driver', message, { DriverMessage: message, Details: { ...annotations, driver_message: message } });
}

export function allocUnhealthy(message: string): TaskEvent {
  return taskEvent('Alloc Unhealthy', message, { Message: message, Details: { message } });
}

/**
 * Unlike Nomad: what isolates a task, or what it could have had and does not get here. Null: nothing was wanted and nothing is given.
 */
export function isolationEvent(report: IsolationReport): TaskEvent | null {
  if (report.wanted === 'none' && report.rung === 'none') return null;
  const losses = isolationLosses(report.wanted, report.mechanisms);
  const Details = { rung: report.rung, wanted: report.wanted, runtime: report.runtime };
  const [first] = losses;
  if (first === undefined) {
    return taskEvent('Isolation Verified', `Rung "${report.rung}" by ${report.runtime}`, { Details });
  }
  const more =
    losses.length === 1
      ? ''
      : ` (${losses.length - 1} more: ${losses
          .slice(1)
          .map(({ name }) => name)
          .join(', ')})`;
  const message = `${first.name} — ${first.evidence}; fix: ${first.fix}${more}; the task runs at rung "${report.rung}"`;
  return taskEvent('Isolation Degraded', message, {
    Message: message,
    Details: { ...Details, missing: losses.map(({ name }) => name).join(',') },
  });
}

export function driverChosen({ Driver, Reason }: DriverChoice): TaskEvent {
  const message = `Driver "${Driver}" chosen. ${Reason}`;
  return taskEvent('Driver', message, { DriverMessage: message, Details: { driver_message: message, driver: Driver } });
}

/** It was there when the task started: the node can give it. */
const startAnew = 'undo what was changed on the host, or start the task anew (alloc restart)';

/** Of a running task: lines that no longer hold, as they were seen. */
export function isolationLost(report: IsolationReport, lost: readonly Line[]): TaskEvent {
  const [first = { name: 'nothing', evidence: '' }] = lost;
  const others = lost.slice(1).map(({ name }) => name);
  const more = others.length === 0 ? '' : ` (${others.length} more: ${others.join(', ')})`;
  const message = `${first.name} no longer holds — ${first.evidence}; fix: ${startAnew}${more}; the task is at rung "${report.rung}" now`;
  return taskEvent('Isolation Degraded', message, {
    Message: message,
    Details: { rung: report.rung, lost: lost.map(({ name }) => name).join(',') },
  });
}

export function isolationRegained(report: IsolationReport, names: readonly string[]): TaskEvent {
  return taskEvent('Isolation Verified', `${names.join(', ')} again; the task is at rung "${report.rung}"`, {
    Details: { rung: report.rung, regained: names.join(',') },
  });
}

/** The node lost what this task's lines were made with: it keeps them, a start would not get them. */
export function mechanismLost(mechanism: string, evidence: string, lines: readonly string[]): TaskEvent {
  const message = `the node lost ${mechanism} — ${evidence}; fix: ${fixOf(mechanism, evidence)}; the task keeps what it has, another start would lack ${lines.join(', ')}`;
  return taskEvent('Isolation Degraded', message, { Message: message, Details: { mechanism } });
}

type Line = Pick<IsolationReport['mechanisms'][number], 'name' | 'evidence'>;

/** `min`: the rung a namespace asks for without enforcing it. */
export function belowSoftFloor(min: string, missing: readonly string[]): TaskEvent {
  const message = `below "${min}", which the namespace asks for; missing: ${missing.join(', ')}`;
  return taskEvent('Isolation Degraded', message, { Message: message, Details: { missing: missing.join(',') } });
}

/** `min`: the rung that is demanded now of a task that runs and keeps what it was started with. */
export function belowDemand(min: string, missing: readonly string[]): TaskEvent {
  const message = `below ${min === 'none' ? 'what' : `"${min}", which`} is demanded now; it counts from its next start; missing: ${missing.join(', ')}`;
  return taskEvent('Isolation Degraded', message, { Message: message, Details: { missing: missing.join(',') } });
}
