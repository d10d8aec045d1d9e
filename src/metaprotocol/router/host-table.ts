/** HostTable: chooses a virtual host by domain: exact, then the longest `*.suffix`, then the longest `prefix.*`, then `*`. */
import type { ConfigIssue } from '../config-error.ts';

export class HostTable<T> {
  readonly #exact = new Map<string, T>();
  readonly #suffixes: [suffix: string, value: T][] = [];
  readonly #prefixes: [prefix: string, value: T][] = [];
  #any: T | undefined;
  /** False where `*` is all there is: the caller need not look its host up. */
  needsHost = false;

  /** A domain twice in one table is an issue. */
  add(domain: string, value: T): ConfigIssue | null {
    if (this.#has(domain))
      return { path: '', message: `domain ${JSON.stringify(domain)} appears twice in one route table` };
    if (domain === '*') {
      this.#any = value;
      return null;
    }
    this.needsHost = true;
    const name = domain.toLowerCase();
    if (name.startsWith('*')) insertByLength(this.#suffixes, name.slice(1), value);
    else if (name.endsWith('*')) insertByLength(this.#prefixes, name.slice(0, -1), value);
    else this.#exact.set(name, value);
    return null;
  }

  find(host: string | undefined): T | undefined {
    if (host === undefined) return this.#any;
    const name = host.toLowerCase();
    const exact = this.#exact.get(name);
    if (exact !== undefined) return exact;
    // A wildcard stands for at least one character.
    for (const [suffix, value] of this.#suffixes)
      if (name.length > suffix.length && name.endsWith(suffix)) return value;
    for (const [prefix, value] of this.#prefixes) {
      if (name.length > prefix.length && name.startsWith(prefix)) return value;
    }
    return this.#any;
  }

  #has(domain: string): boolean {
    const name = domain.toLowerCase();
    if (name === '*') return this.#any !== undefined;
    if (name.startsWith('*')) return this.#suffixes.some(([suffix]) => suffix === name.slice(1));
    if (name.endsWith('*')) return this.#prefixes.some(([prefix]) => prefix === name.slice(0, -1));
    return this.#exact.has(name);
  }
}

function insertByLength<T>(list: [string, T][], key: string, value: T): void {
  const at = list.findIndex(([other]) => other.length < key.length);
  list.splice(at < 0 ? list.length : at, 0, [key, value]);
}
