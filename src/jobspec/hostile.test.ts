// Job files that are no job files: problems with places, in bounded time and memory, never an exception.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Diagnostic, formatDiagnostic, renderDiagnostic } from '../hcl/index.ts';
import { nodeFunctionHost } from '../lib/node/hcl-functions.ts';
import { parseJob } from './parse-job.ts';

const root = path.resolve(import.meta.dirname, '../..');
const goldens = process.env['DROVER_GOLDENS'] ?? path.resolve(root, '../shared/goldens');
const folders = [path.join(root, 'examples'), path.join(goldens, 'jobs'), path.join(goldens, 'jobs-invalid')];
const files = folders.filter(existsSync).flatMap((folder) =>
  readdirSync(folder)
    .filter((name) => name.endsWith('.nomad.hcl'))
    .map((name) => [name, readFileSync(path.join(folder, name))] as const),
);

function checkDiagnostics(diagnostics: readonly Diagnostic[], size: number): void {
  for (const item of diagnostics) {
    if (item.summary === '' || item.detail === '') throw new Error('an empty message');
    const { start, end } = item.subject;
    const inside = start.byte >= 0 && start.byte <= end.byte && end.byte <= size;
    if (!inside || start.line < 1 || start.column < 1)
      throw new Error(`outside of the text: ${formatDiagnostic(item)}`);
  }
}

function read(source: string | Uint8Array) {
  const size = typeof source === 'string' ? new TextEncoder().encode(source).length : source.length;
  const result = parseJob({ source, filename: 'f.nomad.hcl', strict: false });
  checkDiagnostics(result.diagnostics, size);
  if (result.job === null) expect(result.diagnostics.length).toBeGreaterThan(0);
  return result;
}

/** Refused, for problems that have places, as all of them do. */
function expectRefused(source: string | Uint8Array): void {
  const { job, diagnostics } = read(source);
  expect(job).toBe(null);
  diagnostics.slice(0, 3).forEach((item) => void renderDiagnostic(item));
}

const hello = new TextEncoder().encode(
  'job "a" {\n  group "g" {\n    task "t" {\n      driver = "exec"\n    }\n  }\n}\n',
);
const utf16 = (text: Uint8Array, swap: boolean): Uint8Array => {
  const buffer = Buffer.from(`\ufeff${new TextDecoder().decode(text)}`, 'utf16le');
  return swap ? buffer.swap16() : buffer;
};
const binary = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 7919 + (i >> 3)) & 255);

describe('what is no job file', () => {
  it.each([
    ['a program', binary],
    ['an archive', Uint8Array.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xcb, 0x48])],
    ['UTF-16', utf16(hello, false)],
    ['UTF-16, the other way round', utf16(hello, true)],
    ['NUL bytes', Buffer.from('job "a\0b" {\n\0}\n')],
    ['only NUL bytes', new Uint8Array(1000)],
    ['lone carriage returns', Buffer.from('job "a" {\r  type = "batch"\r}\r')],
    ['broken UTF-8', Buffer.from([0x6a, 0x6f, 0x62, 0x20, 0x22, 0xff, 0xfe, 0x22, 0x20, 0x7b, 0x7d])],
  ])('%s: refused at a place', (_, source) => expectRefused(source));

  it('a byte order mark in front is one problem, at the mark, and no more', () => {
    const { diagnostics } = read(Buffer.concat([Buffer.from('\ufeff'), hello]));
    for (const item of diagnostics) expect(item.subject.start.byte).toBe(0);
  });

  it('nothing at all lacks its job', () => {
    expect(read('').diagnostics.map((item) => item.summary)).toEqual(['Missing job block']);
  });

  it.each(files)('%s cut off at every byte: what is refused is refused at a place', (_, source) => {
    for (let end = 0; end < source.length; end++) read(source.subarray(0, end));
  });
});

describe('an example that something else than its author has saved', () => {
  const examples = files.filter(([name]) => existsSync(path.join(root, 'examples', name)));
  const withNul = (text: Buffer, at: number) => Buffer.concat([text.subarray(0, at), Buffer.of(0), text.subarray(at)]);

  it('there are examples', () => expect(examples.length).toBeGreaterThan(10));

  it.each(examples)('%s in UTF-16 either way, and with lone carriage returns, is refused at a place', (_, source) => {
    expectRefused(utf16(source, false));
    expectRefused(utf16(source, true));
    expectRefused(Buffer.from(source.toString('latin1').replaceAll('\n', '\r'), 'latin1'));
  });

  it.each(examples)('%s with the line ends of Windows is the same job', (_, source) => {
    const crlf = Buffer.from(source.toString('latin1').replaceAll('\n', '\r\n'), 'latin1');
    const [plain, windows] = [read(source).job, read(crlf).job];
    expect(plain).not.toBe(null);
    expect(JSON.stringify(windows).replaceAll('\\r\\n', '\\n')).toBe(JSON.stringify(plain));
  });

  it.each(examples)('%s behind a byte order mark has one problem, at the mark', (_, source) => {
    const { diagnostics } = read(Buffer.concat([Buffer.from('\ufeff'), source]));
    expect(diagnostics.map((item) => item.subject.start.byte)).toEqual(diagnostics.map(() => 0));
  });

  it.each(examples)('%s with a NUL anywhere: what is refused is refused at a place', (_, source) => {
    for (let at = 0; at <= source.length; at += 3) read(withNul(source, at));
  });
});

