import { type BodyContent, type Diagnostic, errorAt, startRange } from '../hcl/index.ts';
import { placedDemandProblems } from '../model/isolation-floor.ts';

/** What is demanded of isolation and is not there: said where it stands, as servers say it without a place. `row`: what the block gave. */
export function demandDiagnostics(
  content: BodyContent,
  row: { readonly [name: string]: unknown },
): readonly Diagnostic[] {
  const text = (field: string): string => (typeof row[field] === 'string' ? row[field] : '');
  const Require = Array.isArray(row['Require']) ? row['Require'].filter((each) => typeof each === 'string') : [];
  const problems = placedDemandProblems({ Min: text('Min'), OnDegrade: text('OnDegrade'), Require });
  return problems.flatMap(({ at, problem }) => {
    const attribute = content.attributes.get(at);
    return attribute === undefined ? [] : [errorAt(startRange(attribute.expr), 'Unknown demand', problem)];
  });
}
