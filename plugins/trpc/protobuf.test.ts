import fc from 'fast-check';
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { FieldWalker, varintBytes, WireType, writeInt32, writeVarint } from './protobuf.ts';

function faultOf(...bytes: number[]): string {
  const walker = new FieldWalker();
  walker.start(Buffer.from(bytes), 0, bytes.length);
  while (walker.next());
  return walker.fault;
}

describe('numbers', () => {
  it('are written as protobufjs writes them', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (value) => {
        const target = Buffer.alloc(10);
        expect(target.subarray(0, writeInt32(target, 0, value))).toEqual(
          Buffer.from(protobuf.Writer.create().int32(value).finish()),
        );
        const unsigned = value >>> 0;
        const end = writeVarint(target, 0, unsigned);
        expect(end).toBe(varintBytes(unsigned));
        expect(target.subarray(0, end)).toEqual(Buffer.from(protobuf.Writer.create().uint32(unsigned).finish()));
      }),
    );
  });
});

describe('FieldWalker', () => {
  it('finds the fields that protobufjs wrote', () => {
    const field = fc.record({
      number: fc.integer({ min: 1, max: 0x1fff_ffff }),
      value: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })),
    });
    fc.assert(
      fc.property(fc.array(field, { maxLength: 10 }), (fields) => {
        const writer = protobuf.Writer.create();
        for (const { number, value } of fields) {
          if (typeof value === 'number') writer.uint32(number * 8).int32(value);
          else writer.uint32(number * 8 + 2).bytes(value);
        }
        const bytes = Buffer.from(writer.finish());
        const walker = new FieldWalker();
        walker.start(bytes, 0, bytes.length);
        const found: typeof fields = [];
        let end = 0;
        while (walker.next()) {
          expect(walker.at).toBe(end);
          end = walker.end;
          const value =
            walker.wireType === WireType.Varint
              ? walker.number
              : new Uint8Array(bytes.subarray(walker.valueAt, walker.end));
          found.push({ number: walker.field, value });
        }
        expect(walker.fault).toBe('');
        expect(found).toEqual(fields);
      }),
    );
  });

  it('says what is wrong', () => {
    expect(faultOf(0x80)).toBe('a varint that goes beyond its message');
    expect(faultOf(0x08, ...Array(10).fill(0xff), 0)).toBe('a varint of more than 10 bytes');
    expect(faultOf(0x00)).toBe('a field number that is 0 or has more than 29 bits');
    expect(faultOf(0x88, 0x80, 0x80, 0x80, 0x10)).toBe('a field number that is 0 or has more than 29 bits');
    expect(faultOf(0x0b)).toBe('wire type 3, one of 0, 1, 2, 5 expected');
    expect(faultOf(0x0a, 2, 1)).toBe('field 1 of 2 bytes, 1 are left');
    expect(faultOf(0x09, 1)).toBe('field 1 of 8 bytes, 1 are left');
    // 2^32: in 32 bits it would be 0.
    expect(faultOf(0x0a, 0x80, 0x80, 0x80, 0x80, 0x10)).toMatch(/^field 1 of Infinity bytes/);
  });
});
