/** What a task would be isolated by on a node, and what keeps it from the next rung. */
import { autoDriver, chooseDriver, withDriver } from '../model/driver-choice.ts';
import { givenUp, predictIsolation } from '../model/isolation-ability.ts';
import { type IsolationFloor, noFloor } from '../model/isolation-floor.ts';
import { linesOf, rankOf, rungs } from '../model/isolation-ladder.ts';
import { fixOf, mechanismsOf } from '../model/isolation-losses.ts';
import type { MissingLine, TaskPrediction } from '../model/job-explanation.ts';
import type { Node } from '../model/node.ts';
import type { Task } from '../model/task.ts';
import type { TaskGroup } from '../model/task-group.ts';

/** What the node would refuse all the same is its own to say. */
type IsolationPrediction = Omit<TaskPrediction, 'Refusals' | 'NotAsked'>;

export function explainTask(node: Node, group: TaskGroup, task: Task, floor: IsolationFloor): IsolationPrediction {
  if (task.Driver === autoDriver) {
    const choice = chooseDriver(node, group, task, floor);
    if (choice.Driver === '')
      return {
        Name: task.Name,
        Driver: '',
        Floor: floor.min,
        Rung: '',
        Missing: [],
        Next: null,
        Choice: choice,
      };
    return { ...explainTask(node, group, withDriver(task, choice.Driver, group), floor), Choice: choice };
  }
  const predicted = predictIsolation(node.Attributes, group, task, floor);
  const about = { Name: task.Name, Driver: task.Driver, Floor: floor.min };
  if (predicted === null) return { ...about, Rung: '', Missing: [], Next: null };
  const next = rungs[rankOf(predicted.rung) + 1];
  return {
    ...about,
    Rung: predicted.rung,
    Missing: predicted.missing,
    Next:
      next === undefined
        ? null
        : {
            Rung: next,
            Lines: linesOf[next]
              .filter((line) => !predicted.lines.has(line))
              .map((line) => missingLine(node, group, task, line)),
          },
  };
}

/** The job's own choice comes first: nothing on the node would help against it. */
function missingLine(node: Node, group: TaskGroup, task: Task, line: string): MissingLine {
  const own = givenUp(node.Attributes, group, task).find((each) => each.line === line);
  if (own !== undefined) return { Name: line, Reason: own.because, Fix: own.remedy };
  const rung = rungs.find((each) => linesOf[each].includes(line)) ?? 'process';
  if (predictIsolation(node.Attributes, group, task, { ...noFloor, min: rung })?.lines.has(line) === true)
    return {
      Name: line,
      Reason: `${task.Driver} isolates so only where it is demanded`,
      Fix: `isolation { min = "${rung}" } in the job`,
    };
  for (const mechanism of mechanismsOf(line)) {
    const found = node.Attributes?.[`isolation.${mechanism}`];
    if (found !== undefined && found !== 'verified')
      return { Name: line, Reason: `${mechanism}: ${found}`, Fix: fixOf(mechanism, found) };
  }
  return { Name: line, Reason: `${task.Driver} does not give it on this node`, Fix: fixOf(line, '') };
}
