/** DnsNames: the addresses of the names that clusters have as endpoints, looked up again and again by the main thread. */
import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import type { Clock, TimerHandle } from '../metaprotocol/clock.ts';
import type { Log } from '../metaprotocol/core.ts';

/** Every IP address of a name. Rejects when it is not found. */
export type Resolve = (name: string) => Promise<string[]>;

export interface DnsNamesOptions {
  readonly clock: Clock;
  readonly log: Log;
  /** Some name's addresses are not what they were. */
  readonly onChange: () => void;
  readonly resolve?: Resolve;
}

interface Name {
  addresses: readonly string[];
  refreshMs: number;
  timer: TimerHandle | null;
  /** Why it was not found when it was looked up last. */
  fault: string | null;
  /** The first lookup, whatever comes of it. */
  readonly first: Promise<void>;
}

/** A change does not wait longer than this for the first answer of a new name. */
const FIRST_ANSWER_MS = 2_000;

export class DnsNames {
  readonly #options: DnsNamesOptions;
  readonly #resolve: Resolve;
  readonly #names = new Map<string, Name>();
  /** Whoever waits in `watch` reads the addresses afterwards anyway. */
  #watching = 0;

  constructor(options: DnsNamesOptions) {
    this.#options = options;
    this.#resolve = options.resolve ?? resolveHost;
  }

  /** These names and no others are kept up to date. Resolves when each has been looked up once, or after 2 s. */
  async watch(refreshMsByName: ReadonlyMap<string, number>): Promise<void> {
    for (const [name, entry] of this.#names) {
      if (refreshMsByName.has(name)) continue;
      entry.timer?.cancel();
      this.#names.delete(name);
    }
    for (const [name, refreshMs] of refreshMsByName) {
      if (isIP(name) !== 0) continue;
      const known = this.#names.get(name);
      if (known === undefined) this.#add(name, refreshMs);
      else known.refreshMs = refreshMs;
    }
    const patience = Promise.withResolvers<void>();
    const timer = this.#options.clock.setTimer(FIRST_ANSWER_MS, patience.resolve);
    this.#watching++;
    await Promise.race([Promise.all([...this.#names.values()].map((name) => name.first)), patience.promise]);
    this.#watching--;
    timer.cancel();
  }

  /** Sorted; of a name that was not found yet: none. An address is its own. */
  addressesOf(host: string): readonly string[] {
    return isIP(host) === 0 ? (this.#names.get(host)?.addresses ?? []) : [host];
  }

  /** null: it is found, or nobody has looked yet. */
  faultOf(host: string): string | null {
    return this.#names.get(host)?.fault ?? null;
  }

  close(): void {
    for (const entry of this.#names.values()) entry.timer?.cancel();
    this.#names.clear();
  }

  #add(name: string, refreshMs: number): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    const entry: Name = { addresses: [], refreshMs, timer: null, fault: null, first: promise };
    this.#names.set(name, entry);
    void this.#look(name, entry).then(resolve);
  }

  async #look(name: string, entry: Name): Promise<void> {
    try {
      const addresses = [...new Set(await this.#resolve(name))].sort();
      const changed = addresses.join() !== entry.addresses.join();
      entry.addresses = addresses;
      entry.fault = null;
      if (changed && this.#watching === 0 && this.#names.get(name) === entry) this.#options.onChange();
    } catch (error) {
      // The last known addresses go on: a DNS server that is away must not take the endpoints with it.
      const { message } = error as Error;
      if (entry.fault === null) this.#options.log.warn({ name, error: message }, 'name not resolved');
      entry.fault = message;
    }
    if (this.#names.get(name) !== entry) return;
    entry.timer = this.#options.clock.setTimer(entry.refreshMs, () => void this.#look(name, entry));
  }
}

/** As every program of the machine sees it: hosts file included. */
async function resolveHost(name: string): Promise<string[]> {
  return (await lookup(name, { all: true })).map(({ address }) => address);
}
