/**
 * Images that tasks use: pulled once for all who want them at the same time, counted, and taken away when nobody has used them for a
 * while.
 *
 *   wanted ─▶ pulling (one per reference) ─▶ used by n tasks ─▶ unused ──(delay)──▶ removed
 */
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { abortable } from '../../lib/abortable.ts';
import { Fault, isFault, messageOf } from '../../lib/fault.ts';
import type { Log } from '../../lib/log.ts';
import { openBeneath } from '../../lib/node/safe-path.ts';
import { textAt } from './engine-answers.ts';
import { type EngineClient, jsonLines } from './engine-client.ts';
import { parseImageName, referenceOf } from './image-name.ts';
import { PullProgress } from './pull-progress.ts';
import { type AuthSources, authHeader, registryAuth } from './registry-auth.ts';

export interface ImageWish {
  /** As the job names it. */
  readonly image: string;
  /** A tar that holds it; `""`: none. With one, `image` may be `""`: the first in it. */
  readonly load: string;
  /** Where the tar is found: the task's directory. */
  readonly directory: string;
  /** `"linux/arm64/v8"`; `""`: the host's. */
  readonly platform: string;
  /** False: the registry's certificate is believed unseen. Only podman can. */
  readonly tlsVerify: boolean;
  readonly forcePull: boolean;
  readonly auth: AuthSources;
  /** Credentials that cannot be had are no reason to give up. */
  readonly authSoftFail: boolean;
  readonly timeoutMs: number;
  /** A pull that does not move for so long is given up. */
  readonly activityTimeoutMs: number;
}

export interface ImageDetails {
  readonly id: string;
  /** What the engine says about it. */
  readonly answer: unknown;
}

export interface ImagesOptions {
  /** Null: images stay. */
  readonly removeAfterMs: number | null;
  readonly log: Log;
}

interface Pull {
  readonly done: Promise<void>;
  readonly limit: AbortController;
  waiting: number;
}

/** How often a pull tells how far it is. */
const reportEveryMs = 10_000;
const never = new AbortController().signal;

