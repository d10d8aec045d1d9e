/** InFlightLimits: how many calls one caller has to each cluster, and which clusters hold it back. */
import type { ClusterState } from './cluster-state.ts';

export class InFlightLimits {
  /** The cluster that was counted last: most callers have one, and a map costs more than a comparison. */
  #state: ClusterState | null = null;
  #count = 0;
  readonly #others = new Map<ClusterState, number>();
  readonly #full = new Set<ClusterState>();

  /** False: the caller is at its limit to some cluster. */
  get room(): boolean {
    return this.#full.size === 0;
  }

  onForwarded(state: ClusterState): void {
    this.#select(state);
    this.#count++;
    if (this.#count >= state.pool.maxInFlightPerCaller) this.#full.add(state);
  }

  /** A stream of so many ended. */
  onEnded(state: ClusterState, calls: number): void {
    this.#select(state);
    this.#count -= calls;
    if (this.#full.size > 0 && this.#count < state.pool.maxInFlightPerCaller) this.#full.delete(state);
  }

  #select(state: ClusterState): void {
    if (this.#state === state) return;
    if (this.#state !== null && this.#count > 0) this.#others.set(this.#state, this.#count);
    this.#state = state;
    this.#count = this.#others.get(state) ?? 0;
    this.#others.delete(state);
  }
}
