import { expect, test } from 'vitest';
import { bodyContent } from './body-content.ts';
import type { Diagnostic } from './diagnostic.ts';
import { expandedContent } from './dynamic.ts';
import { parse } from './parse-any.ts';

const places = (diagnostics: readonly Diagnostic[]) => diagnostics.map(({ subject }) => String(subject));

test('what a block lacks is reported at its opening brace', () => {
  const { body } = parse('a {\n  x = 1\n}\n', 'f');
  const block = body.blocks[0]!;
  const content = bodyContent(block.body, { attributes: [{ name: 'x' }, { name: 'y', required: true }], blocks: [] });
  expect(places(content.diagnostics)).toEqual(['f:1,3-3']);
});

test('a dynamic block needs labels when the blocks it makes have some', () => {
  const { body } = parse('dynamic "b" {\n  for_each = [1]\n  content {}\n}\n', 'f');
  const schema = { attributes: [], blocks: [{ type: 'b', labelNames: ['name'] }] };
  expect(places(expandedContent(body, schema, {}).diagnostics)).toEqual(['f:1,13-13']);
});

test('a trailing comma in JSON is reported at the comma, and the object does not count', () => {
  expect(places(parse('{"a": 1,}', 'f').diagnostics)).toEqual(['f:1,8-9', 'f:1,1-2']);
});

test('the header of a block in JSON is its opening brace', () => {
  const { body } = parse('{"a": {"x": {}}}', 'f');
  const content = bodyContent(body, { attributes: [], blocks: [{ type: 'a', labelNames: ['name'] }] });
  expect(content.blocks[0]!.headerRange.toString()).toBe('f:1,13-14');
});

test('texts that recorded answers hold stay as they are', () => {
  const text = (source: string) => parse(source, 'f').diagnostics.map(({ summary, detail }) => `${summary}; ${detail}`);
  expect(text('a {\n')).toEqual([
    'Unclosed configuration block; There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.',
  ]);
  expect(text('a { b { c = 1 } }')).toEqual([
    'Argument definition required; A single-line block definition can contain only a single argument. If you meant to define argument "b", use an equals sign to assign it a value. To define a nested block, place it on a line of its own within its parent block.',
  ]);
  const { body } = parse('colour = 1\n', 'f');
  expect(bodyContent(body, { attributes: [], blocks: [] }).diagnostics[0]!.detail).toBe(
    'An argument named "colour" is not expected here.',
  );
});
