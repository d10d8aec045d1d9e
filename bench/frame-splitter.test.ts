import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type FrameFormat, FrameSplitter } from './frame-splitter.ts';

const formats = [
  { headBytes: 4, lengthAt: 0 },
  { headBytes: 16, lengthAt: 12 },
];

const frame = (format: FrameFormat, body: Uint8Array) => {
  const bytes = Buffer.alloc(format.headBytes + body.length);
  bytes.writeUInt32BE(body.length, format.lengthAt);
  bytes.set(body, format.headBytes);
  return bytes;
};

describe('FrameSplitter', () => {
  it.each(formats)('gives the same frames however the stream is cut ($headBytes bytes of head)', (format) => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 9000 }), { maxLength: 12 }),
        fc.array(fc.integer({ min: 1, max: 5000 }), { minLength: 1, maxLength: 20 }),
        (bodies, cuts) => {
          const stream = Buffer.concat(bodies.map((body) => frame(format, body)));
          const seen: Buffer[] = [];
          const splitter = new FrameSplitter(format, 9000, (bytes, from, to) => {
            seen.push(Buffer.from(bytes.subarray(from, to)));
          });
          for (let at = 0, i = 0; at < stream.length; i++) {
            const end = Math.min(stream.length, at + (cuts[i % cuts.length] ?? 1));
            const chunk = Buffer.from(stream.subarray(at, end));
            splitter.push(chunk, chunk.length);
            chunk.fill(0xff);
            at = end;
          }
          expect(seen).toEqual(bodies.map((body) => frame(format, body)));
        },
      ),
      { numRuns: 200 },
    );
  });

  it('refuses a length over the limit before it keeps the body', () => {
    const splitter = new FrameSplitter({ headBytes: 4, lengthAt: 0 }, 100, () => {});
    expect(() => splitter.push(Buffer.from([0, 0, 0, 101]), 4)).toThrow('body length 101 > frameLimitBytes 100');
  });
});
