import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryWire } from '../../../test/harness/memory-wire.ts';
import type { WireHandler } from '../wire/wire.ts';
import { type FirstBytes, InspectedWire, type Inspection, type InspectionOwner } from './inspected-wire.ts';

const text = (wanted: string): Inspection['detectors'][number] => ({
  applicationProtocols: [wanted],
  detect: (head) => {
    const read = head.toString('latin1', 0, wanted.length);
    return read === wanted ? 'match' : wanted.startsWith(read) ? 'more' : 'reject';
  },
});

/** An owner that opens the wire and reads on. */
class Reader implements InspectionOwner, WireHandler {
  readonly events: string[] = [];
  found: FirstBytes | null = null;
  readonly wire = new MemoryWire();
  readonly inspected: InspectedWire;

  constructor(inspection: Partial<Inspection> = {}) {
    const defaults = { readsHello: false, detectors: [], detectBytes: 8, timeoutMs: 100, continueOnTimeout: false };
    this.inspected = new InspectedWire(this.wire, { ...defaults, ...inspection }, this);
    this.inspected.inspect();
  }

  send(...reads: (string | Buffer)[]): this {
    for (const read of reads) this.wire.send(Buffer.from(read as string, 'latin1'));
    this.pump();
    return this;
  }

  end(): this {
    this.wire.sendEnd();
    this.pump();
    return this;
  }

  pump(): void {
    while (this.wire.pump());
  }

  /** What was read, events in between. */
  get read(): string {
    return this.events.join('|');
  }

  onInspected(found: FirstBytes): void {
    this.found = found;
    this.inspected.open(this);
  }

  onNotInspected(why: string | null): void {
    this.events.push(`failed ${why}`);
  }

  onOpen(): void {}
  onBytes(chunk: Buffer): void {
    this.events.push(chunk.toString('latin1'));
  }
  onEnd(): void {
    this.events.push('end');
  }
  onDrain(): void {}
  onClose(): void {
    this.events.push('close');
  }
}

describe('detection', () => {
  const detectors = [text('HELO'), text('HEY')];

  it('gives the bytes on as they came, the first ones included', () => {
    const reader = new Reader({ detectors }).send('HE', 'Y yo', 'u').end();
    expect(reader.found).toEqual({ hello: null, applicationProtocols: ['HEY'] });
    expect(reader.read).toBe('HEY yo|u|end');
  });

  it('finds the same however the reads fall', () => {
    const said = fc.constantFrom('HELO you', 'HEY you', 'HELP you', 'H', 'other and more than eight bytes');
    fc.assert(
      fc.property(said, fc.array(fc.nat(30), { maxLength: 6 }), (bytes, cuts) => {
        const ordered = [0, ...cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b), bytes.length];
        const reads = ordered.slice(1).map((cut, index) => bytes.slice(ordered[index], cut));
        const [whole, split] = [
          new Reader({ detectors }).send(bytes).end(),
          new Reader({ detectors }).send(...reads).end(),
        ];
        expect(split.found).toEqual(whole.found);
        expect(split.events.join('')).toBe(whole.events.join(''));
      }),
    );
  });

  it('gives up at its bytes, at the end of the caller, and at its time where that is wanted', () => {
    const slow = [text('a long first word')];
    expect(new Reader({ detectors: slow }).send('a long f').found).toEqual({ hello: null, applicationProtocols: [] });
    expect(new Reader({ detectors: slow }).send('a l').found).toBeNull();
    expect(new Reader({ detectors: slow }).send('a l').end().read).toBe('a l|end');
    const silent = new Reader({ detectors: slow, continueOnTimeout: true });
    silent.inspected.giveUp();
    expect(silent.found).toEqual({ hello: null, applicationProtocols: [] });
    expect(silent.send('late').read).toBe('late');
  });
});

describe('a connection of which nothing can be told', () => {
  it('fails with why', () => {
    const silent = new Reader({ readsHello: true });
    silent.inspected.giveUp();
    expect(silent.read).toBe('failed not a byte within 100 ms');
    const half = new Reader({ readsHello: true }).send('\x16\x03\x01');
    half.inspected.giveUp();
    expect(half.read).toBe('failed only 3 bytes within 100 ms, not enough to tell what they are');
    expect(new Reader({ readsHello: true }).send('\x16\x03').end().read).toBe(
      'failed the caller ended within its ClientHello',
    );
    expect(new Reader({ readsHello: true }).send('\x16\x03\x01\x00\x01\x02').read).toBe(
      'failed malformed ClientHello: message of type 2, expected 1',
    );
  });

  it('fails without a word when the caller said none either', () => {
    expect(new Reader({ readsHello: true }).end().read).toBe('failed null');
    const reader = new Reader({ readsHello: true });
    reader.wire.break(null);
    reader.pump();
    expect(reader.read).toBe('failed null');
    const broken = new Reader({ readsHello: true }).send('\x16');
    broken.wire.break();
    broken.pump();
    expect(broken.read).toBe('failed ECONNRESET');
  });

  it('fails once', () => {
    const reader = new Reader({ readsHello: true });
    reader.inspected.giveUp();
    reader.inspected.giveUp();
    reader.wire.break();
    reader.pump();
    expect(reader.events.length).toBe(1);
  });
});

it('is asked for detection at once where it is not TLS', () => {
  const reader = new Reader({ readsHello: true, detectors: [text('GO')] }).send('GO on');
  expect(reader.found).toEqual({ hello: null, applicationProtocols: ['GO'] });
  expect(reader.read).toBe('GO on');
});

it('passes everything through once it is known', () => {
  const reader = new Reader().send('x');
  reader.inspected.write([Buffer.from('answer')]);
  expect(reader.wire.take().toString()).toBe('answer');
  reader.inspected.pause();
  expect(reader.send('held').read).toBe('x');
  reader.inspected.resume();
  expect(reader.send().read).toBe('x|held');
  expect(reader.inspected.queuedBytes).toBe(0);
  reader.inspected.end();
  expect(reader.wire.ended).toBe(true);
  reader.inspected.destroy();
  reader.pump();
  expect(reader.read).toBe('x|held|close');
});
