import { describe, expect, it } from 'vitest';
import type { CodecDeclaration } from './declaration.ts';
import { defineCodec } from './define-codec.ts';
import { text, uint } from './field.ts';
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

  it('names every bad option', () => {
    const [{ parseOptions }] = defineCodec(good).codecs;
    expect(parseOptions(undefined)).toEqual({ frameLimitBytes: 1_000 });
    expect(() => parseOptions({ frameLimitBytes: 3, other: 1 })).toThrow(
      'frameLimitBytes: 3 is not an integer from 12 to 2147483647; other: is not an option of echo; there are frameLimitBytes',
    );
  });

  it('names every fault of a declaration', () => {
    expect(() =>
      defineCodec({
        ...good,
        name: 'Echo_1',
        id: { at: 10, as: 'u64be' },
        kind: { at: 1, as: 'u8', mask: 0x03, request: 0, response: 0, oneway: 4, heartbeatAnswer: 256 },
        codes: { ok: 0, failed: 300 },
        errors: { otherwise: 'failed', of: { timeout: 'late' as 'failed' } },
        attributes: { version: uint({ at: 11, as: 'u16be' }) },
      }),
    ).toThrow(
      [
        'Echo_1.name: "Echo_1" is not lower case letters, digits and dashes',
        'Echo_1.id: bytes 10 to 18 are not inside the head of 12 bytes',
        'Echo_1.kind.response: 0 is also request',
        'Echo_1.kind.oneway: 4 has bits outside the mask 3',
        'Echo_1.kind.heartbeatAnswer: 256 is not a number from 0 to 255',
        'Echo_1.kind.heartbeatAnswer: 256 has bits outside the mask 3',
        'Echo_1.kind.heartbeatAnswer: needs a heartbeat to answer',
        'Echo_1.codes.failed: 300 is not a number from 0 to 255',
        'Echo_1.errors.timeout: "late" is not one of the codes ok, failed',
        'Echo_1.attributes.version: bytes 11 to 13 are not inside the head of 12 bytes',
      ].join('; '),
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