export class Images {
  readonly #client: EngineClient;
  readonly #options: ImagesOptions;
  readonly #pulls = new Map<string, Pull>();
  /** Image id → its removal, while that goes on. */
  readonly #removals = new Map<string, Promise<void>>();
  /** Image id → tasks that use it. */
  readonly #users = new Map<string, Set<string>>();
  readonly #names = new Map<string, string>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  constructor(client: EngineClient, options: ImagesOptions) {
    this.#client = client;
    this.#options = options;
  }

  /** The image of a task, which it holds from now on. `say`: what the task's events tell meanwhile. */
  async acquire(
    taskId: string,
    wish: ImageWish,
    say: (message: string, annotations: Readonly<Record<string, string>>) => void,
    signal: AbortSignal,
  ): Promise<ImageDetails> {
    const loaded = wish.load === '' ? '' : await this.#load(wish, signal);
    const { name, reference } = namedImage(wish.image || loaded);
    const pulled = wish.forcePull || name.tag === 'latest';
    let found = pulled && wish.load === '' ? null : await this.#look(reference, signal);
    if (wish.load === '' && (found === null || !isOf(found, wish.platform))) {
      await this.#pull(reference, name.registry, wish, say, signal);
      found = await this.#look(reference, signal);
    }
    if (found === null)
      throw new Fault(
        'not_found',
        wish.load === '' ? `there is no image ${reference}` : `${wish.load} holds no image ${reference}`,
        { recoverable: true },
      );
    this.hold(taskId, found.id, reference);
    return found;
  }

  /** As the engine has it now, held for nobody; nothing is known of one that has to be fetched first. `Fault('invalid')`: the name is none. */
  async known(wish: ImageWish, signal: AbortSignal): Promise<ImageDetails> {
    if (wish.image === '' && wish.load !== '') return unknownImage;
    return (await this.#inspect(namedImage(wish.image).reference, signal)) ?? unknownImage;
  }

  /** A task that was found again uses it. */
  hold(taskId: string, imageId: string, name = imageId): void {
    clearTimeout(this.#timers.get(imageId));
    this.#timers.delete(imageId);
    const users = this.#users.get(imageId) ?? new Set();
    users.add(taskId);
    this.#users.set(imageId, users);
    if (!this.#names.has(imageId) || name !== imageId) this.#names.set(imageId, name);
  }

  release(taskId: string): void {
    for (const [imageId, users] of this.#users) {
      if (!users.delete(taskId) || users.size > 0) continue;
      this.#users.delete(imageId);
      this.#removeLater(imageId);
    }
  }

  close(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  #removeLater(imageId: string): void {
    const { removeAfterMs } = this.#options;
    if (removeAfterMs === null) return;
    const remove = (): void => {
      const removal = this.#remove(imageId).finally(() => this.#removals.delete(imageId));
      this.#removals.set(imageId, removal);
    };
    const timer = setTimeout(remove, Math.min(removeAfterMs, 2 ** 31 - 1));
    timer.unref();
    this.#timers.set(imageId, timer);
  }

  async #remove(imageId: string): Promise<void> {
    this.#timers.delete(imageId);
    if (this.#users.has(imageId)) return;
    const name = this.#names.get(imageId) ?? imageId;
    this.#names.delete(imageId);
    try {
      await this.#client.text('DELETE', `/images/${encodeURIComponent(name)}`, { signal: never });
      this.#options.log.debug('an image that nobody used was removed', { image: name });
    } catch (error) {
      // gone already, or used by a container that is not ours
      if (!isFault(error, 'not_found') && !isFault(error, 'conflict'))
        this.#options.log.warn('an image could not be removed', { image: name, error: messageOf(error) });
    }
  }

  /** One that is being removed is not there until that has failed. */
  async #look(reference: string, signal: AbortSignal): Promise<ImageDetails | null> {
    for (;;) {
      const found = await this.#inspect(reference, signal);
      const removal = found === null ? undefined : this.#removals.get(found.id);
      if (removal === undefined) return found;
      await abortable(removal, signal);
    }
  }

  async #inspect(reference: string, signal: AbortSignal): Promise<ImageDetails | null> {
    try {
      const answer = await this.#client.json('GET', `/images/${encodeURIComponent(reference)}/json`, { signal });
      const id = textAt(answer, 'Id');
      return id === '' ? null : { id, answer };
    } catch (error) {
      if (isFault(error, 'not_found')) return null;
      throw error;
    }
  }

  /** The tar is the task's to swap: it is opened without following links. Resolves with the name of the first image in it. */
  async #load(wish: ImageWish, signal: AbortSignal): Promise<string> {
    const file = await openBeneath(wish.directory, wish.load).catch(async (error: unknown) => {
      // as Nomad: where the artifact block puts things
      if (isFault(error, 'not_found')) return openBeneath(wish.directory, join('local', wish.load));
      throw error;
    });
    const body = createReadStream('', { fd: file });
    const options = { query: { quiet: '1' }, body, headers: { 'Content-Type': 'application/x-tar' }, signal };
    const answer = await this.#client.stream('POST', '/images/load', { ...options, timeoutMs: wish.timeoutMs });
    let name = '';
    for await (const message of jsonLines(answer)) {
      const error = textAt(message, 'error');
      if (error !== '') throw new Fault('invalid', `${wish.load} cannot be loaded: ${error}`);
      name ||= /^Loaded image(?:\(s\)|s)?(?: ID)?: ([^\s,]+)/.exec(textAt(message, 'stream'))?.[1] ?? '';
    }
    if (name === '' && wish.image === '') throw new Fault('invalid', `${wish.load} does not name the image in it`);
    return name;
  }

  /** Whoever gives up waiting leaves the pull to the others who ask for the same; the last of them ends it. */
  async #pull(
    reference: string,
    registry: string,
    wish: ImageWish,
    say: (message: string, annotations: Readonly<Record<string, string>>) => void,
    signal: AbortSignal,
  ): Promise<void> {
    say('Downloading image', { image: reference });
    const { auth, authSoftFail, platform, tlsVerify, timeoutMs } = wish;
    // another's credentials are not ours, nor is their patience
    const key = JSON.stringify([reference, auth, authSoftFail, platform, tlsVerify, timeoutMs]);
    let pull = this.#pulls.get(key);
    if (pull === undefined) {
      const limit = new AbortController();
      pull = { done: this.#pullNow(reference, registry, wish, say, limit), limit, waiting: 0 };
      this.#pulls.set(key, pull);
    }
    pull.waiting++;
    try {
      await abortable(pull.done, signal);
    } finally {
      if (--pull.waiting === 0) {
        if (this.#pulls.get(key) === pull) this.#pulls.delete(key);
        pull.limit.abort(new Fault('unavailable', `pull of ${reference}: nobody waits for it any more`));
        pull.done.catch(() => {});
      }
    }
  }

  async #pullNow(
    reference: string,
    registry: string,
    wish: ImageWish,
    say: (message: string, annotations: Readonly<Record<string, string>>) => void,
    limit: AbortController,
  ): Promise<void> {
    const auth = await registryAuth(registry, wish.auth).catch((error: unknown) => {
      if (wish.authSoftFail) return null;
      throw error;
    });
    const headers = auth === null ? {} : { 'X-Registry-Auth': authHeader(auth) };
    const giveUp = (why: string): void =>
      limit.abort(new Fault('unavailable', `pull of ${reference}: ${why}`, { recoverable: true }));
    const whole = setTimeout(() => giveUp(`not done within ${wish.timeoutMs / 1000} s`), wish.timeoutMs);
    const progress = new PullProgress();
    let moved = Date.now();
    const watching = this.#watch(
      () => {
        if (Date.now() - moved > wish.activityTimeoutMs) giveUp(`nothing moved for ${wish.activityTimeoutMs / 1000} s`);
      },
      () => say(`Image pull progress: ${progress.line}`, { image: reference }),
      limit.signal,
    );
    try {
      const timeoutMs = wish.activityTimeoutMs;
      const { path, query } = pullCall(reference, wish);
      const stream = await this.#client.stream('POST', path, {
        query,
        headers,
        signal: limit.signal,
        timeoutMs,
      });
      for await (const message of jsonLines(stream)) if (progress.take(message)) moved = Date.now();
      limit.signal.throwIfAborted();
    } catch (error) {
      throw pullFault(reference, limit.signal.aborted ? limit.signal.reason : error);
    } finally {
      clearTimeout(whole);
      watching();
    }
    if (progress.error !== '') throw pullFault(reference, new Fault('unavailable', progress.error));
  }

  #watch(check: () => void, report: () => void, signal: AbortSignal): () => void {
    const stop = new AbortController();
    void (async () => {
      for (let at = 1; !stop.signal.aborted && !signal.aborted; at++) {
        await sleep(1_000, undefined, { signal: stop.signal, ref: false }).catch(() => undefined);
        if (stop.signal.aborted) return;
        check();
        if (at % (reportEveryMs / 1_000) === 0) report();
      }
    })();
    return () => stop.abort();
  }
}