describe('a hundred thousand mistakes', () => {
  const count = 100_000;
  const fewer = 20_000;
  const many = (line: (i: number) => string, length = count): string =>
    Array.from({ length }, (_, i) => line(i)).join('\n');
  const names = many((i) => `  name_of_${i} = 1`, fewer);
  const wrong = many((i) => `    a${i} = local.nmae_of_${i}`, fewer);

  it.each<[string, string, number]>([
    ['arguments that nobody knows', `job "a" {\n${many((i) => `datacentres${i} = 1`)}\n}\n`, count],
    ['blocks that nobody knows', `job "a" {\n${many(() => 'gruop "x" {}')}\n}\n`, count],
    ['functions that nobody knows', `job "a" {\n  meta {\n${many((i) => `a${i} = uper("x")`)}\n  }\n}\n`, 2 * count],
    ['locals that are called nearly so', `locals {\n${names}\n}\njob "a" {\n  meta {\n${wrong}\n  }\n}\n`, 2 * fewer],
    ['names of a megabyte that are nearly the same', megabyteNames(), 2],
  ])('%s: each is said, in seconds of the processor', { timeout: 120_000 }, (_, source, problems) => {
    const started = process.cpuUsage();
    expect(parseJob({ source, filename: 'f.nomad.hcl' }).diagnostics).toHaveLength(problems);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(15);
  });

  function megabyteNames(): string {
    const name = 'x'.repeat(1_000_000);
    return `locals {\n  ${name} = 1\n}\njob "a" {\n  meta {\n    v = local.y${name.slice(1)}\n  }\n}\n`;
  }
});

describe('limits', () => {
  const inMeta = (value: string): string => `job "a" {\n  meta {\n    v = ${value}\n  }\n}\n`;
  const doubled = Array.from({ length: 60 }, (_, i) => `  l${i + 1} = "\${local.l${i}}\${local.l${i}}"`).join('\n');

  it.each([
    ['10,000 lists in each other', inMeta(`${'['.repeat(10_000)}${']'.repeat(10_000)}`)],
    ['10,000 templates in each other', inMeta(`${'"${'.repeat(10_000)}1${'}"'.repeat(10_000)}`)],
    ['10,000 blocks in each other', `${'a {\n'.repeat(10_000)}${'}\n'.repeat(10_000)}`],
    ['a text that doubles sixty times', `locals {\n  l0 = "0123456789"\n${doubled}\n}\n${inMeta('local.l60')}`],
    ['loops in loops in a template', inMeta(`"${'%{ for a in range(1000) }'.repeat(6)}x${'%{ endfor }'.repeat(6)}"`)],
    ['loops in loops', inMeta(`jsonencode(${'[for a in range(1000) : '.repeat(6)}1${']'.repeat(6)})`)],
    ['products of products', inMeta('jsonencode(setproduct(range(1000), range(1000), range(1000)))')],
    ['a format that pads without end', inMeta('format("%999999999d", 1)')],
    [
      'a thousand groups of a thousand tasks of a thousand templates',
      `job "a" {
  dynamic "group" {
    for_each = range(1000)
    labels   = ["g\${group.key}"]
    content {
      dynamic "task" {
        for_each = range(1000)
        labels   = ["t\${task.key}"]
        content {
          dynamic "template" {
            for_each = range(1000)
            content {}
          }
        }
      }
    }
  }
}
`,
    ],
    ['a thousand hashes that are slow on purpose', inMeta('jsonencode([for x in range(1000) : bcrypt("x", 12)])')],
    [
      'a thousand regular expressions over a long text',
      inMeta(`jsonencode([for x in range(1000) : regex_replace("${'a'.repeat(50_000)}b", "(a+)+$", "x")])`),
    ],
    [
      'a thousand documents',
      inMeta(`jsonencode([for x in range(1000) : yamldecode("${'- a: [1, 2]\\n'.repeat(5000)}")])`),
    ],
  ])('%s: ends with a problem, in seconds of the processor', { timeout: 120_000 }, (_, source) => {
    const [started, before] = [process.cpuUsage(), process.memoryUsage().rss];
    expectRefused(source);
    const { user, system } = process.cpuUsage(started);
    expect((user + system) / 1e6).toBeLessThan(15);
    expect(process.memoryUsage().rss - before).toBeLessThan(1_000_000_000);
  });

  it('locals that need each other in a long row are read in time with their count', { timeout: 120_000 }, () => {
    const row = Array.from({ length: 20_000 }, (_, i) => `  l${i} = local.l${i + 1}`).join('\n');
    const started = process.cpuUsage();
    expect(read(`locals {\n${row}\n  l20000 = 1\n}\n${inMeta('local.l0')}`).job).toMatchObject({ Meta: { v: '1' } });
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(10);
  });

  it('as many numbers as fit are made distinct without comparing each with each', { timeout: 120_000 }, () => {
    const started = process.cpuUsage();
    const rows = 'flatten([for i in range(200) : [for j in range(1000) : 100000000000 + i * 1000 + j]])';
    expect(read(inMeta(`length(distinct(${rows}))`)).job).toMatchObject({ Meta: { v: '200000' } });
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(15);
  });

  it('names of a million bytes are read, and found wrong, at once', () => {
    const name = 'x'.repeat(1_000_000);
    const started = process.cpuUsage();
    expectRefused(`job "a" {\n  ${name} = 1\n}\n`);
    expectRefused(inMeta(`${name}(1)`));
    const { job } = read(`job "${name}" {\n}\n`);
    expect(job?.ID).toHaveLength(1_000_000);
    expect(process.cpuUsage(started).user / 1e6).toBeLessThan(10);
  });
});

it('files of functions are not read where a server parses', () => {
  const source = 'job "a" {\n  meta {\n    v = file("/etc/passwd")\n  }\n}\n';
  const refused = parseJob({ source, filename: 'f', host: nodeFunctionHost() });
  expect(refused.job).toBe(null);
  expect(refused.diagnostics[0]!.detail).toMatch(/filesystem function disabled/);
});
