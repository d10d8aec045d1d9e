import { describe, expect, it } from 'vitest';
import { ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import { frame, stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { feed } from '../../conformance/feed.ts';
import { CallHeads } from './call-head.ts';

/** The five strings of a call with these types. */
function head(types: string, path = 'meltemi.Wind'): Buffer {
  return stockCall({ args: [], path, types, attachments: null }).subarray(16, -1);
}

describe('call heads', () => {
  it('are known again, whatever stands around them', () => {
    const heads = new CallHeads();
    const bytes = head('I');
    expect(heads.again(bytes, 0, bytes.length)).toBeNull();
    const found = heads.lookup(bytes, 0, bytes.length);
    const later = Buffer.concat([Buffer.from('abc'), bytes, Buffer.from('d')]);
    expect(heads.again(later, 3, later.length)).toBe(found);
    expect(heads.lookup(later, 3, later.length - 1)).toBe(found);
    expect(heads.again(later, 4, later.length)).toBeNull();
    expect(heads.again(bytes, 0, bytes.length - 1)).toBeNull();
  });

  it('take turns', () => {
    const heads = new CallHeads();
    const all = ['I', 'J', 'II', 'Ljava/lang/String;'].map((types) => head(types));
    const found = all.map((bytes) => heads.lookup(bytes, 0, bytes.length));
    expect(found.map((one) => one.parameterTypes)).toEqual(['I', 'J', 'II', 'Ljava/lang/String;']);
    for (const [at, bytes] of all.entries()) {
      expect(heads.lookup(bytes, 0, bytes.length)).toBe(found[at]);
      expect(heads.again(bytes, 0, bytes.length)).toBe(found[at]);
    }
  });

  it('that are long are not remembered', () => {
    const heads = new CallHeads();
    const bytes = head('I', 'p'.repeat(600));
    expect(heads.lookup(bytes, 0, bytes.length).path).toBe('p'.repeat(600));
    expect(heads.again(bytes, 0, bytes.length)).toBeNull();
    expect(heads.lookup(bytes, 0, bytes.length)).not.toBe(heads.lookup(bytes, 0, bytes.length));
  });

  it('do not reach into the next message', () => {
    // Its last two bytes are those that every message begins with.
    const whole = head('\u06bb');
    expect(whole.toString('hex')).toMatch(/dabb$/);
    const { sink, codec } = new ServerRig();
    const cut = frame(0xc2, 0, 2n, whole.subarray(0, -2));
    feed(codec, Buffer.concat([frame(0xc2, 0, 1n, whole), cut, frame(0xc2, 0, 3n, whole)]));
    expect(sink.headIds).toEqual([1, 2]);
    expect(sink.heads[1]?.answer).not.toBeNull();
  });

  it.each([
    ['', 0],
    ['I', 1],
    ['ZBCDFJS', 7],
    ['V', 1],
    ['ILjava/lang/String;[[J[La/B;', 4],
    ['La/B', -1],
    ['java.lang.String', -1],
    ['[', -1],
    ['I[', -1],
    ['Q', -1],
  ])('of types %j say how many arguments follow: %i', (types, count) => {
    const bytes = head(types);
    expect(new CallHeads().lookup(bytes, 0, bytes.length).argumentCount).toBe(count);
  });
});
