/**
 * The network of an allocation among an engine's containers, where the engine joins containers only: one small container for each
 * allocation, whose process has entered the network that the agent made. It goes with the allocation's last task.
 */
import { readlink, stat } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { TaskConfig } from '../../driver/contract.ts';
import { Fault, isFault } from '../../lib/fault.ts';
import { locateNative } from '../../supervise/locate.ts';
import { allocationLabel, ownerLabel, removeContainer, taskLabel } from './container-start.ts';
import { type ContainerState, containerState, textAt } from './engine-answers.ts';
import type { EngineClient } from './engine-client.ts';
import { programImage } from './program-image.ts';

const enterLimitMs = 5_000;

export class NetworkHolders {
  readonly #client: EngineClient;
  readonly #owner: string;
  readonly #making = new Map<string, Promise<string>>();

  constructor(client: EngineClient, owner: string) {
    this.#client = client;
    this.#owner = owner;
  }

  /** The id of the container that stands for the network of the task's allocation; made once for all its tasks. */
  async hold(task: TaskConfig, path: string, signal: AbortSignal): Promise<string> {
    const known = this.#making.get(task.allocId);
    if (known !== undefined) return known;
    const making = this.#make(task, path, signal).finally(() => this.#making.delete(task.allocId));
    this.#making.set(task.allocId, making);
    return making;
  }

  /** None: no error. */
  async release(allocId: string): Promise<void> {
    await removeContainer(this.#client, nameOf(allocId));
  }

  async #make(task: TaskConfig, path: string, signal: AbortSignal): Promise<string> {
    const found = await this.#look(task.allocId, signal);
    if (found?.running === true && (await isIn(found.pid, path))) return found.id;
    if (found !== null) await removeContainer(this.#client, found.id);
    const image = await this.#image(signal);
    const hostname = task.network?.hosts?.hostname ?? '';
    const body = {
      Image: image,
      ...(hostname === '' ? {} : { Hostname: hostname }),
      Cmd: ['/drover-pause', '/network'],
      Labels: {
        [allocationLabel]: task.allocId,
        [taskLabel]: `${task.allocId}/network`,
        [ownerLabel]: this.#owner,
      },
      HostConfig: {
        NetworkMode: 'none',
        Binds: [`${path}:/network:ro`],
        // where the daemon maps users: mapped root may enter no network of the host's making
        UsernsMode: 'host',
        CapDrop: ['ALL'],
        // to enter the network, and to become nobody then
        CapAdd: ['SYS_ADMIN', 'SETUID', 'SETGID'],
        ReadonlyRootfs: true,
        PidsLimit: 8,
        Memory: 16 << 20,
        MemorySwap: 16 << 20,
        Dns: task.dns?.servers ?? [],
        DnsSearch: task.dns?.searches ?? [],
        DnsOptions: task.dns?.options ?? [],
      },
    };
    const query = { name: nameOf(task.allocId) };
    const id = textAt(await this.#client.json('POST', '/containers/create', { query, body, signal }), 'Id');
    try {
      await this.#client.text('POST', `/containers/${id}/start`, { signal });
      await this.#entered(id, path, signal);
      return id;
    } catch (error) {
      await removeContainer(this.#client, id).catch(() => {});
      throw error;
    }
  }

  async #look(allocId: string, signal: AbortSignal): Promise<ContainerState | null> {
    try {
      return containerState(await this.#client.json('GET', `/containers/${nameOf(allocId)}/json`, { signal }));
    } catch (error) {
      if (isFault(error, 'not_found')) return null;
      throw error;
    }
  }

  async #entered(id: string, path: string, signal: AbortSignal): Promise<void> {
    for (const deadline = Date.now() + enterLimitMs; Date.now() < deadline; await sleep(10, undefined, { signal })) {
      const state = containerState(await this.#client.json('GET', `/containers/${id}/json`, { signal }));
      if (!state.running)
        throw new Fault(
          'unavailable',
          `the network of the group cannot be entered: its container ended with ${state.exitCode}`,
        );
      if (await isIn(state.pid, path)) return;
    }
    throw new Fault('unavailable', `the network of the group was not entered within ${enterLimitMs / 1000} s`);
  }

  async #image(signal: AbortSignal): Promise<string> {
    const program = locateNative('drover-pause');
    if (program === null)
      throw new Fault(
        'unsupported',
        'the native program that enters networks is not built: the group needs another driver',
      );
    return programImage(this.#client, { name: 'drover/pause', program, directories: [], open: [] }, signal);
  }
}

function nameOf(allocId: string): string {
  return `drover_network_${allocId}`;
}

/** Whether a process is in the network namespace that a file stands for. */
async function isIn(pid: number, path: string): Promise<boolean> {
  if (pid <= 1) return false;
  const [own, wanted] = await Promise.all([
    readlink(`/proc/${pid}/ns/net`).catch(() => ''),
    stat(path).catch(() => null),
  ]);
  return wanted !== null && own === `net:[${wanted.ino}]`;
}
