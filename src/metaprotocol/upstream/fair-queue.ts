/** FairQueue: waiting items, served round robin over their callers, in order for each caller. */
export class FairQueue<C, T> {
  size = 0;
  /** Insertion order is the order of turns. */
  readonly #byCaller = new Map<C, T[]>();

  push(caller: C, item: T): void {
    const queue = this.#byCaller.get(caller);
    if (queue === undefined) this.#byCaller.set(caller, [item]);
    else queue.push(item);
    this.size++;
  }

  shift(): T | undefined {
    for (const [caller, queue] of this.#byCaller) {
      const item = queue.shift();
      this.#byCaller.delete(caller);
      if (queue.length > 0) this.#byCaller.set(caller, queue);
      this.size--;
      return item;
    }
    return undefined;
  }

  remove(caller: C, item: T): boolean {
    const queue = this.#byCaller.get(caller);
    const at = queue?.indexOf(item) ?? -1;
    if (queue === undefined || at < 0) return false;
    queue.splice(at, 1);
    if (queue.length === 0) this.#byCaller.delete(caller);
    this.size--;
    return true;
  }

  /** Takes everything out, caller by caller. */
  clear(): T[] {
    const all = [...this.#byCaller.values()].flat();
    this.#byCaller.clear();
    this.size = 0;
    return all;
  }
}
