/**
 * Statistics: cells of shared memory, resolved to an index once, at construction. One writer (this worker), many readers
 * (the main thread, which learns of each cell through `onDefine` and reads it without asking).
 */

export type Labels = Readonly<Record<string, string>>;
export type StatKind = 'counter' | 'gauge' | 'histogram';

/** Upper bounds of histogram buckets, in milliseconds. */
export const LATENCY_BUCKETS_MS: readonly number[] = Object.freeze([
  0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000,
]);

/** The same as numbers that lie side by side: every request is looked up among them twice. */
const BOUNDS_MS = Float64Array.from(LATENCY_BUCKETS_MS);

/** Where a statistic's cells are. A histogram has one cell for each bound, then +Inf, then the sum. */
export interface StatDefinition {
  readonly kind: StatKind;
  /** snake_case, unit last: `upstream_request_time_ms`. */
  readonly name: string;
  readonly labels: Labels;
  readonly cells: SharedArrayBuffer;
  readonly index: number;
}

export class Counter {
  readonly #cells: Float64Array;
  readonly #index: number;

  constructor(cells: Float64Array, index: number) {
    this.#cells = cells;
    this.#index = index;
  }

  add(amount = 1): void {
    this.#cells[this.#index]! += amount;
  }

  get value(): number {
    return this.#cells[this.#index]!;
  }
}

export class Gauge extends Counter {}

export class Histogram {
  readonly #cells: Float64Array;
  readonly #index: number;

  constructor(cells: Float64Array, index: number) {
    this.#cells = cells;
    this.#index = index;
  }

  recordMs(valueMs: number, times = 1): void {
    let bucket = 0;
    while (bucket < BOUNDS_MS.length && valueMs > BOUNDS_MS[bucket]!) bucket++;
    this.#cells[this.#index + bucket]! += times;
    this.#cells[this.#index + BOUNDS_MS.length + 1]! += valueMs * times;
  }

  get count(): number {
    let count = 0;
    for (let bucket = 0; bucket <= LATENCY_BUCKETS_MS.length; bucket++) count += this.#cells[this.#index + bucket]!;
    return count;
  }
}

/** Names statistics below some labels. */
export interface StatsScope {
  counter(name: string, labels?: Labels): Counter;
  gauge(name: string, labels?: Labels): Gauge;
  histogram(name: string, labels?: Labels): Histogram;
  scope(labels: Labels): StatsScope;
}

const CHUNK_CELLS = 4_096;

/** All statistics of one worker. The same name and labels give the same cells again, so a swap of runtimes loses nothing. */
export class StatsStore implements StatsScope {
  readonly #onDefine: (definition: StatDefinition) => void;
  readonly #byKey = new Map<string, Counter | Gauge | Histogram>();
  readonly #definitions: StatDefinition[] = [];
  #cells = new Float64Array(new SharedArrayBuffer(CHUNK_CELLS * 8));
  #used = 0;

  constructor(onDefine: (definition: StatDefinition) => void = () => {}) {
    this.#onDefine = onDefine;
  }

  counter(name: string, labels: Labels = {}): Counter {
    return this.#resolve('counter', name, labels, 1, (index) => new Counter(this.#cells, index)) as Counter;
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.#resolve('gauge', name, labels, 1, (index) => new Gauge(this.#cells, index)) as Gauge;
  }

  histogram(name: string, labels: Labels = {}): Histogram {
    const cells = LATENCY_BUCKETS_MS.length + 2;
    return this.#resolve('histogram', name, labels, cells, (index) => new Histogram(this.#cells, index)) as Histogram;
  }

  scope(labels: Labels): StatsScope {
    return new LabelledScope(this, labels);
  }

  get definitions(): readonly StatDefinition[] {
    return this.#definitions;
  }

  #resolve<S extends Counter | Histogram>(
    kind: StatKind,
    name: string,
    labels: Labels,
    cellCount: number,
    create: (index: number) => S,
  ): Counter | Histogram {
    const key = `${kind} ${name} ${JSON.stringify(Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1)))}`;
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    if (this.#used + cellCount > CHUNK_CELLS) {
      this.#cells = new Float64Array(new SharedArrayBuffer(CHUNK_CELLS * 8));
      this.#used = 0;
    }
    const index = this.#used;
    this.#used += cellCount;
    const stat = create(index);
    this.#byKey.set(key, stat);
    const definition = { kind, name, labels, cells: this.#cells.buffer as SharedArrayBuffer, index };
    this.#definitions.push(definition);
    this.#onDefine(definition);
    return stat;
  }
}

class LabelledScope implements StatsScope {
  readonly #store: StatsScope;
  readonly #labels: Labels;

  constructor(store: StatsScope, labels: Labels) {
    this.#store = store;
    this.#labels = labels;
  }

  counter(name: string, labels: Labels = {}): Counter {
    return this.#store.counter(name, { ...this.#labels, ...labels });
  }

  gauge(name: string, labels: Labels = {}): Gauge {
    return this.#store.gauge(name, { ...this.#labels, ...labels });
  }

  histogram(name: string, labels: Labels = {}): Histogram {
    return this.#store.histogram(name, { ...this.#labels, ...labels });
  }

  scope(labels: Labels): StatsScope {
    return new LabelledScope(this.#store, { ...this.#labels, ...labels });
  }
}
