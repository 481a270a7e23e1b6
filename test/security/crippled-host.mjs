// Run inside a crippled host: what the doctor says of it, what exec says a task would get, and what tasks then really get. Prints JSON.
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dist = new URL('../../dist/', import.meta.url);
const drover = fileURLToPath(new URL('../../bin/drover.js', import.meta.url));
const load = (path) => import(new URL(path, dist).href);
const { examineHost } = await load('agent/examine-host.js');
const { openScratchHost } = await load('driver-kit/scratch-host.js');
const { openDriver } = await load('driver-kit/driver-plugin.js');
const { exec } = await load('drivers/exec/index.js');
const { predictIsolation } = await load('model/isolation-ability.js');
const { noFloor } = await load('model/isolation-floor.js');
const { rungs } = await load('model/isolation-ladder.js');

const never = new AbortController().signal;

async function run(host, driver, network, floor) {
  const task = await host.task(driver, { command: '/bin/sh', args: ['-c', 'true'] }, { network, isolationFloor: floor });
  try {
    const started = await driver.engine.start(task, never);
    const exit = await driver.engine.wait(task.id, never);
    await driver.engine.destroy(task.id, { force: true }, never);
    return { report: started.isolation, exitCode: exit.exitCode };
  } catch (error) {
    return { refused: String(error.message) };
  }
}

async function withDriver(use) {
  const host = await openScratchHost({ isolation: true });
  const driver = openDriver(exec, {}, host.deps);
  try {
    return await use(host, driver);
  } finally {
    await driver.engine.close();
    await host.close();
  }
}

const tasks = () => withDriver(async (host, driver) => {
  const { value } = await driver.engine.fingerprint(never)[Symbol.asyncIterator]().next();
  const result = {};
  for (const mode of ['none', 'host']) {
    const network = mode === 'none' ? { mode: 'none', path: '', labels: {} } : null;
    const predicted = predictIsolation(value.attributes, { Networks: [{ Mode: mode }] }, { Driver: 'exec', Config: {} }, noFloor);
    const got = await run(host, driver, network, 'none');
    const above = rungs[rungs.indexOf(got.report?.rung ?? 'none') + 1];
    const refused = await run(host, driver, network, above);
    result[mode] = {
      predicted: predicted?.rung,
      rung: got.report?.rung ?? 'refused',
      exitCode: got.exitCode,
      why: got.refused ?? '',
      refused: refused.refused ?? '',
      unavailable: (got.report?.mechanisms ?? []).filter(({ state }) => state === 'unavailable').map(({ name }) => name),
    };
  }
  return result;
});
/** In a group that is full a place is free once what was started before has ended. */
async function withRoom(start) {
  for (const deadline = Date.now() + 10_000; ; ) {
    try {
      return start();
    } catch (error) {
      if (error.code !== 'EAGAIN' || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

const ownerOfNull = () => statSync('/dev/null', { throwIfNoEntry: false })?.uid ?? null;

const before = ownerOfNull();
const modes = process.env.DOCTOR_ONLY === '1' ? null : await tasks();
const scratch = mkdtempSync(join(tmpdir(), 'drover-crippled-'));
chmodSync(scratch, 0o711);
try {
  const look = () => examineHost({
    stateDirectory: join(scratch, 'state'),
    dataDirectory: process.env.DATA_DIR || scratch,
    cgroupParent: process.env.CGROUP,
  });
  const doctor = await look();
  const keptOwner = ownerOfNull() === before;
  // what the doctor advises is done, where the test says so, and looked at again
  const advice = doctor.Climbs[0]?.Remedies ?? [];
  const carried = process.env.CARRY_OUT === '1' && advice.length > 0;
  // the shell in which it is done starts what looks again
  const again = ['exec "$NODE" "$DROVER" doctor -json -data-dir "$DATA_DIR" -cgroup-parent "$CGROUP"'];
  const script = [...advice.map(({ Command }) => `{ ${Command}\n} >&2 || exit 1`), ...again].join('\n');
  const env = { ...process.env, PATH: `${process.env.BIN}:${process.env.PATH}`, NODE: process.execPath, DROVER: drover };
  const after = carried ? JSON.parse(await withRoom(() => execFileSync('sh', ['-ec', script], { env }))) : null;
  process.stdout.write(JSON.stringify({ modes, doctor, after, keptOwner }));
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
