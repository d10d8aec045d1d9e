/** StatTotals: the statistics of all workers as one; what a dead worker counted is not lost, so no counter ever goes back. */
import { LATENCY_BUCKETS_MS, type Labels, type StatDefinition, type StatKind } from '../metaprotocol/stats.ts';

export interface StatSeries {
  readonly kind: StatKind;
  readonly name: string;
  readonly labels: Labels;
  /** One value; a histogram has one for each bound, then +Inf, then the sum. */
  readonly values: readonly number[];
}

interface Total {
  readonly definition: StatDefinition;
  /** What dead workers left. */
  readonly base: number[];
  /** Cells that are written to, by worker. */
  readonly live: Map<string, Float64Array>;
}

export class StatTotals {
  readonly #totals = new Map<string, Total>();

  /** `worker`: a name that no other life of a worker ever had. */
  define(worker: string, definition: StatDefinition): void {
    const key = `${definition.kind} ${definition.name} ${JSON.stringify(Object.entries(definition.labels).sort())}`;
    const cellCount = definition.kind === 'histogram' ? LATENCY_BUCKETS_MS.length + 2 : 1;
    let total = this.#totals.get(key);
    if (total === undefined) {
      total = { definition, base: new Array<number>(cellCount).fill(0), live: new Map() };
      this.#totals.set(key, total);
    }
    total.live.set(worker, new Float64Array(definition.cells).subarray(definition.index, definition.index + cellCount));
  }

  /** The worker is gone: its counts stay, what it had open does not. */
  retire(worker: string): void {
    for (const total of this.#totals.values()) {
      const cells = total.live.get(worker);
      if (cells === undefined) continue;
      total.live.delete(worker);
      if (total.definition.kind !== 'gauge') addTo(total.base, cells);
    }
  }

  /** Sorted by name, so that series of one name stand together. `only`: those of this name. */
  series(only: string | null = null): StatSeries[] {
    return [...this.#totals.values()]
      .filter(({ definition }) => only === null || definition.name === only)
      .map(({ definition: { kind, name, labels }, base, live }) => {
        const values = [...base];
        for (const cells of live.values()) addTo(values, cells);
        return { kind, name, labels, values };
      })
      .sort((a, b) => (a.name === b.name ? 0 : a.name < b.name ? -1 : 1));
  }
}

function addTo(sum: number[], cells: Float64Array): void {
  for (let index = 0; index < sum.length; index++) sum[index]! += cells[index]!;
}
