import { isMap, LineCounter, parseDocument } from 'yaml';
import { Fault, messageOf } from '../../lib/fault.ts';

export type Yaml = null | boolean | number | string | readonly Yaml[] | YamlMap;
export interface YamlMap {
  readonly [key: string]: Yaml;
}

export const isYamlMap = (value: Yaml | undefined): value is YamlMap =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** The top of a Compose file. Faults: `invalid`, each problem with its place. */
export function readCompose(text: string, filename: string): YamlMap {
  const lineCounter = new LineCounter();
  const document = parseDocument(text, { merge: true, lineCounter, prettyErrors: false });
  const problems = document.errors.map(({ pos, message }) => {
    const { line, col } = lineCounter.linePos(pos[0]);
    return `${filename}:${line},${col}: ${message}`;
  });
  if (problems.length > 0) throw new Fault('invalid', problems.join('\n'));
  if (!isMap(document.contents))
    throw new Fault('invalid', `${filename}:1,1: a Compose file is a map with the key "services"`);
  let top: YamlMap;
  try {
    top = document.toJS({ maxAliasCount: 1000 }) as YamlMap;
  } catch (error) {
    throw new Fault('invalid', `${filename}:1,1: ${messageOf(error)}`);
  }
  if (!isYamlMap(top['services'])) throw new Fault('invalid', `${filename}:1,1: there is no map "services" in it`);
  return top;
}

/** A list, however it is written: a list, one value, or a map (`KEY: value` as `KEY=value`). */
export function textList(value: Yaml | undefined): string[] {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return (value as readonly Yaml[]).map(asText);
  if (isYamlMap(value)) return Object.entries(value).map(([key, item]) => `${key}=${asText(item)}`);
  return [asText(value)];
}

/** Key and value pairs, from a map or from a list of `KEY=value`; undefined where there is no value. */
export function pairs(value: Yaml | undefined): [string, string | undefined][] {
  if (isYamlMap(value))
    return Object.entries(value).map(([key, item]) => [key, item === null ? undefined : asText(item)]);
  return textList(value).map((line) => {
    const at = line.indexOf('=');
    return at < 0 ? [line, undefined] : [line.slice(0, at), line.slice(at + 1)];
  });
}

export function asText(value: Yaml | undefined): string {
  if (value === null || value === undefined) return '';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

export function numberOf(value: Yaml | undefined): number | undefined {
  const number = Number(asText(value));
  return asText(value) !== '' && Number.isFinite(number) ? number : undefined;
}

/** The words of a command, quotes taken off, as Compose splits a command written as one text. */
export function words(text: string): string[] {
  const found: string[] = [];
  for (const match of text.matchAll(/(?:[^\s"'\\]|\\[\s\S]|"(?:[^"\\]|\\[\s\S])*"|'[^']*')+/g))
    found.push(
      match[0].replace(
        /"((?:[^"\\]|\\[\s\S])*)"|'([^']*)'|\\([\s\S])/g,
        (_, double?: string, single?: string, char?: string) =>
          double !== undefined ? double.replace(/\\(["\\$`])/g, '$1') : (single ?? char ?? ''),
      ),
    );
  return found;
}

/** `1.5g`, `512M`, `64mb` or bytes → bytes. */
export function bytesOf(value: Yaml | undefined): number | undefined {
  const match = /^([0-9.]+)\s*([kmgt]?)i?b?$/i.exec(asText(value).trim());
  if (match === null) return undefined;
  const power = 'kmgt'.indexOf(match[2]!.toLowerCase()) + 1;
  return Math.round(Number(match[1]) * 1024 ** power);
}

/** A duration of Compose is one of a job, but for its days. */
export function durationOf(value: Yaml | undefined): string | undefined {
  const text = asText(value).trim();
  if (/^\d+$/.test(text)) return `${text}s`;
  return /^(\d+(\.\d+)?(us|ms|s|m|h))+$/.test(text) ? text : undefined;
}
