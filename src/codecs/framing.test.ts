import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { Status } from '../metaprotocol/status.ts';
import { type FrameFault, type FrameReceiver, Framer, LengthPrefix, type LengthPrefixFormat } from './framing.ts';

const FORMAT: LengthPrefixFormat = {
  headBytes: 4,
  lengthOffset: 0,
  lengthWidth: 4,
  endian: 'big',
  adjustment: 4,
  limit: 1_000_000,
  limitName: 'frameLimitBytes',
  tooLarge: Status.too_large,
  malformed: Status.malformed,
};

class Frames implements FrameReceiver {
  readonly framer: Framer;
  readonly frames: string[] = [];
  readonly lents: boolean[] = [];
  readonly offsets: number[] = [];
  fault: FrameFault | null = null;
  onEach: () => void = () => {};
  mostParked = 0;

  constructor(format: Partial<LengthPrefixFormat> = {}) {
    this.framer = new Framer(new LengthPrefix({ ...FORMAT, ...format }), this);
  }

  onFrame(bytes: Buffer, from: number, to: number, lent: boolean): void {
    this.frames.push(bytes.toString('latin1', from, to));
    this.lents.push(lent);
    this.offsets.push(this.framer.frameOffset);
    this.onEach();
  }

  onBadFrame(fault: FrameFault): void {
    this.fault = fault;
  }

  feed(bytes: Buffer): void {
    const lent = Buffer.from(bytes);
    this.framer.decode(lent, true);
    lent.fill(0xa5);
    this.mostParked = Math.max(this.mostParked, this.framer.parkedBytes);
  }
}

function frame(text: string): Buffer {
  const bytes = Buffer.alloc(4 + text.length);
  bytes.writeInt32BE(text.length);
  bytes.write(text, 4, 'latin1');
  return bytes;
}

describe('LengthPrefix', () => {
  it.each([
    ['three bytes big-endian at 1, total length', { lengthOffset: 1, lengthWidth: 3, adjustment: 0 }, '00000008', 8],
    ['two bytes little-endian', { lengthWidth: 2, endian: 'little', adjustment: 4 }, '02010000', 0x102 + 4],
    ['one byte', { lengthOffset: 3, lengthWidth: 1 }, '00000009', 13],
  ] as const)('reads %s', (_, format, head, size) => {
    const meter = new LengthPrefix({ ...FORMAT, ...format });
    expect(meter.measure(Buffer.from(head, 'hex'), 0, 4)).toBe(size);
    expect(meter.measure(Buffer.from(head, 'hex'), 0, 3)).toBe(4);
  });

  it('tells a frame over the limit by its head, with actual and expected', () => {
    const frames = new Frames({ limit: 100 });
    frames.feed(Buffer.concat([frame('ok'), Buffer.from('000000657878', 'hex')]));
    expect(frames.frames).toHaveLength(1);
    expect(frames.fault).toEqual({ status: Status.too_large, text: 'frame length 101 > frameLimitBytes 100', at: 0 });
    expect(frames.framer.frameOffset).toBe(6);
    expect(frames.framer.parkedBytes).toBe(0);
    frames.feed(frame('later'));
    expect(frames.frames).toHaveLength(1);
  });

  it('takes a length with its highest bit as large, not as negative', () => {
    const frames = new Frames();
    frames.feed(Buffer.from('ffffffff', 'hex'));
    expect(frames.fault?.text).toBe('frame length 4294967295 > frameLimitBytes 1000000');
  });

  it('refuses a frame shorter than its own head', () => {
    const frames = new Frames({ headBytes: 8 });
    frames.feed(Buffer.from('0000000300000000', 'hex'));
    expect(frames.fault?.text).toBe('frame length 3 < 4');
  });
});

