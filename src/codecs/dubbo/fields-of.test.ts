import { describe, expect, it } from 'vitest';
import { dubboFields } from './fields-of.ts';
import { JAVA_ANSWERS, JAVA_EVENTS, JAVA_FRAMES } from './fixtures/java-frames.ts';

const textOf = (frame: Buffer) => dubboFields(frame).map(({ name, at, bytes, value }) => [name, at, bytes, value]);

describe('the fields of a Dubbo frame', () => {
  it('are named with their places', () => {
    const event = JAVA_EVENTS[0]!.bytes;
    expect(textOf(event)).toEqual([
      ['magic', 0, 2, 'dabb'],
      ['flags', 2, 1, 'request twoway event hessian2'],
      ['status', 3, 1, '0'],
      ['id', 4, 8, '0'],
      ['length', 12, 4, '1'],
      ['payload', 16, 1, '4e'],
    ]);
    expect(textOf(JAVA_ANSWERS[0]!.bytes)[2]).toEqual(['status', 3, 1, '20 (OK)']);
  });

  it('are told as far as they go', () => {
    for (const { bytes } of JAVA_FRAMES.slice(0, 4)) {
      for (let length = 0; length < bytes.length; length++) {
        const fields = dubboFields(bytes.subarray(0, length));
        for (const field of fields) expect(field.at + field.bytes).toBeLessThanOrEqual(length);
      }
    }
  });
});
