/** What the engine says while it pulls → one line for people, and when it last moved. Pure. */
import { numberAt, textAt } from './engine-answers.ts';

interface Layer {
  readonly status: string;
  readonly current: number;
  readonly total: number;
}

export class PullProgress {
  readonly #layers = new Map<string, Layer>();
  /** An error the engine reported within the stream; `""`: none. */
  error = '';

  /** True: something moved. */
  take(message: Readonly<Record<string, unknown>>): boolean {
    const error = textAt(message, 'error') || textAt(message, 'errorDetail', 'message');
    if (error !== '') this.error = error;
    const id = textAt(message, 'id');
    const status = textAt(message, 'status');
    if (id === '' || /^(Pulling from|Digest)/.test(status)) return status !== '';
    const before = this.#layers.get(id);
    const layer = {
      status,
      current: numberAt(message, 'progressDetail', 'current') ?? before?.current ?? 0,
      total: numberAt(message, 'progressDetail', 'total') ?? before?.total ?? 0,
    };
    this.#layers.set(id, layer);
    return before === undefined || before.status !== status || layer.current > before.current;
  }

  /** `"pulled 2 of 5 layers (12.3 of 40.0 MiB)"` */
  get line(): string {
    const layers = [...this.#layers.values()];
    const done = layers.filter(({ status }) => /^(Pull complete|Already exists)/.test(status)).length;
    const sum = (pick: (layer: Layer) => number): string =>
      (layers.reduce((total, layer) => total + pick(layer), 0) / 1024 / 1024).toFixed(1);
    return `pulled ${done} of ${layers.length} layers (${sum((each) => each.current)} of ${sum((each) => each.total)} MiB)`;
  }
}
