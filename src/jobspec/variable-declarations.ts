import {
  type Attribute,
  type Block,
  bodyContent,
  convert,
  type Diagnostic,
  dynamicType,
  type Expression,
  errorAt,
  justAttributes,
  parseTypeConstraint,
  referencedVariables,
  type SourceRange,
  type Type,
  unwrapScope,
  type Value,
} from '../hcl/index.ts';
import { append } from '../lib/append.ts';
import { evaluateLiteral, writtenExpression } from './literal.ts';

/** A check of a variable's value: the condition must be true, else the message is the problem. */
export interface VariableRule {
  readonly condition: Expression;
  readonly message: Expression;
}

export interface Variable {
  readonly name: string;
  /** What values are converted to; `dynamic` where nothing says what the variable is. */
  readonly type: Type;
  readonly fallback: Value | undefined;
  readonly rules: readonly VariableRule[];
  readonly range: SourceRange;
}

const identifier = /^[\p{ID_Start}_][\p{ID_Continue}-]*$/u;
const variableSchema = {
  attributes: [{ name: 'description' }, { name: 'type' }, { name: 'default' }],
  blocks: [{ type: 'validation' }],
};
const ruleSchema = {
  attributes: [
    { name: 'condition', required: true },
    { name: 'error_message', required: true },
  ],
  blocks: [],
};

/** The variables that `variable` and `variables` blocks declare, by name. */
export function declaredVariables(blocks: readonly Block[], diagnostics: Diagnostic[]): ReadonlyMap<string, Variable> {
  const variables = new Map<string, Variable>();
  const add = (variable: Variable, where: SourceRange) => {
    const before = variables.get(variable.name);
    if (before === undefined) variables.set(variable.name, variable);
    else
      diagnostics.push(
        errorAt(where, 'Duplicate variable', `"${variable.name}" was declared already at ${before.range}`),
      );
  };
  for (const block of blocks.filter(({ type }) => type === 'variable')) {
    const variable = declaration(block, diagnostics);
    if (variable !== undefined) add(variable, variable.range);
  }
  for (const block of blocks.filter(({ type }) => type === 'variables')) {
    const { attributes, diagnostics: found } = justAttributes(block.body);
    append(diagnostics, found);
    for (const attribute of attributes.values()) add(shortForm(attribute, diagnostics), attribute.nameRange);
  }
  return variables;
}

/** `variables { name = default }` */
function shortForm(attribute: Attribute, diagnostics: Diagnostic[]): Variable {
  const fallback = evaluateLiteral(attribute.expr);
  append(diagnostics, fallback.diagnostics);
  return {
    name: attribute.name,
    type: fallback.value.type,
    fallback: fallback.value,
    rules: [],
    range: attribute.range,
  };
}

function declaration(block: Block, diagnostics: Diagnostic[]): Variable | undefined {
  const name = block.labels[0]!;
  if (!identifier.test(name)) {
    diagnostics.push(
      errorAt(
        block.labelRanges[0]!,
        'Invalid variable name',
        `"${name}" is no name: letters, digits, dashes and underscores`,
      ),
    );
    return undefined;
  }
  const content = bodyContent(block.body, variableSchema);
  append(diagnostics, content.diagnostics);
  const declared = declaredType(content.attributes.get('type'), diagnostics);
  const fallback = defaultValue(content.attributes.get('default'), declared, diagnostics);
  const rules = content.blocks.flatMap((rule) => {
    const read = validationRule(rule, name, diagnostics);
    return read === undefined ? [] : [read];
  });
  return { name, type: declared ?? fallback?.type ?? dynamicType, fallback, rules, range: block.headerRange };
}

function declaredType(attribute: Attribute | undefined, diagnostics: Diagnostic[]): Type | undefined {
  if (attribute === undefined) return undefined;
  const { type, diagnostics: found } = parseTypeConstraint(writtenExpression(attribute.expr));
  append(diagnostics, found);
  return found.length > 0 ? dynamicType : type;
}

function defaultValue(
  attribute: Attribute | undefined,
  type: Type | undefined,
  diagnostics: Diagnostic[],
): Value | undefined {
  if (attribute === undefined) return undefined;
  const { value, diagnostics: found } = evaluateLiteral(attribute.expr);
  append(diagnostics, found);
  if (type === undefined || found.length > 0) return value;
  const converted = convert(value, type);
  if (converted.error === undefined) return converted.value;
  diagnostics.push(
    errorAt(
      attribute.expr.range,
      'Invalid default value for variable',
      `the default does not fit the type: ${converted.error}`,
    ),
  );
  return value;
}

function validationRule(block: Block, name: string, diagnostics: Diagnostic[]): VariableRule | undefined {
  const content = bodyContent(block.body, ruleSchema);
  append(diagnostics, content.diagnostics);
  const condition = content.attributes.get('condition');
  const message = content.attributes.get('error_message');
  if (condition === undefined || message === undefined) return undefined;
  checkReferences(condition.expr, name, diagnostics);
  return { condition: condition.expr, message: message.expr };
}

/** A condition may look at its own variable only, and must. */
function checkReferences(condition: Expression, name: string, diagnostics: Diagnostic[]): void {
  let refers = false;
  for (const variable of referencedVariables(condition)) {
    const step = variable.steps[0];
    if (variable.name === 'var' && step?.kind === 'attribute' && step.name === name) refers = true;
    else {
      const detail = `the condition for variable "${name}" can only refer to the variable itself, as var.${name}`;
      diagnostics.push(errorAt(variable.range, 'Invalid reference in variable validation', detail));
    }
  }
  if (refers) return;
  const detail = `the condition for variable "${name}" must refer to var.${name} in order to test its value`;
  diagnostics.push(errorAt(unwrapScope(condition).range, 'Invalid variable validation condition', detail));
}
