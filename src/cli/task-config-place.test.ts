import { expect, it } from 'vitest';
import { parse } from '../hcl/index.ts';
import { taskConfigPlace } from './task-config-place.ts';

const place = (source: string, Path: readonly string[]): string =>
  taskConfigPlace({ TaskGroup: 'g', Task: 't', Path }, parse(source, 'f').body).toString();

const hcl = `job "a" {
  group "g" {
    task "t" {
      config {
        image = "x"
        mount {
          target = "y"
        }
      }
    }
  }
}
`;
const hclJson =
  '{"job": {"a": [{"group": {"g": {"task": {"t": {"config": {"image": "x", "mount": [{"target": "y"}]}}}}}}]}}';
const apiJson =
  '{"Job": {"TaskGroups": [{"Name": "f"}, {"Name": "g", "Tasks": [{"Name": "t", "Config": {"image": "x", "mount": [{"target": "y"}]}}]}]}}';
const at = (text: string, word: string): string =>
  `f:1,${text.indexOf(word) + 1}-${text.indexOf(word) + word.length + 1}`;

it.each([
  [['image'], 'f:5,9-20'],
  [['mount', 'target'], 'f:7,11-23'],
  [['mount', 'gone'], 'f:6,9-14'],
  [[], 'f:4,7-13'],
])('in HCL: %j', (path, range) => expect(place(hcl, path)).toBe(range));

it.each([hclJson, apiJson, apiJson.slice('{"Job": '.length, -1)])('in JSON: %s', (text) => {
  expect(place(text, ['image'])).toBe(at(text, '"image"'));
  expect(place(text, ['mount', 'target'])).toBe(at(text, '"target"'));
  expect(place(text, ['mount', 'gone'])).toBe(at(text, '"mount"'));
});

it('of a task that is not written out: the job', () => {
  expect(place('job "a" {\n}\n', ['image'])).toBe('f:1,9-9');
  expect(place('{"job": {"a": {}}}', ['image'])).toBe('f:1,1-1');
});
