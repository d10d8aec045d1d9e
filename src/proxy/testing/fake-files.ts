/** Files in memory, and a way to let a poll of them come to its end. */
import type { Files } from '../file-watch.ts';

export class FakeFiles implements Files {
  readonly #texts = new Map<string, string>();
  #writes = 0;
  readonly #signatures = new Map<string, string>();
  reads = 0;

  write(path: string, text: string): void {
    this.#texts.set(path, text);
    this.#signatures.set(path, String(++this.#writes));
  }

  remove(path: string): void {
    this.#texts.delete(path);
    this.#signatures.delete(path);
  }

  async signature(path: string): Promise<string> {
    return this.#found(this.#signatures, path);
  }

  async read(path: string): Promise<string> {
    this.reads++;
    return this.#found(this.#texts, path);
  }

  #found(map: ReadonlyMap<string, string>, path: string): string {
    const value = map.get(path);
    if (value === undefined) throw new Error(`ENOENT: no such file, open '${path}'`);
    return value;
  }
}

/** Everything that waits for promises only. */
export async function settled(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}
