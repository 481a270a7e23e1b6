import { parseJsonText } from '../json-parse.ts';
import { parseNumber } from '../number-parse.ts';
import { numberText } from '../number-text.ts';
import type { JsonNode } from '../syntax.ts';
import { jsonText } from '../to-json.ts';
import { objectType, stringType, type Type } from '../type.ts';
import {
  asString,
  boolValue,
  listValue,
  nullDynamic,
  numberValue,
  objectValue,
  stringValue,
  tupleValue,
  type Value,
} from '../value.ts';
import { parseCsv } from './csv.ts';
import { any, costing, define, orNull, perCharacter, text } from './define.ts';
import { FunctionError, type HclFunction } from './function.ts';
import { yamlDecode } from './yaml-decode.ts';
import { yamlEncode } from './yaml-encode.ts';

function jsonEncode(value: Value): Value {
  const encoded = jsonText(value);
  if (encoded === undefined) throw new FunctionError('infinity has no JSON form');
  return stringValue(encoded);
}

function jsonDecode(source: string): Value {
  const { root, diagnostics } = parseJsonText(source, '');
  const problem = diagnostics[0];
  if (problem === undefined) return fromNode(root);
  const at = problem.subject;
  throw new FunctionError(`line ${at.startLine}, column ${at.startColumn} of the JSON text: ${problem.detail}`);
}

function fromNode(node: JsonNode): Value {
  switch (node.kind) {
    case 'bool':
      return boolValue(node.value);
    case 'number': {
      const number = parseNumber(node.text);
      if (number === undefined) throw new FunctionError('a number has too many digits');
      return numberValue(number);
    }
    case 'string':
      return stringValue(node.value);
    case 'array':
      return tupleValue(node.items.map(fromNode));
    case 'object':
      return objectValue(new Map(node.properties.map(({ name, value }) => [name, fromNode(value)])));
    default:
      return nullDynamic;
  }
}

function csvDecode(source: string): Value {
  const rows = parseCsv(source);
  const [header, ...rest] = rows;
  if (header === undefined) throw new FunctionError('the first line with the names of the columns is missing');
  const duplicate = header.find((name, i) => header.indexOf(name) !== i);
  if (duplicate !== undefined) throw new FunctionError(`the column ${JSON.stringify(duplicate)} is there twice`);
  const columns = header.map((name) => asString(stringValue(name)));
  const type: Type = objectType(new Map([...columns].sort().map((name) => [name, stringType])));
  const records = rest.map((row) => objectValue(new Map(columns.map((name, i) => [name, stringValue(row[i]!)]))));
  return listValue(records, type);
}

export const encodingFunctions: Readonly<Record<string, HclFunction>> = {
  csvdecode: define('The rows of a CSV text as objects; its first line names the columns.', [text('str')], ([a]) =>
    csvDecode(asString(a!)),
  ),
  jsondecode: costing(
    perCharacter(0.25),
    define('The value of a JSON text.', [text('str')], ([a]) => jsonDecode(asString(a!))),
  ),
  jsonencode: define('The JSON text of a value.', [orNull(any('val'))], ([a]) => jsonEncode(a!)),
  yamldecode: costing(
    perCharacter(3),
    define('The value of a YAML text.', [text('src')], ([a]) => yamlDecode(asString(a!))),
  ),
  yamlencode: define('The YAML text of a value.', [orNull(any('value'))], ([a]) =>
    stringValue(yamlEncode(a!, numberText)),
  ),
};
