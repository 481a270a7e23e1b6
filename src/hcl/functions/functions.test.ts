import { describe, expect, it } from 'vitest';
import { bcryptHash } from '../../lib/bcrypt.ts';
import { nodeFunctionHost } from '../../lib/node/hcl-functions.ts';
import { evaluate, jsonText, parseExpression, standardFunctions } from '../index.ts';

const functions = standardFunctions(nodeFunctionHost({ workingDirectory: import.meta.dirname }));

function run(text: string, table = functions): string {
  const { expr, diagnostics } = parseExpression(text, 'f');
  expect(diagnostics).toEqual([]);
  const result = evaluate(expr, { functions: table });
  const problem = result.diagnostics[0];
  return problem === undefined ? jsonText(result.value)! : `${problem.subject}: ${problem.detail}`;
}

describe('functions', () => {
  it('are the 83 of job files', () => {
    expect(functions.size).toBe(83);
  });

  it.each([
    ['1e20 % 7', '2'],
    ['format("%08.3f|%-6s|%+d|%q|%#x", 3.14159, "é", 5, "a\\n", 255)', '"0003.142|é     |+5|\\"a\\\\n\\"|0xff"'],
    [
      'formatdate("EEEE DD MMM YYYY hh:mm AA ZZZ", "2024-02-29T23:05:00+05:30")',
      '"Thursday 29 Feb 2024 23:05 PM +0530"',
    ],
    ['timeadd("2023-12-31T23:59:59Z", "1m1s")', '"2024-01-01T00:01:00Z"'],
    ['cidrsubnets("fd00::/48", 16, 8)', '["fd00::/64","fd00:0:0:100::/56"]'],
    ['regex_replace("aaaa-bb", "(a+)(?P<rest>-)?", "<$${1}$${rest}>")', '"\\u003caaaa-\\u003ebb"'],
    ['regex_replace("x", "(x)(y)?", "[$1$2]")', '"[x]"'],
    ['uuidv5("dns", "example.com")', '"cfbff0d1-9375-5685-968c-48ce8b15ae17"'],
    ['yamldecode(yamlencode({ a = [1, { b = null }], c = "x\\ny\\n" }))', '{"a":[1,{"b":null}],"c":"x\\ny\\n"}'],
    ['parseint("-ff", 16)', '-255'],
    ['setunion(["b", "a"], ["a"])', '["a","b"]'],
    ['try(nothing.here, fileexists("index.ts"))', 'true'],
    ['fileset(".", "{host,base64}.ts")', '["base64.ts","host.ts"]'],
  ])('%s', (text, value) => {
    expect(run(text)).toBe(value);
  });

  it('take time in proportion to a text for any regular expression', () => {
    expect(run(`regex_replace("${'a'.repeat(3000)}", "(a+)+$|(a|aa)*b", "x")`)).toBe('"x"');
  });

  it('stop at a limit', () => {
    expect(run('join("", [for i in range(1024) : format("%99999d", i)])')).toMatch(/asks for/);
    expect(run('"x${1e999999}"')).toMatch(/more than 50000 digits/);
  });

  it('of files are refused without files, and hashes without hashes', () => {
    const bare = standardFunctions({});
    expect(run('basename("a/b")', bare)).toMatch(/^f:1,1-10: .*filesystem function disabled/);
    expect(run('md5("x")', bare)).toMatch(/not available/);
  });

  it('give a known bcrypt hash', () => {
    // Salt `CCCCCCCCCCCCCCCCCCCCC.` with the password U*U: a test vector of the crypt_blowfish distribution.
    const salt = Uint8Array.from([
      0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10, 0x41, 0x04, 0x10,
    ]);
    expect(bcryptHash(new TextEncoder().encode('U*U'), 5, salt)).toBe(
      '$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW',
    );
  });
});
