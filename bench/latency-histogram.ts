/** Counts latencies in buckets no wider than 1/64 of their value, so a quantile is at most 1.6 % too high. */

/** Values below `2 * half` have a bucket each; each doubling above has `half` buckets. */
const half = 64;

const indexOf = (us: number): number => {
  if (us < 2 * half) return us;
  const shift = 31 - Math.clz32(us) - Math.log2(half);
  return half * shift + (us >> shift);
};

const upperEdgeUs = (index: number): number => {
  if (index < 2 * half) return index + 1;
  const shift = Math.floor(index / half) - 1;
  return (index - half * shift + 1) * 2 ** shift;
};

export class LatencyHistogram {
  readonly #counts = new Uint32Array(indexOf(0x7fffffff) + 1);
  #total = 0;

  add(us: number): void {
    this.#counts[indexOf(Math.min(us | 0, 0x7fffffff))]!++;
    this.#total++;
  }

  /** The latency in µs that a share `q` of the calls did not exceed; 0 when nothing was counted. */
  quantileUs(q: number): number {
    let left = Math.ceil(this.#total * q);
    if (left === 0) return 0;
    for (let index = 0; index < this.#counts.length; index++) {
      left -= this.#counts[index]!;
      if (left <= 0) return upperEdgeUs(index);
    }
    return 0;
  }
}
