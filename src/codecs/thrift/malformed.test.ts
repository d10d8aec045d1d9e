import { describe, expect, it } from 'vitest';
import { ClientRig, ServerRig } from '../../../test/harness/thrift/rigs.ts';
import { readStock, writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { decodeLent, feed } from '../../conformance/feed.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { detectThrift } from './frame-meter.ts';
import type { ThriftProtocol, ThriftTransport } from './wire.ts';

const GOOD = { transport: 'framed', protocol: 'binary', name: 'ping', type: 1, seqid: 7, argument: '' } as const;

function framed(hex: string): Buffer {
  const inner = Buffer.from(hex.replaceAll(' ', ''), 'hex');
  const head = Buffer.alloc(4);
  head.writeInt32BE(inner.length);
  return Buffer.concat([head, inner]);
}

/** name, bytes, what is said, and how the answer is read (null: none can be sent). */
const BAD: [string, Buffer, string, [ThriftTransport, ThriftProtocol] | null][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'first bytes 474554202f20 are no Thrift transport at byte 0', null],
  [
    'TLS',
    Buffer.from('16030100c8010000c40303', 'hex'),
    'first bytes 16030100c801 are no Thrift transport at byte 0',
    null,
  ],
  ['zeros', Buffer.alloc(64), 'first bytes 000000000000 are no Thrift transport at byte 0', null],
  [
    'old binary where it is not configured',
    framed('00000004 70696e67 01 00000007 00'),
    'first bytes 0000000e0000 are no Thrift transport (binary without a version has to be configured: oldBinary) at byte 0',
    null,
  ],
  [
    'a negative length, before more comes',
    Buffer.from('ffffffff', 'hex'),
    'first bytes ffff are no Thrift transport at byte 0',
    null,
  ],
  [
    'a frame over the limit',
    Buffer.from('00fa0001800100', 'hex'),
    'frame length 16384001 > frameLimitBytes 16384000 at byte 0',
    ['framed', 'binary'],
  ],
  [
    'a compact frame over the limit',
    Buffer.from('00fa00018221', 'hex'),
    'frame length 16384001 > frameLimitBytes 16384000 at byte 0',
    ['framed', 'compact'],
  ],
  [
    'a THeader frame over the limit',
    Buffer.from('00fa00010fff', 'hex'),
    'frame length 16384001 > frameLimitBytes 16384000 at byte 0',
    ['theader', 'binary'],
  ],
  [
    'binary version 2',
    Buffer.from('8002000100000000', 'hex'),
    'first bytes 8002 are no Thrift transport at byte 0',
    null,
  ],
  [
    'a name longer than the frame',
    framed('80010001 00000064 70696e67 00000007 00'),
    'name length 100 where 9 bytes are left at byte 8',
    ['framed', 'binary'],
  ],
  [
    'a negative name length',
    framed('80010001 ffffffff 70696e67 00000007 00'),
    'name length -1 where 9 bytes are left at byte 8',
    ['framed', 'binary'],
  ],
  [
    'no sequence id',
    framed('80010001 00000004 70696e67 0000'),
    'a binary head without its sequence id at byte 16',
    ['framed', 'binary'],
  ],
  [
    'no struct',
    framed('80010001 00000004 70696e67 00000007'),
    'a message without its struct at byte 20',
    ['framed', 'binary'],
  ],
  [
    'message type 9',
    framed('80010009 00000004 70696e67 00000007 00'),
    'message type 9, 1 to 4 expected at byte 4',
    ['framed', 'binary'],
  ],
  [
    'a reply from a caller',
    framed('80010002 00000004 70696e67 00000007 00'),
    'message type 2, 1 or 4 expected at byte 4',
    ['framed', 'binary'],
  ],
  [
    'a short binary head',
    framed('8001000100'),
    'a binary head of 5 bytes, at least 8 expected at byte 4',
    ['framed', 'binary'],
  ],
  [
    'a compact sequence id without end',
    framed('8221 ffffffffff 01'),
    'a compact head without its sequence id at byte 6',
    ['framed', 'compact'],
  ],
  [
    'a compact sequence id of 33 bits',
    framed('8221 ffffffff1f 01 61 00'),
    'a compact head without its sequence id at byte 6',
    ['framed', 'compact'],
  ],
  [
    'a compact name longer than the frame',
    framed('8221 07 7f 70696e67 00'),
    'name length 127 where 5 bytes are left at byte 7',
    ['framed', 'compact'],
  ],
  [
    'a compact head without a name',
    framed('8221 07'),
    'a compact head without its name length at byte 7',
    ['framed', 'compact'],
  ],
  [
    'a short THeader frame',
    framed('0fff 0000 00000007'),
    'a THeader frame of 12 bytes, at least 14 expected at byte 0',
    ['theader', 'binary'],
  ],
  [
    'unframed: a negative name length',
    Buffer.from('80010001ffffffff', 'hex'),
    'name length -1 at byte 4',
    ['unframed', 'binary'],
  ],
  [
    'unframed: a huge name',
    Buffer.from('800100017fffffff', 'hex'),
    'name length 2147483647 > frameLimitBytes 16384000 at byte 4',
    ['unframed', 'binary'],
  ],
  [
    'unframed: field type 5',
    Buffer.from('8001000100000001610000000705000100', 'hex'),
    'field type 5 at byte 13',
    ['unframed', 'binary'],
  ],
  [
    'unframed compact: field type 15',
    Buffer.from('82210701611f', 'hex'),
    'field type 15 at byte 5',
    ['unframed', 'compact'],
  ],
];

