import { Fault, isFault } from '../lib/fault.ts';
import type { Recovered, Shim, StartRecord, Supervisor } from './contract.ts';
import { FallbackSpawner } from './fallback/spawner.ts';
import { locateNative } from './locate.ts';
import { readShimIdentity, writeIntent } from './record-directory.ts';
import { endOf, recoverShim } from './recover.ts';
import { ShimClient } from './shim-client.ts';
import { NativeSpawner, type Spawner } from './spawner.ts';
import { encodeStart } from './start-fields.ts';
import { isAlive } from './this-host.ts';

export interface SupervisorOptions {
  /** Default: native where the program is there. */
  readonly kind?: 'native' | 'typescript';
  /** The compiled `fallback/main.js`; default: the one that came with the package. */
  readonly fallbackProgram?: string;
}

/** The supervisor of this agent. `Fault('unsupported')` where the native one is demanded and not built. */
export function createSupervisor(options: SupervisorOptions = {}): Supervisor {
  const program = options.kind === 'typescript' ? null : locateNative('drover-shim');
  if (options.kind === 'native' && program === null) {
    throw new Fault('unsupported', 'the native shim is not built: run `npm run build` where there is a C compiler');
  }
  return program === null
    ? new ShimSupervisor('typescript', new FallbackSpawner(options.fallbackProgram))
    : new ShimSupervisor('native', new NativeSpawner(program));
}

class ShimSupervisor implements Supervisor {
  readonly kind: 'native' | 'typescript';
  readonly #spawner: Spawner;

  constructor(kind: 'native' | 'typescript', spawner: Spawner) {
    this.kind = kind;
    this.#spawner = spawner;
  }

  async start(record: StartRecord): Promise<Shim> {
    const { stored } = await this.#launch(record);
    return ShimClient.connect(record.directory, endOf, stored);
  }

  async collect(record: StartRecord): Promise<void> {
    await this.#launch(record);
  }

  /** Resolves once the shim listens, with when its intent is on the disk. */
  async #launch(record: StartRecord): Promise<{ readonly stored: Promise<void> }> {
    const fields = encodeStart(record);
    const stored = writeIntent(record);
    // a command that nobody holds runs as soon as it is there; one that is held is not let go before
    const runsAtOnce = record.launcher.kind !== 'none' && record.gate === undefined;
    if (runsAtOnce) await stored;
    else stored.catch(() => {});
    try {
      await this.#spawner.spawn(fields);
    } catch (error) {
      if (!isFault(error, 'unavailable') || !(await wasBorn(record.directory))) throw error;
    }
    return { stored };
  }

  recover(directory: string): Promise<Recovered> {
    return recoverShim(directory);
  }

  close(): Promise<void> {
    return this.#spawner.close();
  }
}

/** The helper may die after it forked: the shim is there although nobody said so. */
async function wasBorn(directory: string): Promise<boolean> {
  const identity = await readShimIdentity(directory).catch(() => null);
  return identity !== null && isAlive(identity.pid, identity.startTime);
}
