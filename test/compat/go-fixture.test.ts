// A task driver written in Go, built with Nomad's own plugin packages, in our host.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { toBinary, toJsonString } from '@bufbuild/protobuf';
import { decode, ExtData } from '@msgpack/msgpack';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decodeThroughSpec } from '../../src/driver/config-chain.ts';
import { type Spec, SpecSchema } from '../../src/driver/gen/nomad/hclspec_pb.ts';
import { readSpec } from '../../src/driver/spec-tree.ts';
import { type ExternalDriver, externalDriver } from '../../src/driver-kit/remote/external-driver.ts';
import { openScratchHost, type ScratchHost } from '../../src/driver-kit/scratch-host.ts';
import { stringValue, type Value } from '../../src/hcl/index.ts';
import { isFault } from '../../src/lib/fault.ts';
import { formatJson } from '../../src/lib/json.ts';
import { createLog, type LogEntry } from '../../src/lib/log.ts';
import { runCli } from '../e2e/cli.ts';
import { specCases } from './spec-cases.ts';

const folder = resolve(import.meta.dirname, 'go-plugin');
const modules = process.env['GOFLAGS'] ?? '';
const go = (() => {
  try {
    execFileSync('go', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
})();
const never = new AbortController().signal;

/** In hexadecimal; `refused` of specification or options. */
function decodedByUs(spec: Spec, config: unknown, variables: ReadonlyMap<string, Value> | null): string {
  try {
    const result = decodeThroughSpec(config, readSpec(spec), variables);
    return result.ok ? Buffer.from(result.msgpack).toString('hex') : 'refused';
  } catch (error) {
    if (isFault(error, 'invalid')) return 'refused';
    throw error;
  }
}

/**
 * An unknown value (an extension in MessagePack) somewhere in it: where a null without a type stands beside lists or objects of `any`, Go finds
 * no type for them all and sends each as unknown, which no driver can read.
 */
function holdsUnknown(value: unknown): boolean {
  if (value instanceof ExtData) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some(holdsUnknown);
}

describe.skipIf(!go)(`a driver in Go${go ? '' : ' (skipped: no Go toolchain)'}`, () => {
  const files = mkdtempSync(join(tmpdir(), 'drover-go-'));
  const program = join(files, 'go_fixture');
  const entries: LogEntry[] = [];
  let host: ScratchHost;
  let driver: ExternalDriver;

  const open = (config: unknown, directory = 'plugin', env: Record<string, string> = {}): ExternalDriver =>
    externalDriver({
      fileName: 'go_fixture',
      command: [program],
      config,
      env: { PATH: process.env['PATH'] ?? '', ...env },
      directory: join(files, directory),
      log: createLog('plugin', (entry) => entries.push(entry), Date.now),
      deps: host.deps,
    });

  beforeAll(async () => {
    execFileSync('go', ['build', '-o', program, '.'], { cwd: folder, env: { ...process.env, GOFLAGS: modules } });
    host = await openScratchHost({ isolation: false });
    driver = open({ greeting: 'hello' });
    await driver.open();
  }, 300_000);

  afterAll(async () => {
    await driver.close();
    await host.close();
    rmSync(files, { recursive: true, force: true });
  });

  it('says what it is, and its log keeps levels and fields', async () => {
    expect(driver.problem).toBeNull();
    expect(driver.engine.info).toMatchObject({ name: 'go_fixture', version: '0.3.0', filesystem: 'none' });
    expect(driver.engine.signal).toBeUndefined();
    expect(driver.engine.exec).toBeUndefined();
    for await (const report of driver.engine.fingerprint(never)) {
      expect(report).toMatchObject({
        health: 'healthy',
        attributes: { 'driver.go_fixture': 'true', 'driver.go_fixture.memory': '3GiB' },
      });
      break;
    }
    await expect
      .poll(() => entries.find(({ message }) => message === 'configured'))
      .toMatchObject({ level: 'warn', fields: { greeting: 'hello', cores: cpus().length } });
  });

  it('is taken at its word where go-plugin says whether it could multiplex: a handshake of seven fields', async () => {
    const handshake = (directory: string): string[] => {
      const output = readdirSync(join(files, directory)).find((name) => /^stdout\..*\.0$/.test(name));
      return readFileSync(join(files, directory, output!), 'utf8')
        .trim()
        .split('|');
    };
    const seven = open({ greeting: 'hello' }, 'seven', { PLUGIN_MULTIPLEX_GRPC: 'false' });
    await seven.open();
    expect([seven.problem, seven.engine.info.name]).toEqual([null, 'go_fixture']);
    expect(handshake('seven')).toEqual(['1', '2', 'unix', expect.any(String), 'grpc', '', 'true']);
    expect(handshake('plugin')).toHaveLength(6);
    await seven.close();
  });

  it('gets options byte for byte as from a host in Go', () => {
    const { config, bytes } = JSON.parse(execFileSync(program, ['bytes'], { encoding: 'utf8' }));
    const decoded = driver.decodeTemplates(config, new Map());
    if (!decoded.ok) throw new Error(decoded.problems.join('; '));
    expect(Buffer.from(decoded.value as Uint8Array).toString('hex')).toBe(bytes);
  });

  it('decodes options of any specification as Go does: the same bytes, or a refusal by both', () => {
    const variables = { who: 'you', n: '2' };
    const values = new Map(Object.entries(variables).map(([name, value]) => [name, stringValue(value)]));
    const cases = fc.sample(specCases, {
      numRuns: Number(process.env['DROVER_ROUNDS'] ?? 4000),
      ...(process.env['DROVER_SEED'] === undefined ? {} : { seed: Number(process.env['DROVER_SEED']) }),
    });
    const input = cases.map(({ spec, config, operator }) =>
      formatJson({
        Spec: Buffer.from(toBinary(SpecSchema, spec)).toString('base64'),
        Config: config,
        Variables: operator ? null : variables,
      }),
    );
    const answers = execFileSync(program, ['decode'], {
      input: input.join('\n'),
      maxBuffer: 2 ** 28,
      encoding: 'utf8',
    });
    const counts = { same: 0, refused: 0, any: 0 };
    for (const [at, line] of answers.trim().split('\n').entries()) {
      const { bytes, error } = JSON.parse(line) as { bytes?: string; error?: string };
      // nothing to agree with: Go crashed
      if (error?.startsWith('panic: ') === true) continue;
      const { spec, config, operator } = cases[at]!;
      const lost = bytes !== undefined && holdsUnknown(decode(Buffer.from(bytes, 'hex'), { useBigInt64: true }));
      const text = toJsonString(SpecSchema, spec);
      expect(decodedByUs(spec, config, operator ? null : values), `${text} ${input[at]} ${bytes ?? error}`).toBe(
        lost ? 'refused' : (bytes ?? 'refused'),
      );
      if (bytes !== undefined && !lost && /\((any|\[any)|=any|"type":"any"/.test(text)) counts.any++;
      counts[bytes === undefined ? 'refused' : 'same']++;
    }
    // a generator that fits nothing, or everything, shows nothing
    expect(counts.same).toBeGreaterThan(800);
    expect(counts.refused).toBeGreaterThan(400);
    expect(counts.any).toBeGreaterThan(100);
  });

  it('refuses wrong options of operator and task with their names', async () => {
    expect(driver.decodeTemplates({ txt: 'x' }, new Map())).toMatchObject({
      ok: false,
      problems: expect.arrayContaining([expect.stringMatching(/"txt".*Did you mean "text"/)]),
    });
    const wrong = open({}, 'wrong');
    await wrong.open();
    expect(wrong.problem).toMatch(/"greeting" is required/);
    await wrong.close();
  });

  async function task(config: Record<string, unknown>) {
    const decoded = driver.decodeTemplates(config, new Map());
    if (!decoded.ok) throw new Error(decoded.problems.join('; '));
    return host.scratch.task(decoded.value);
  }

  it('runs tasks: output through FIFOs into rotated files, exit code', async () => {
    const of = await task({ text: 'from Go', exit_code: 23 });
    const { engine } = driver;
    await engine.start(of, never);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 23, signal: 0 });
    await engine.destroy(of.id, { force: false }, never);
    expect(readFileSync(join(of.directories.logs, `${of.name}.stdout.0`), 'utf8')).toBe('from Go\n');
    await expect(engine.wait(of.id, never)).rejects.toMatchObject({ kind: 'not_found' });
  });

  it('makes the network of an allocation, once, and takes it away', async () => {
    const { engine } = driver;
    expect(engine.info.networkModes).toEqual(['group']);
    const first = await engine.createNetwork!('alloc-1', 'web', never);
    expect(first).toEqual({
      created: true,
      network: {
        mode: 'group',
        path: '/run/alloc-1',
        labels: { made: 'by Go' },
        hosts: { hostname: 'web', address: '10.9.8.7' },
      },
    });
    expect(await engine.createNetwork!('alloc-1', 'web', never)).toMatchObject({ created: false });
    await expect(engine.destroyNetwork!('alloc-1', { ...first.network, path: '/x' }, never)).rejects.toThrow(
      /is not \/x/,
    );
    await engine.destroyNetwork!('alloc-1', first.network, never);
    expect(await engine.createNetwork!('alloc-1', '', never)).toMatchObject({ created: true });
  });

  it('is started again when it is killed, and its task is recovered', async () => {
    const of = await task({ text: 'x', exit_code: 4, run_for: '3s' });
    const { engine } = driver;
    const { state } = await engine.start(of, never);
    const { pid } = JSON.parse(readFileSync(join(files, 'plugin/plugin.json'), 'utf8')) as { pid: number };
    process.kill(pid, 'SIGKILL');
    await expect
      .poll(
        () =>
          engine.recover(of, state, never).then(
            () => true,
            () => false,
          ),
        { timeout: 10_000 },
      )
      .toBe(true);
    expect(await engine.wait(of.id, never)).toMatchObject({ exitCode: 4 });
    await engine.destroy(of.id, { force: false }, never);
  });

  it('passes driver check, killed and held up on the way', async () => {
    const tasks = join(folder, 'fixture.check.hcl');
    const { stdout, code } = await runCli(null, ['driver', 'check', '-json', `-tasks=${tasks}`, program]);
    const { rows } = JSON.parse(stdout) as { rows: { name: string; outcome: string; reason: string }[] };
    const without = rows.filter(({ outcome }) => outcome !== 'passed');
    expect(
      without.map(({ name, outcome, reason }) => `${outcome === 'failed' ? `${name} ` : ''}${outcome}: ${reason}`),
    ).toEqual([
      'skipped: the file says nothing of a task that stubborn',
      ...Array(3).fill('skipped: the file says nothing of a task that execs'),
    ]);
    expect(rows.length).toBeGreaterThan(25);
    expect(code).toBe(0);
  }, 300_000);

  it('ends when it is told to', async () => {
    await driver.close();
    expect(existsSync(join(files, 'plugin/plugin.json'))).toBe(false);
  });
});
