import { append } from '../lib/append.ts';
import type { EvalContext } from './context.ts';
import { convert } from './convert.ts';
import type { Evaluator } from './evaluator.ts';
import { parseNumber } from './number-parse.ts';
import { parseTemplateAt } from './parse.ts';
import { SourceFile } from './source.ts';
import type { Expression, JsonNode } from './syntax.ts';
import { stringType } from './type.ts';
import {
  asString,
  boolValue,
  dynamicUnknown,
  nullDynamic,
  numberValue,
  objectValue,
  tupleValue,
  type Value,
} from './value.ts';

/** Value of a JSON text: its strings and names are templates. */
export function jsonValue(evaluator: Evaluator, node: JsonNode, context: EvalContext): Value {
  evaluator.budget.spend(1);
  switch (node.kind) {
    case 'null':
      return nullDynamic;
    case 'bool':
      return boolValue(node.value);
    case 'number': {
      const number = parseNumber(node.text);
      return number === undefined ? dynamicUnknown : numberValue(number);
    }
    case 'string':
      return textValue(evaluator, node.value, node, context);
    case 'array':
      return tupleValue(node.items.map((item) => jsonValue(evaluator, item, context)));
    case 'object':
      return jsonObject(evaluator, node, context);
    default:
      return dynamicUnknown;
  }
}

function jsonObject(evaluator: Evaluator, node: Extract<JsonNode, { kind: 'object' }>, context: EvalContext): Value {
  const entries = new Map<string, Value>();
  let complete = true;
  for (const { name, nameRange, value: inner } of node.properties) {
    const key = convert(textValue(evaluator, name, { range: nameRange }, context), stringType);
    const value = jsonValue(evaluator, inner, context);
    if (key.error !== undefined || key.value.state !== 'known') {
      if (key.error !== undefined || key.value.state === 'null') {
        evaluator.problem(
          nameRange,
          'Invalid object key expression',
          `this cannot be a key: ${key.error ?? 'it is null'}`,
        );
      }
      complete = false;
    } else if (entries.has(asString(key.value))) {
      const detail = `${JSON.stringify(asString(key.value))} was given already`;
      evaluator.problem(nameRange, 'Duplicate object attribute', detail);
    } else entries.set(asString(key.value), value);
  }
  return complete ? objectValue(entries) : dynamicUnknown;
}

function textValue(evaluator: Evaluator, text: string, node: Pick<JsonNode, 'range'>, context: EvalContext): Value {
  const { expr, diagnostics } = stringTemplate(text, node);
  append(evaluator.diagnostics, diagnostics);
  return diagnostics.length > 0 ? dynamicUnknown : evaluator.value(expr, context);
}

/** The template in a JSON string, with positions in the JSON text (exact as long as the string has no escapes). */
export function stringTemplate(text: string, node: Pick<JsonNode, 'range'>): ReturnType<typeof parseTemplateAt> {
  const { range } = node;
  const at = { line: range.startLine, column: range.startColumn + 1, byte: range.startByte + 1 };
  return parseTemplateAt(new SourceFile(range.filename, text), range.file, at);
}

/** A string, or each string and name in a structure, as the expression a native file would have. */
export function jsonExpression(node: JsonNode): Expression {
  return { kind: 'json', node, range: node.range };
}
