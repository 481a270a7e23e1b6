import { asText, durationOf, isYamlMap, textList, type Yaml } from './read-compose.ts';

export interface HealthCheck {
  /** Of the container; undefined: the first one. */
  readonly port: number | undefined;
  /** Undefined: a TCP connection has to succeed. */
  readonly path: string | undefined;
  readonly interval: string;
  readonly timeout: string;
}

/** Commands that only ask over HTTP become checks of that; any other becomes one of the port, with a note. */
export function healthCheck(value: Yaml | undefined): { check?: HealthCheck; note?: string } {
  if (!isYamlMap(value) || value['disable'] === true) return {};
  const command = textList(value['test']).join(' ');
  if (/^NONE\b/.test(command)) return {};
  const asked = /https?:\/\/(?:localhost|127\.0\.0\.1|\[::1\])(?::(\d+))?(\/[^\s"'|;&)]*)?/.exec(command);
  const check = {
    port: asked?.[1] === undefined ? undefined : Number(asked[1]),
    path: asked === null ? undefined : (asked[2] ?? '/'),
    interval: durationOf(value['interval']) ?? '30s',
    timeout: durationOf(value['timeout']) ?? '30s',
  };
  const lost = Object.keys(value).filter((key) => !['test', 'interval', 'timeout', 'disable'].includes(key));
  const rest = lost.length === 0 ? '' : ` (${lost.join(', ')}: no like in a check)`;
  if (asked !== null) return rest === '' ? { check } : { check, note: `taken over as a check over HTTP${rest}` };
  return { check, note: `the command ${JSON.stringify(asText(command))} became a check of the port${rest}` };
}
