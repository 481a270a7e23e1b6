/** What a driver over a container engine says; everything else (watching, ends, logs, images, exec, recovery) is the kit's. */
import type { DriverInfo, NetworkOverride, TaskConfig } from '../../driver/contract.ts';
import type { CgroupLimits } from '../../isolation/cgroup/limits.ts';
import type { ContainerState } from './engine-answers.ts';
import type { EngineFacts } from './engine-facts.ts';
import type { ImageDetails, ImageWish } from './images.ts';
import type { OwnSource } from './own-sources.ts';

export interface ContainerPlan {
  /** Of the container: `"web-<allocation>"`. */
  readonly name: string;
  readonly image: ImageWish;
  /** With a terminal: one stream of output. */
  readonly tty: boolean;
  readonly limits: CgroupLimits;
  /** Places inside that are the task's to write. */
  readonly writable: readonly string[];
  /** Its filter lets it change no limit on images of its memory. */
  readonly keepsCoreLimit: boolean;
  /** What the body mounts of the allocation. */
  readonly own: readonly OwnSource[];
  /** The body of the call that makes the container; labels of the kit are added. */
  create(image: ImageDetails): Readonly<Record<string, unknown>>;
  /** The same body, where the engine takes some of it by the names of files: they are written. Absent: it takes it as it is. */
  written?(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>>;
  /** Where the container is reached. */
  network(state: ContainerState): NetworkOverride | null;
}

/** The body as the engine gets it, files and all. */
export function bodyOf(plan: Pick<ContainerPlan, 'create' | 'written'>, image: ImageDetails) {
  const body = plan.create(image);
  return plan.written?.(body) ?? body;
}

export interface ContainerDriver {
  readonly info: DriverInfo;
  /** What the engine's containers can join: a namespace that has a path, or another container. */
  readonly joins: 'path' | 'container';
  /** A task's options that ask for as little as can be, decoded: what such a task has is what the node offers. */
  readonly strictest: unknown;
  /** Attributes of the node beyond version and isolation. */
  attributes(facts: EngineFacts): Readonly<Record<string, string>>;
  /**
   * Refuses what the operator forbids: `Fault('denied')`, and what is wrong: `Fault('invalid')`. `network`: the engine's name for the
   * network that the group's tasks share; null: they share none.
   */
  plan(task: TaskConfig, facts: EngineFacts, network: string | null): Promise<ContainerPlan>;
}

export interface ContainerRules {
  /** Of `"docker"` or `"podman"`, for messages and attributes. */
  readonly engine: string;
  readonly collectLogs: boolean;
  /** Ended containers are removed. */
  readonly removeContainers: boolean;
  /** Null: images stay. */
  readonly removeImagesAfterMs: number | null;
  /** How often a container of the same name is taken out of the way. */
  readonly existsAttempts: number;
  /** Containers of ours that nobody knows; null: left alone. */
  readonly dangling: {
    readonly periodMs: number;
    readonly graceMs: number;
    /** They are only named in the log. */
    readonly dryRun: boolean;
  } | null;
}

/** What any engine's containers can. */
export function containerDriverInfo(name: string): DriverInfo {
  return { name, version: '0.1.0', filesystem: 'image', networkModes: ['host', 'group', 'none'], mounts: true };
}
