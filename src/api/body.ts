import { Fault } from '../lib/fault.ts';
import { decode } from '../model/decode.ts';
import type { FieldTable, Infer, Input, Noun } from '../model/schema.ts';
import { type ApiRequest, bodyJson } from './request.ts';

/** The body as the table describes it. Faults: `invalid` with Go's text for the first field of a wrong type; an absent body. */
export function decodeBody<F extends FieldTable>(request: ApiRequest, noun: Noun<F>): Input<Infer<Noun<F>>> {
  const { value, problems } = decode(noun, bodyJson(request));
  if (problems[0] !== undefined) throw new Fault('invalid', problems[0].message);
  return value;
}

/** As `decodeBody`; where there is no body, an empty value. */
export function decodeOptionalBody<F extends FieldTable>(request: ApiRequest, noun: Noun<F>): Input<Infer<Noun<F>>> {
  return request.body.length === 0 ? ({} as Input<Infer<Noun<F>>>) : decodeBody(request, noun);
}
