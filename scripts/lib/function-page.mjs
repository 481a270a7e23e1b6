// docs/reference/functions.md: every function with its parameters, and an example whose result was evaluated.

/** Name → expression; the result is what the evaluator gives. `null`: different each time, shown without a result. */
export const functionExamples = {
  abs: 'abs(-3.5)',
  abspath: 'abspath("/etc/../tmp")',
  base64decode: 'base64decode("aGVsbG8=")',
  base64encode: 'base64encode("hello")',
  basename: 'basename("/etc/hosts")',
  bcrypt: 'substr(bcrypt("secret", 4), 0, 7)',
  can: 'can(local.missing)',
  ceil: 'ceil(1.2)',
  chomp: 'chomp("line\\n")',
  chunklist: 'chunklist(["a", "b", "c"], 2)',
  cidrhost: 'cidrhost("10.0.0.0/8", 5)',
  cidrnetmask: 'cidrnetmask("172.16.0.0/12")',
  cidrsubnet: 'cidrsubnet("10.0.0.0/16", 8, 2)',
  cidrsubnets: 'cidrsubnets("10.0.0.0/16", 4, 8)',
  coalesce: 'coalesce(null, "a", "b")',
  coalescelist: 'coalescelist([], ["a"])',
  compact: 'compact(["a", "", "b"])',
  concat: 'concat(["a"], ["b", "c"])',
  contains: 'contains(["a", "b"], "a")',
  convert: 'convert(["a", "a"], set(string))',
  csvdecode: 'csvdecode("a,b\\n1,2\\n")',
  dirname: 'dirname("/etc/hosts")',
  distinct: 'distinct(["a", "b", "a"])',
  element: 'element(["a", "b"], 3)',
  file: 'strlen(file("hello.nomad.hcl")) > 0',
  filebase64: 'strlen(filebase64("hello.nomad.hcl")) > 0',
  fileexists: 'fileexists("nothing.txt")',
  fileset: 'fileset(".", "hello.*")',
  flatten: 'flatten([["a"], ["b", ["c"]]])',
  floor: 'floor(1.8)',
  format: 'format("%s has %03d", "web", 7)',
  formatdate: 'formatdate("YYYY-MM-DD", "2024-02-29T23:05:00Z")',
  formatlist: 'formatlist("%s.example.com", ["a", "b"])',
  indent: 'indent(2, "a\\nb")',
  index: 'index(["a", "b"], 1)',
  join: 'join("-", ["a", "b"])',
  jsondecode: 'jsondecode("{\\"a\\": [1, null]}")',
  jsonencode: 'jsonencode({a = [1, true]})',
  keys: 'keys({b = 1, a = 2})',
  length: 'length(["a", "b"])',
  log: 'log(8, 2)',
  lookup: 'lookup({a = 1}, "b", 0)',
  lower: 'lower("ABC")',
  max: 'max(1, 5, 3)',
  md5: 'md5("hello")',
  merge: 'merge({a = 1}, {a = 2, b = 3})',
  min: 'min(1, 5, 3)',
  parseint: 'parseint("ff", 16)',
  pathexpand: 'pathexpand("/etc")',
  pow: 'pow(2, 10)',
  range: 'range(1, 8, 2)',
  regex_replace: 'regex_replace("a1b22", "[0-9]+", "#")',
  replace: 'replace("a.b.c", ".", "-")',
  reverse: 'reverse("abc")',
  rsadecrypt: 'can(rsadecrypt("", ""))',
  setintersection: 'setintersection(["a", "b"], ["b", "c"])',
  setproduct: 'setproduct(["a", "b"], [1, 2])',
  setunion: 'setunion(["a"], ["b", "a"])',
  sha1: 'sha1("hello")',
  sha256: 'sha256("hello")',
  sha512: 'substr(sha512("hello"), 0, 16)',
  signum: 'signum(-12)',
  slice: 'slice(["a", "b", "c"], 1, 3)',
  sort: 'sort(["b", "a"])',
  split: 'split(",", "a,b")',
  strlen: 'strlen("naïve")',
  strrev: 'strrev("abc")',
  substr: 'substr("hello", 1, 3)',
  timeadd: 'timeadd("2024-02-28T12:00:00Z", "24h")',
  title: 'title("hello world")',
  trim: 'trim("--a--", "-")',
  trimprefix: 'trimprefix("v1.2", "v")',
  trimspace: 'trimspace("  a ")',
  trimsuffix: 'trimsuffix("a.hcl", ".hcl")',
  try: 'try(local.missing, "otherwise")',
  upper: 'upper("abc")',
  urlencode: 'urlencode("a b&c")',
  uuidv4: 'strlen(uuidv4())',
  uuidv5: 'uuidv5("dns", "example.com")',
  values: 'values({b = 1, a = 2})',
  yamldecode: 'yamldecode("a: [1, yes]")',
  yamlencode: 'yamlencode({a = ["b"]})',
  zipmap: 'zipmap(["a", "b"], [1, 2])',
};

const fileFunctions = new Set([
  'abspath',
  'basename',
  'dirname',
  'file',
  'filebase64',
  'fileexists',
  'fileset',
  'pathexpand',
]);

export function functionPage(hcl, host) {
  const table = hcl.standardFunctions(host);
  const rows = [...table].sort(([a], [b]) => (a < b ? -1 : 1));
  const parts = [
    `# Functions

Made by \`node scripts/reference.mjs\` from the function table in \`src/hcl/functions\`; do not edit. Each result below was evaluated, and a
test evaluates it again. The functions of files read where the job file is parsed by the command line; where a server parses they are refused.

| function | gives | |
|---|---|---|
${rows.map(([name, made]) => `| [\`${name}\`](#${name}) | ${made.returns ? hcl.typeText(made.returns) : 'depends on its arguments'} | ${made.description} |`).join('\n')}
`,
  ];
  for (const [name, made] of rows) parts.push(section(hcl, table, name, made));
  return parts.join('\n');
}

/** @returns the result of an example in JSON, or why there is none */
function exampleResult(hcl, table, text) {
  const { expr, diagnostics } = hcl.parseExpression(text, 'example');
  const local = hcl.objectValue(new Map());
  const result =
    diagnostics.length > 0
      ? { diagnostics }
      : hcl.evaluate(expr, { functions: table, variables: new Map([['local', local]]) });
  if (result.diagnostics.length > 0)
    throw new Error(`${text}: ${result.diagnostics[0].summary}; ${result.diagnostics[0].detail}`);
  return hcl.jsonText(result.value);
}

function section(hcl, table, name, made) {
  const params = made.params ?? made.parameterNames.map((param) => ({ name: param }));
  const words = params.map((param) => param.name);
  if (made.rest) words.push(`${made.rest.name}…`);
  const typed = [...params, ...(made.rest ? [made.rest] : [])].filter((param) => param.type);
  const types = typed
    .map((param) => `\`${param.name}\`: ${param.type.kind === 'dynamic' ? 'any value' : hcl.typeName(param.type)}`)
    .join('; ');
  const example = functionExamples[name];
  if (example === undefined) throw new Error(`no example of ${name}`);
  return `## ${name}

\`${name}(${words.join(', ')})\` – ${made.description}${fileFunctions.has(name) ? ' Refused where a server parses.' : ''}

${types}${types ? '\n\n' : ''}\`\`\`hcl
${example}
# ${exampleResult(hcl, table, example)}
\`\`\`
`;
}