/** Of one that has to be fetched first. */
export const unknownImage: ImageDetails = { id: '', answer: null };

function namedImage(image: string) {
  const name = parseImageName(image);
  return { name, reference: /^sha256:[0-9a-f]{64}$/.test(image) ? image : referenceOf(name) };
}

/** What is there under the name may be another machine's. */
function isOf({ answer }: ImageDetails, platform: string): boolean {
  const own = ['Os', 'Architecture', 'Variant'].map((name) => textAt(answer, name));
  return platform.split('/').every((part, at) => part === '' || own[at] === '' || part === own[at]);
}

/** The call that docker has too, where that can say what is wanted. */
function pullCall(reference: string, { platform, tlsVerify }: ImageWish) {
  if (tlsVerify)
    return { path: '/images/create', query: { fromImage: reference, ...(platform === '' ? {} : { platform }) } };
  const parts = platform.split('/').map((value, at) => [['os', 'arch', 'variant'][at] ?? '', value] as const);
  const query = Object.fromEntries(parts.filter(([, value]) => value !== ''));
  return { path: '/libpod/images/pull', query: { reference, tlsVerify: 'false', ...query } };
}

/** Nobody may say whether it will be there a minute later: trying again can help. */
function pullFault(reference: string, error: unknown): Fault {
  const kind = isFault(error) ? error.kind : 'unavailable';
  const text = messageOf(error);
  const message = text.startsWith('pull of ') ? text : `image ${reference} cannot be pulled: ${text}`;
  return new Fault(kind, message, { recoverable: true, cause: error });
}
