import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Flusher, SlabOutput, SlabPool } from './output.ts';
import type { Wire } from './wire.ts';

/** Takes what is written by copy, as the kernel does, or leaves it queued by reference. */
class TakingWire implements Wire {
  taken: Buffer[] = [];
  queuedBytes = 0;
  takes = true;
  ended = false;

  write(parts: readonly Buffer[]): void {
    if (this.takes) this.taken.push(...parts.map((part) => Buffer.from(part)));
    else {
      this.taken.push(...parts);
      for (const part of parts) this.queuedBytes += part.length;
    }
  }

  end(): void {
    this.ended = true;
  }

  open(): void {}
  pause(): void {}
  resume(): void {}
  destroy(): void {}
  reset(): void {}

  get bytes(): Buffer {
    return Buffer.concat(this.taken);
  }
}

function setUp(): { wire: TakingWire; output: SlabOutput } {
  const wire = new TakingWire();
  const output = new SlabOutput(new SlabPool(), () => {});
  output.attach(wire);
  return { wire, output };
}

/** Over a wire that has a slab and has not taken it yet. */
function setUpLent(): { output: SlabOutput; pool: SlabPool; slab: Buffer } {
  const wire = new TakingWire();
  wire.takes = false;
  const pool = new SlabPool();
  const output = new SlabOutput(pool, () => {});
  output.attach(wire);
  output.append(Buffer.from('first'), 0, 5);
  const { slab } = output;
  output.flush();
  return { output, pool, slab };
}

const writes = fc.array(
  fc.record({ kind: fc.constantFrom('append', 'reserve', 'view'), size: fc.integer({ min: 0, max: 90_000 }) }),
  { maxLength: 20 },
);

/** Makes the same writes on the output and in a plain list. */
function write(output: SlabOutput, list: readonly { kind: string; size: number }[], seed: number): Buffer {
  const expected: Buffer[] = [];
  for (const [index, { kind, size }] of list.entries()) {
    const bytes = Buffer.alloc(size, (seed + index) % 251);
    if (kind === 'append') output.append(bytes, 0, size);
    else if (kind === 'view') output.view(bytes);
    else {
      const at = output.reserve(size);
      bytes.copy(output.slab, at);
    }
    expected.push(bytes);
  }
  return Buffer.concat(expected);
}

describe('SlabOutput', () => {
  test('hands over exactly what was written, in order, whatever the sizes', () => {
    fc.assert(
      fc.property(writes, writes, (first, second) => {
        const { wire, output } = setUp();
        const a = write(output, first, 1);
        output.flush();
        const b = write(output, second, 101);
        output.flush();
        expect(wire.bytes.equals(Buffer.concat([a, b]))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('rolls back to the mark and goes on from there', () => {
    fc.assert(
      fc.property(writes, writes, writes, (before, undone, after) => {
        const { wire, output } = setUp();
        const a = write(output, before, 1);
        output.mark();
        write(output, undone, 101);
        output.rollback();
        expect(output.queuedBytes).toBe(a.length);
        const b = write(output, after, 201);
        output.flush();
        expect(wire.bytes.equals(Buffer.concat([a, b]))).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('a slab that the kernel has not taken yet is not written to again', () => {
    const { wire, output } = setUp();
    wire.takes = false;
    output.append(Buffer.from('first'), 0, 5);
    output.flush();
    output.append(Buffer.from('XXXXX'), 0, 5);
    output.flush();
    expect(wire.bytes.toString()).toBe('firstXXXXX');
  });

  test('a slab comes back when the wire took it, once and not before', () => {
    const { output, pool, slab } = setUpLent();
    expect(pool.take(slab.length).bytes).not.toBe(slab);
    for (const isBack of [true, false]) {
      output.onDrain();
      expect(pool.take(slab.length).bytes === slab).toBe(isBack);
    }
  });

  test('a slab of a wire that closed before it took it never comes back', () => {
    const { output, pool, slab } = setUpLent();
    output.release();
    output.onDrain();
    expect(pool.take(slab.length).bytes).not.toBe(slab);
  });

  test('what was written stays as it was while the same lengths are written from the same slab again', () => {
    const { wire, output } = setUp();
    for (const text of ['+OK', 'a text of 19 bytes!', '-NO', '', 'and one of 19 bytes', 'and 20 bytes of text']) {
      output.append(Buffer.from(text), 0, text.length);
      output.flush();
    }
    expect(wire.bytes.toString()).toBe('+OKa text of 19 bytes!-NOand one of 19 bytesand 20 bytes of text');
  });

  test('tells room once after it was read full', () => {
    const { wire, output } = setUp();
    output.view(Buffer.alloc(300 * 1024));
    expect(output.full).toBe(true);
    expect(output.takeRoom()).toBe(false);
    output.flush();
    expect(wire.bytes.length).toBe(300 * 1024);
    expect([output.takeRoom(), output.takeRoom()]).toEqual([true, false]);
  });

  test('ends behind what is queued', () => {
    const { wire, output } = setUp();
    output.append(Buffer.from('bye'), 0, 3);
    output.end();
    expect(wire.ended).toBe(false);
    output.flush();
    expect([wire.bytes.toString(), wire.ended]).toEqual(['bye', true]);
  });
});

describe('Flusher', () => {
  test('runs what became dirty while flushing in the same turn, and what never rests in the next', () => {
    const turns: (() => void)[] = [];
    const flusher = new Flusher((run) => turns.push(run));
    const log: string[] = [];
    const second = { flush: () => log.push('second') };
    const restless = { flush: () => flusher.add(restless) };
    flusher.add({
      flush() {
        log.push('first');
        flusher.add(second);
      },
    });
    turns.shift()!();
    expect(log).toEqual(['first', 'second']);
    expect(turns).toHaveLength(0);
    flusher.add(restless);
    turns.shift()!();
    expect(turns).toHaveLength(1);
  });

  test('lets connections gather for some turns while callers are read', () => {
    const turns: (() => void)[] = [];
    const flusher = new Flusher((run) => turns.push(run));
    const log: string[] = [];
    const upstream = { gathers: true, flush: () => log.push('upstream') };
    const turn = (reads: number): readonly string[] => {
      for (let read = 0; read < reads; read++) flusher.noteRead();
      turns.shift()!();
      return log.splice(0);
    };
    flusher.add(upstream);
    flusher.add({ flush: () => log.push('answer') });
    expect(turn(2)).toEqual(['answer']);
    expect([turn(3), turn(1)]).toEqual([[], ['upstream']]);
    expect(turns).toHaveLength(0);
    // Callers that never pause.
    flusher.add(upstream);
    expect([1, 2, 3, 4, 5].map(() => turn(2))).toEqual([[], [], [], [], ['upstream']]);
    // Enough is there.
    upstream.gathers = false;
    flusher.add(upstream);
    expect(turn(2)).toEqual(['upstream']);
    // A caller alone waits for nothing.
    upstream.gathers = true;
    flusher.add(upstream);
    expect(turn(1)).toEqual(['upstream']);
  });
});