describe('malformed calls', () => {
  it.each(BAD)('%s', (_, bytes, text, answered) => {
    for (const cut of [bytes.length, 1]) {
      const { sink, out, codec } = new ServerRig();
      for (let at = 0; at < bytes.length; at += cut) if (!sink.closed) decodeLent(codec, bytes.subarray(at, at + cut));
      if (answered === null) {
        expect(sink.events.map((event) => event.kind)).toEqual(['error']);
        expect(sink.error?.detail).toBe(`thrift: ${text}`);
        continue;
      }
      expect(sink.events.map((event) => event.kind)).toEqual(['head', 'go-away']);
      expect(sink.reason?.detail).toBe(`thrift: ${text}`);
      const refused = sink.heads[0]!;
      codec.encode(1, refused.answer!, refused);
      const [transport, protocol] = answered;
      const read = readStock(out.take(), transport, protocol);
      expect(read.text).toContain(text);
      expect(refused.answer?.outcome).toEqual({ code: read.exceptionType, ok: false });
      expect(codec.parkedBytes).toBe(0);
    }
  });

  it('are told with their place in the connection, and nothing behind them is read', () => {
    const { sink, codec } = new ServerRig();
    const good = writeStock(GOOD);
    feed(codec, Buffer.concat([good, good, framed('80010009 00000004 70696e67 00000007 00'), good]));
    feed(codec, good);
    codec.peerEnded();
    expect(sink.headIds).toEqual([1, 2, 3]);
    expect(sink.reason?.detail).toBe(`thrift: message type 9, 1 to 4 expected at byte ${good.length * 2 + 4}`);
    expect(codec.reading).toBe(true);
  });

  it('keep the id that could be read', () => {
    const { sink, out, codec } = new ServerRig();
    feed(codec, framed('80010002 00000004 70696e67 00000009 00'));
    codec.encode(1, sink.heads[0]!.answer!, sink.heads[0]!);
    expect(readStock(out.take(), 'framed', 'binary')).toMatchObject({ seqid: 9, exceptionType: 2 });
  });

  it('are answered even if they say oneway: what they are is not known', () => {
    const { sink, out, codec } = new ServerRig();
    feed(codec, framed('80010004 00000004 70696e67 00000007'));
    const refused = sink.heads[0]!;
    expect(refused.flags).toBe(Flag.End);
    expect(refused.get('method')).toBe('');
    expect(refused.fork().answer).toBe(refused.answer);
    codec.encode(1, refused.answer!, refused);
    expect(readStock(out.take(), 'framed', 'binary')).toMatchObject({ seqid: 7, exceptionType: 7 });
  });

  it('by configuration: another transport or protocol than agreed', () => {
    const cases: [unknown, Buffer, string][] = [
      [
        { transport: 'framed' },
        writeStock({ ...GOOD, transport: 'theader' }),
        'a theader frame where the transport is configured framed at byte 4',
      ],
      [
        { transport: 'theader' },
        writeStock(GOOD),
        'a framed frame where the transport is configured theader at byte 4',
      ],
      [{ protocol: 'compact' }, writeStock(GOOD), 'first byte 0x80 where compact is expected at byte 4'],
      [
        { protocol: 'binary' },
        writeStock({ ...GOOD, protocol: 'compact' }),
        'first byte 0x82 where binary is expected at byte 4',
      ],
    ];
    for (const [options, bytes, text] of cases) {
      const { sink, codec } = new ServerRig(options);
      feed(codec, bytes);
      expect(sink.reason?.detail ?? sink.error?.detail).toBe(`thrift: ${text}`);
    }
  });
});

describe('malformed answers', () => {
  it.each(BAD)('%s', (_, bytes) => {
    const server = new ServerRig();
    const { sink, codec } = new ClientRig();
    feed(server.codec, writeStock(GOOD));
    codec.encode(1, server.sink.heads[0]!);
    feed(codec, bytes);
    if (sink.error === null) return expect(sink.headIds).not.toContain(1);
    expect(sink.error.name).toBe('upstream_malformed');
    expect(sink.error.detail).toMatch(/^thrift: .* at byte \d+$/);
    feed(codec, bytes);
  });
});

describe('detection', () => {
  const wires = ['framed', 'unframed', 'theader'].flatMap((transport) =>
    ['binary', 'compact'].map((protocol) => [transport as ThriftTransport, protocol as ThriftProtocol] as const),
  );

  it.each(wires)('%s %s: matches within 8 bytes, and says "more" before', (transport, protocol) => {
    const bytes = writeStock({ ...GOOD, transport, protocol });
    const verdicts = Array.from({ length: bytes.length + 1 }, (_, length) => detectThrift(bytes.subarray(0, length)));
    const decided = verdicts.indexOf('match');
    expect(decided).toBeLessThanOrEqual(8);
    expect(verdicts.slice(0, decided).every((verdict) => verdict === 'more')).toBe(true);
    expect(verdicts.slice(decided).every((verdict) => verdict === 'match')).toBe(true);
  });

  it.each([
    ['HTTP', 'GET / HTTP/1.1\r\n'],
    ['HTTP/2', 'PRI * HTTP/2.0'],
    ['Redis', '*1\r\n$4\r\nPING\r\n'],
    ['TLS', '\x16\x03\x01\x00\xc8\x01\x00'],
    ['Dubbo', '\xda\xbb\xc2\x00\x00\x00\x00\x00'],
    ['old binary', '\0\0\0\x04ping\x01\0\0\0\0\0'],
    ['nothing but zeros', '\0'.repeat(16)],
  ])('rejects %s, at the latest with 8 bytes', (_, text) => {
    expect(detectThrift(Buffer.from(text, 'latin1').subarray(0, 8))).toBe('reject');
    expect(detectThrift(Buffer.alloc(0))).toBe('more');
  });
});
