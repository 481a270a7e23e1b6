import type { Evaluation, SpecialFunction } from '../context.ts';
import { convert } from '../convert.ts';
import { boolType, withoutOptional } from '../type.ts';
import { parseTypeConstraint } from '../type-constraint.ts';
import { boolValue, dynamicUnknown, isWhollyKnown, unknownValue, type Value } from '../value.ts';
import { FunctionError } from './function.ts';

const plain = (value: Value): Evaluation => ({ value, diagnostics: [] });

/** Functions whose arguments are looked at before they are evaluated. */
export const specialFunctions: Readonly<Record<string, SpecialFunction>> = {
  try: {
    description: 'The first of some expressions that can be evaluated without a problem.',
    special: true,
    minimum: 0,
    maximum: Number.POSITIVE_INFINITY,
    parameterNames: ['expressions'],
    call: (args, evaluate) => {
      if (args.length === 0) throw new FunctionError('at least one expression is required');
      let reason = '';
      for (const arg of args) {
        const { value, diagnostics } = evaluate(arg);
        const first = diagnostics[0];
        if (first === undefined) return plain(isWhollyKnown(value) ? value : dynamicUnknown);
        reason ||= `${first.summary}; ${first.detail}`;
      }
      throw new FunctionError(`no expression succeeded; the first: ${reason}`);
    },
  },
  can: {
    description: 'Whether an expression can be evaluated without a problem.',
    special: true,
    minimum: 1,
    maximum: 1,
    parameterNames: ['expression'],
    call: ([arg], evaluate) => {
      const { value, diagnostics } = evaluate(arg!);
      if (diagnostics.length > 0) return plain(boolValue(false));
      return plain(isWhollyKnown(value) ? boolValue(true) : unknownValue(boolType));
    },
  },
  convert: {
    description: 'The value in another type.',
    special: true,
    minimum: 2,
    maximum: 2,
    parameterNames: ['value', 'type'],
    call: ([arg, wanted], evaluate) => {
      const given = evaluate(arg!);
      const { type, diagnostics } = parseTypeConstraint(wanted!, { open: true });
      const problems = [...given.diagnostics, ...diagnostics];
      if (problems.length > 0) return { value: dynamicUnknown, diagnostics: problems };
      // What may be missing elsewhere must be there when a value is converted.
      const result = convert(given.value, withoutOptional(type));
      if (result.error !== undefined) throw new FunctionError(result.error, 0);
      return plain(result.value);
    },
  },
};
