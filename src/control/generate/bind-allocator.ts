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

export class BindAllocator {
  #addresses = new Map<string, number>();
  #ports = new Map<string, number>();

  /** `names` are all that need an allocation now; others lose theirs. */
  assign(names: Iterable<string>): void {
    const sorted = [...new Set(names)].sort();
    this.#addresses = place(sorted, this.#addresses, ADDRESSES, (offset) => offset % 256 !== 0 && offset % 256 !== 255);
    this.#ports = place(sorted, this.#ports, PORTS, () => true);
  }

  /** Throws for a name that was not assigned. */
  addressOf(name: string): string {
    const value = FIRST_ADDRESS + found(this.#addresses, name);
    return [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join('.');
  }

  /** The port of 127.0.0.1 for one port of a service. Throws for a name that was not assigned. */
  portOf(name: string): number {
    return FIRST_PORT + found(this.#ports, name);
  }
}

function place(
  names: readonly string[],
  before: ReadonlyMap<string, number>,
  size: number,
  usable: (offset: number) => boolean,
): Map<string, number> {
  const placed = new Map<string, number>();
  for (const name of names) {
    const offset = before.get(name);
    if (offset !== undefined) placed.set(name, offset);
  }
  const taken = new Set(placed.values());
  for (const name of names) {
    if (placed.has(name)) continue;
    if (taken.size * 2 > size) throw new Error(`bind allocation: ${names.length} names > ${size / 2} places`);
    let offset = createHash('sha256').update(name).digest().readUInt32BE(0) % size;
    while (taken.has(offset) || !usable(offset)) offset = (offset + 1) % size;
    taken.add(offset);
    placed.set(name, offset);
  }
  return placed;
}

function found(map: ReadonlyMap<string, number>, name: string): number {
  const offset = map.get(name);
  if (offset === undefined) throw new Error(`bind allocation: ${name} was not assigned`);
  return offset;
}
