/**
 * BindAllocator: a loopback address (or, where only 127.0.0.1 is local, a port) for each service address that a proxy cannot
 * bind to. It follows from a hash of the name, so a restarted control plane gives the same ones; two names that collide are
 * told apart in the order of their names, and what was given stays while the process runs.
 */
import { createHash } from 'node:crypto';

const FIRST_ADDRESS = 0x7f400000; // 127.64.0.0/10
const ADDRESSES = 1 << 22;
const FIRST_PORT = 20_000; // below the ports that systems hand out by themselves
const PORTS = 12_000;

export interface BindNames {
  readonly addresses: readonly string[];
  readonly ports: readonly string[];
}

export class BindAllocator {
  #addresses = new Map<string, number>();
  #ports = new Map<string, number>();

  /** All names that need an address or a port now; others lose theirs. */
  assign(names: BindNames): void {
    const isUsable = (offset: number): boolean => offset % 256 !== 0 && offset % 256 !== 255;
    this.#addresses = place(names.addresses, this.#addresses, ADDRESSES, isUsable);
    this.#ports = place(names.ports, this.#ports, PORTS, () => true);
  }

  /** null: there are more names than addresses, or the name was not assigned. */
  addressOf(name: string): string | null {
    const offset = this.#addresses.get(name);
    if (offset === undefined) return null;
    return [24, 16, 8, 0].map((shift) => ((FIRST_ADDRESS + offset) >>> shift) & 255).join('.');
  }

  /** The port of 127.0.0.1 for one port of a service; null as above. */
  portOf(name: string): number | null {
    const offset = this.#ports.get(name);
    return offset === undefined ? null : FIRST_PORT + offset;
  }
}

function place(
  names: readonly string[],
  before: ReadonlyMap<string, number>,
  size: number,
  isUsable: (offset: number) => boolean,
): Map<string, number> {
  const sorted = [...new Set(names)].sort();
  const placed = new Map<string, number>();
  for (const name of sorted) {
    const offset = before.get(name);
    if (offset !== undefined) placed.set(name, offset);
  }
  const taken = new Set(placed.values());
  for (const name of sorted) {
    // Probing a nearly full table is slow, and its collisions would make the choice depend on history.
    if (taken.size * 4 >= size * 3) break;
    if (placed.has(name)) continue;
    let offset = createHash('sha256').update(name).digest().readUInt32BE(0) % size;
    while (taken.has(offset) || !isUsable(offset)) offset = (offset + 1) % size;
    taken.add(offset);
    placed.set(name, offset);
  }
  return placed;
}
