import { describe, expect, it } from 'vitest';
import type { ConfigError } from '../metaprotocol/config-error.ts';
import type { CodecDeclaration } from './declaration.ts';
import { defineCodec } from './define-codec.ts';
import { fixedText, text, uint } from './field.ts';
import { textMap } from './text-map.ts';

const good = {
  name: 'echo',
  version: '1.2.0',
  codecApi: '^1.0.0',
  frame: { magic: [0xab], headBytes: 12, length: { at: 8, as: 'u32be', of: 'body' }, limitBytes: 1_000 },
  id: { at: 4, as: 'u32be' },
  kind: { at: 1, as: 'u8', request: 0, response: 1 },
  outcome: { at: 2, as: 'u8' },
  codes: { ok: 0, failed: 1 },
  errors: { otherwise: 'failed' },
  attributes: {
    method: text({ length: 'u16be', on: 'request', description: 'What is called.' }),
    version: uint({ at: 3, as: 'u8' }),
  },
} as const satisfies CodecDeclaration<'ok' | 'failed'>;

describe('defineCodec', () => {
  it('derives the manifest', () => {
    const [{ manifest }] = defineCodec(good).codecs;
    expect(manifest).toMatchObject({
      name: 'echo',
      family: 'echo',
      attributes: {
        fixed: [
          { key: 'method', description: 'What is called.', mutable: true },
          { key: 'version', mutable: false },
        ],
        open: null,
      },
      codes: [
        { name: 'ok', code: 0 },
        { name: 'failed', code: 1 },
      ],
      options: [{ key: 'frameLimitBytes', minimum: 12, default: 1_000 }],
      capabilities: { requestMutation: true, responseMutation: false, oneway: false, idempotencyHint: false },
    });
    const full = defineCodec({
      ...good,
      kind: { ...good.kind, oneway: 2 },
      open: textMap({ length: 'u16be', key: 'u8', value: 'u8' }),
      replaySafe: () => true,
    });
    expect(full.codecs[0].manifest.capabilities).toMatchObject({
      responseMutation: true,
      oneway: true,
      idempotencyHint: true,
    });
  });

  it('detects by the magic, and not at all without one', () => {
    const [{ detect }] = defineCodec(good).codecs;
    expect(detect?.(Buffer.from([0xab, 1]))).toBe('match');
    expect(detect?.(Buffer.from([]))).toBe('more');
    expect(detect?.(Buffer.from([0xac]))).toBe('reject');
    const { magic: _magic, ...frame } = good.frame;
    expect(defineCodec({ ...good, frame }).codecs[0].detect).toBeUndefined();
  });

  it('asks no more of an upstream at once than ids can tell apart', () => {
    const inFlight = (as: 'u8' | 'u24le') => {
      return defineCodec({ ...good, id: { at: 4, as } }).codecs[0].concurrency.upstream;
    };
    expect([inFlight('u8'), inFlight('u24le')]).toEqual([255, 1_024]);
  });

  it('names every bad option', () => {
    const [{ parseOptions }] = defineCodec(good).codecs;
    expect(parseOptions(undefined)).toEqual({ frameLimitBytes: 1_000 });
    expect(() => parseOptions({ frameLimitBytes: 3, other: 1 })).toThrow(
      'frameLimitBytes: 3 is not an integer from 12 to 2147483647; other: is not an option of echo; there are frameLimitBytes',
    );
  });

  const faultsOf = (changes: object): string[] => {
    try {
      defineCodec({ ...good, ...changes });
      return [];
    } catch (error) {
      return (error as ConfigError).issues.map(({ path, message }) => `${path}: ${message}`);
    }
  };

  it('names every fault of a declaration', () => {
    expect(
      faultsOf({
        frame: { ...good.frame, length: { at: 8, as: 'u8', of: 'body' } },
        id: { at: 10, as: 'u64be' },
        kind: { at: 1, as: 'u8', mask: 0x03, request: 0, response: 0, oneway: 4, heartbeatAnswer: 256 },
        outcome: { at: 2, as: 'u8', ok: [0, 700] },
        codes: { ok: 0, failed: 300 },
        errors: { otherwise: 'ok', of: { timeout: 'late' } },
        attributes: { version: uint({ at: 11, as: 'u16be' }) },
      }),
    ).toEqual([
      'echo.id: bytes 10 to 18 are not inside the head of 12 bytes',
      'echo.frame.limitBytes: 1000 > 267, the largest frame that u8 of body can tell',
      'echo.kind.response: 0 is also request',
      'echo.kind.oneway: 4 has bits outside the mask 3',
      'echo.kind.heartbeatAnswer: 256 is not a number from 0 to 255',
      'echo.kind.heartbeatAnswer: 256 has bits outside the mask 3',
      'echo.kind.heartbeatAnswer: needs a heartbeat to answer',
      'echo.outcome.ok: 700 is not a number from 0 to 255',
      'echo.codes.failed: 300 is not a number from 0 to 255',
      'echo.errors.otherwise: "ok" is 0, which means success',
      'echo.errors.of.timeout: "late" is not one of the codes ok, failed',
      'echo.attributes.version: bytes 11 to 13 are not inside the head of 12 bytes',
    ]);
  });

  it('lets no two parts of the head share bytes, where both are written', () => {
    expect(faultsOf({ id: { at: 6, as: 'u32be' } })).toEqual([
      'echo.id: bytes 6 to 10 overlap frame.length, bytes 8 to 12',
    ]);
    expect(faultsOf({ kind: { ...good.kind, at: 0 } })).toEqual([
      'echo.kind: bytes 0 to 1 overlap frame.magic, bytes 0 to 1',
    ]);
    const tenant = (on: 'request' | 'response', at: number) => fixedText({ at, bytes: 2, on });
    expect(faultsOf({ attributes: { a: tenant('request', 3) } })).toEqual([
      'echo.attributes.a: bytes 3 to 5 overlap id, bytes 4 to 8',
    ]);
    const frame = { ...good.frame, headBytes: 16 };
    expect(faultsOf({ frame, attributes: { a: tenant('request', 12), b: tenant('request', 13) } })).toEqual([
      'echo.attributes.b: bytes 13 to 15 overlap attributes.a, bytes 12 to 14',
    ]);
    expect(faultsOf({ frame, attributes: { a: tenant('request', 12), b: tenant('response', 13) } })).toEqual([]);
    // Read only, or the outcome, which a route may change.
    expect(faultsOf({ attributes: { id: uint({ at: 4, as: 'u32be' }) } })).toEqual([]);
    expect(faultsOf({ attributes: { code: uint({ at: 2, as: 'u8', mutable: true, on: 'response' }) } })).toEqual([]);
  });

  it('takes nothing that the types refuse: plugins are loaded without a compiler', () => {
    const { frame, kind } = good;
    expect(
      faultsOf({ name: 'Echo_1', version: undefined, codecApi: '1', aliases: 'e', open: text({ length: 'u8' }) }),
    ).toEqual([
      'Echo_1.name: actual "Echo_1", expected lower case letters, digits and dashes, at most 46, a letter first and no dash at the end',
      'Echo_1.version: actual nothing, expected a text',
      'Echo_1.codecApi: actual "1", expected a version such as "^1.0.0"',
      'Echo_1.aliases: actual "e", expected a list',
      'Echo_1.open: actual an object {"place":"part","mutable":true,"on":"both","description":""}, expected what textMap gives',
    ]);
    expect(
      faultsOf({
        frame: { ...frame, magic: [300], headBytes: Number.NaN, length: { at: 8, as: 'u40be' }, trailer: 4 },
      }),
    ).toEqual([
      'echo.frame.magic[0]: actual 300, expected a whole number from 0 to 255',
      'echo.frame.headBytes: actual NaN, expected a whole number from 1 to 2147483647',
      'echo.frame.length.as: actual "u40be", expected one of u8, u16be, u16le, u24be, u24le, u32be, u32le',
      'echo.frame.length.of: actual nothing, expected one of body, rest, frame',
      'echo.frame.trailer: unknown field, expected one of magic, headBytes, length, limitBytes',
    ]);
    expect(faultsOf({ kind: { ...kind, response: undefined, hartbeat: 3 }, outcome: undefined })).toEqual([
      'echo.kind.response: actual nothing, expected a whole number from 0 to 4294967295',
      'echo.kind.hartbeat: unknown field, expected one of at, as, mask, request, response, oneway, heartbeat, heartbeatAnswer; did you mean heartbeat?',
      'echo.outcome: actual nothing, expected an object of at, as, ok',
    ]);
    const map = textMap({ length: 'u16be', key: 'u8', value: 'u8' });
    const attributes = {
      a: map,
      b: () => 'b',
      '': text({ length: 'u8' }),
      c: text({ length: 'u8', on: 'x' as 'both' }),
    };
    expect(faultsOf({ attributes, errors: { otherwise: 'failed', of: { late: 'failed' } }, replaySafe: true })).toEqual(
      [
        expect.stringMatching(/^echo\.errors\.of\.late: unknown field, expected one of no_error, no_route, /),
        expect.stringMatching(
          /^echo\.attributes\.a: actual an object .*, expected a field; what textMap gives stands under `open`$/,
        ),
        'echo.attributes.b: actual a function, expected what text, fixedText, uint or derived give',
        'echo.attributes[""]: actual "", expected a key that is a text that is not empty',
        'echo.attributes.c.on: actual "x", expected one of both, request, response',
        'echo.replaySafe: actual true, expected a function',
      ],
    );
    expect(() => text({ length: 'u64be' as 'u8' })).toThrow('"u64be" is not one of u8, u16be');
    expect(() => uint({ at: 3, as: 'u8', names: { big: 999 } })).toThrow(
      'uint at 3, names.big: 999 is not a number from 0 to 255',
    );
    expect(() => defineCodec(undefined as unknown as CodecDeclaration)).toThrow(
      /^codec: actual nothing, expected an object of name, /,
    );
  });

  it('shows the fields of a frame with their offsets, as far as it can be read', () => {
    const { fieldsOf } = defineCodec(good).codecs[0];
    const frame = Buffer.from('ab000007000000050000000700036765740102', 'hex');
    expect(fieldsOf?.(frame)).toEqual([
      { name: 'magic', at: 0, bytes: 1, value: 'ab' },
      { name: 'kind', at: 1, bytes: 1, value: 'request' },
      { name: 'version', at: 3, bytes: 1, value: '7' },
      { name: 'id', at: 4, bytes: 4, value: '5' },
      { name: 'length', at: 8, bytes: 4, value: '7' },
      { name: 'method', at: 12, bytes: 5, value: 'get' },
      { name: 'body', at: 17, bytes: 2, value: '0102' },
    ]);
    expect(fieldsOf?.(frame.subarray(0, 15)).map(({ name }) => name)).toEqual([
      'magic',
      'kind',
      'version',
      'id',
      'length',
    ]);
    expect(fieldsOf?.(frame.subarray(0, 5))).toHaveLength(1);
    expect(fieldsOf?.(Buffer.alloc(0))).toEqual([]);
  });
});