describe('Framer', () => {
  const bytes = Buffer.concat([frame(''), frame('a'), frame('x'.repeat(3_000)), frame('last')]);
  const whole = ['\0\0\0\0', '\0\0\0\u0001a', `\0\0\u000b\u00b8${'x'.repeat(3_000)}`, '\0\0\0\u0004last'];

  it('gives frames that lie whole in a lent chunk where they are', () => {
    const frames = new Frames();
    frames.feed(bytes);
    expect(frames.frames).toEqual(whole);
    expect(frames.lents).toEqual([true, true, true, true]);
    expect(frames.offsets).toEqual([0, 4, 9, 3_013]);
  });

  it('gives the same frames whatever the chunks, and lends only what it did not copy', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 2_000 }), { maxLength: 30 }), (sizes) => {
        const frames = new Frames();
        let at = 0;
        for (const size of [...sizes, bytes.length]) {
          frames.feed(bytes.subarray(at, at + size));
          at += size;
        }
        expect(frames.frames).toEqual(whole);
        expect(frames.framer.parkedBytes).toBe(0);
      }),
    );
  });

  it('gives the same frames byte by byte', () => {
    const frames = new Frames();
    for (let at = 0; at < bytes.length; at++) frames.feed(bytes.subarray(at, at + 1));
    expect(frames.frames).toEqual(whole);
    expect(frames.lents).toEqual([false, false, false, false]);
  });

  it('never writes to frames that it handed out', () => {
    const kept: Buffer[] = [];
    const framer = new Framer(new LengthPrefix(FORMAT), {
      onFrame: (from, start, end) => kept.push(from.subarray(start, end)),
      onBadFrame: () => {},
    });
    const expected: string[] = [];
    for (let n = 0; n < 200; n++) {
      const one = frame(`frame ${n} ${'.'.repeat(n % 40)}`);
      expected.push(one.toString());
      framer.decode(one.subarray(0, 3), true);
      framer.decode(one.subarray(3), true);
    }
    expect(kept.map(String)).toEqual(expected);
  });

  it('allocates with what comes, not with what is declared', () => {
    const before = process.memoryUsage().arrayBuffers;
    const framers: Frames[] = [];
    for (let n = 0; n < 500; n++) {
      const frames = new Frames({ limit: 16_000_000 });
      frames.feed(Buffer.from('00f4240078', 'hex'));
      framers.push(frames);
    }
    expect(framers.every((frames) => frames.framer.parkedBytes === 5)).toBe(true);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(500 * 4_096);
  });

  it('copies a frame that is measured line by line no more than a few times', () => {
    const total = 1_000_000;
    const frames: number[] = [];
    const meter = { fault: null, measure: (_: Buffer, from: number, to: number) => Math.min(to - from + 100, total) };
    const framer = new Framer(meter, {
      onFrame: (_, from, to) => frames.push(to - from),
      onBadFrame() {},
    });
    const allocate = vi.spyOn(Buffer, 'allocUnsafe');
    const chunk = Buffer.alloc(10_000);
    for (let sent = 0; sent < total; sent += chunk.length) framer.decode(chunk, true);
    const allocated = allocate.mock.calls.reduce((sum, [size]) => sum + size, 0);
    allocate.mockRestore();
    expect(frames).toEqual([total]);
    expect(allocated).toBeLessThan(5 * total);
  });

  it('parks no more than one frame and one chunk, also while held', () => {
    const frames = new Frames({ limit: 100_000 });
    const chunk = Buffer.concat([frame('y'.repeat(100_000)), frame('z'.repeat(100_000))]);
    frames.onEach = () => frames.framer.hold();
    for (let at = 0; at < chunk.length; at += 65_536) {
      frames.feed(chunk.subarray(at, at + 65_536));
      frames.framer.release();
    }
    expect(frames.frames).toHaveLength(2);
    expect(frames.mostParked).toBeLessThanOrEqual(100_004 + 65_536);
  });

  it('stops at the next frame when held inside a frame, and goes on in order', () => {
    const frames = new Frames();
    frames.onEach = () => frames.framer.hold();
    frames.feed(bytes);
    expect(frames.frames).toEqual(whole.slice(0, 1));
    frames.feed(frame('more'));
    expect(frames.framer.parkedBytes).toBe(bytes.length - 4 + 8);
    for (let n = 2; n <= 5; n++) {
      frames.framer.release();
      expect(frames.frames).toHaveLength(n);
    }
    expect(frames.frames).toEqual([...whole, '\0\0\0\u0004more']);
    expect(frames.framer.parkedBytes).toBe(0);
  });

  it('keeps the order when held and released inside one frame', () => {
    const frames = new Frames();
    frames.onEach = () => {
      frames.framer.hold();
      frames.framer.release();
    };
    frames.feed(bytes.subarray(0, 20));
    frames.feed(bytes.subarray(20));
    expect(frames.frames).toEqual(whole);
  });

  it('does not nest its calls when held and released inside each of many held frames', () => {
    const frames = new Frames();
    frames.framer.hold();
    frames.feed(Buffer.concat(Array.from({ length: 20_000 }, () => frame('a'))));
    frames.onEach = () => {
      frames.framer.hold();
      expect(frames.framer.release()).toBe(false);
    };
    expect(frames.framer.release()).toBe(true);
    expect(frames.frames).toHaveLength(20_000);
  });

  it('copies no more of a chunk than a parked frame lacks', () => {
    const frames = new Frames();
    frames.feed(bytes.subarray(0, 6));
    frames.feed(bytes.subarray(6, 100));
    frames.feed(bytes.subarray(100));
    expect(frames.lents).toEqual([true, false, false, true]);
  });

  it('gives nothing more once stopped inside a frame', () => {
    const frames = new Frames();
    frames.onEach = () => frames.framer.stop();
    frames.feed(bytes);
    frames.feed(bytes);
    expect(frames.frames).toEqual(whole.slice(0, 1));
    expect(frames.framer.parkedBytes).toBe(0);
  });
});
