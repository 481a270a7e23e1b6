import type { FunctionTable, SpecialFunction } from '../context.ts';
import { collectionFunctions } from './collections.ts';
import { dateTimeFunctions } from './date-time.ts';
import { digestFunctions } from './digest.ts';
import { encodingFunctions } from './encoding.ts';
import { fileFunctions } from './files.ts';
import { formatFunctions } from './format.ts';
import type { HclFunction } from './function.ts';
import type { FunctionHost } from './host.ts';
import { networkFunctions } from './network.ts';
import { numericFunctions } from './numeric.ts';
import { resultTypes } from './result-types.ts';
import { setFunctions } from './sets.ts';
import { specialFunctions } from './special.ts';
import { textualFunctions } from './textual.ts';

/** The functions of job files, with what the host gives them. Without files the file system functions are refused. */
export function standardFunctions(host: FunctionHost): FunctionTable {
  const all: [string, HclFunction | SpecialFunction][] = [
    ...Object.entries(collectionFunctions),
    ...Object.entries(dateTimeFunctions),
    ...Object.entries(digestFunctions(host)),
    ...Object.entries(encodingFunctions),
    ...Object.entries(fileFunctions(host)),
    ...Object.entries(formatFunctions),
    ...Object.entries(networkFunctions),
    ...Object.entries(numericFunctions),
    ...Object.entries(setFunctions),
    ...Object.entries(specialFunctions),
    ...Object.entries(textualFunctions),
  ];
  return new Map(all.map(([name, made]) => [name, { ...made, returns: resultTypes.get(name) }]));
}
