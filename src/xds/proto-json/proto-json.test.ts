import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TypeUrl } from '../type-urls.ts';
import { Xds } from '../xds.ts';
import { formatDuration, formatTimestamp, parseDuration, parseTimestamp } from './well-known.ts';

const xds = Xds.load();

describe('durations and timestamps', () => {
  it.each(['0s', '1s', '1.500s', '-1.500s', '0.000000001s', '-0.000001s', '315576000000s'])('%s comes back', (text) => {
    expect(formatDuration({ ...parseDuration(text)! })).toBe(text);
  });

  it.each(['', 's', '1', '1 s', '1,5s', '1.s', '+1s', '1ms', '1.0000000001s', '315576000001s'])(
    '"%s" is no duration',
    (text) => {
      expect(parseDuration(text)).toBeNull();
    },
  );

  it('writes times in UTC', () => {
    expect(formatTimestamp({ ...parseTimestamp('2026-11-21T10:00:00.250+02:00')! })).toBe('2026-11-21T08:00:00.250Z');
    expect(parseTimestamp('2026-11-21 10:00:00Z')).toBeNull();
    expect(parseTimestamp('2026-13-21T10:00:00Z')).toBeNull();
  });
});

describe('scalars', () => {
  it.each([
    ['google.protobuf.UInt32Value', 4_294_967_295, 4_294_967_296],
    ['google.protobuf.UInt32Value', '7', '-1'],
    ['google.protobuf.Int32Value', -2_147_483_648, 2_147_483_648],
    ['google.protobuf.Int64Value', '-9223372036854775808', '9223372036854775808'],
    ['google.protobuf.UInt64Value', '18446744073709551615', '18446744073709551616'],
    ['google.protobuf.DoubleValue', 'NaN', 'not a number'],
    ['google.protobuf.DoubleValue', '-Infinity', true],
    ['google.protobuf.BoolValue', true, 'true'],
    ['google.protobuf.StringValue', 'text', 7],
    ['google.protobuf.BytesValue', 'AQID', '%%%'],
  ] as const)('%s takes %s and refuses %s', (type, good, bad) => {
    expect(String(xds.decodeMessage(type, xds.encodeMessage(type, good)))).toBe(String(good));
    expect(() => xds.encodeMessage(type, bad)).toThrow(' is not ');
  });

  it('refuses an item that is not of its list', () => {
    const value = { name: 'c', lbSubsetConfig: { subsetSelectors: [{ keys: ['a', 7] }] } };
    expect(xds.encodeResource({ typeUrl: TypeUrl.Cluster, name: 'c', value })).toEqual({
      ok: false,
      issues: [{ path: 'lbSubsetConfig.subsetSelectors[0].keys[1]', message: '7 is not a string' }],
    });
  });
});

describe('any input', () => {
  it('a struct comes back as it was, with keys sorted', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
        const json = JSON.parse(JSON.stringify(value));
        const bytes = xds.encodeMessage('google.protobuf.Struct', json);
        expect(JSON.parse(JSON.stringify(xds.decodeMessage('google.protobuf.Struct', bytes)))).toEqual(json);
      }),
      { numRuns: 300 },
    );
  });

  it('no JSON and no bytes make it throw', () => {
    const typeUrls = [TypeUrl.Listener, TypeUrl.Cluster, TypeUrl.RouteConfiguration, TypeUrl.ClusterLoadAssignment];
    fc.assert(
      fc.property(fc.constantFrom(...typeUrls), fc.dictionary(fc.string(), fc.jsonValue()), (typeUrl, value) => {
        xds.encodeResource({ typeUrl, name: '', value: JSON.parse(JSON.stringify(value)) });
      }),
    );
    fc.assert(
      fc.property(fc.constantFrom(...typeUrls), fc.uint8Array({ maxLength: 200 }), (typeUrl, bytes) => {
        xds.decodeResource({ typeUrl, value: Buffer.from(bytes) });
      }),
      { numRuns: 2_000 },
    );
  });
});
