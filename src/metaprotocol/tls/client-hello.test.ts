import { Duplex } from 'node:stream';
import tls from 'node:tls';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientHelloReader, HELLO_LIMIT_BYTES, type HelloReading } from './client-hello.ts';

const u8 = (value: number) => Buffer.of(value);
const u16 = (value: number) => Buffer.of(value >> 8, value & 0xff);
const u24 = (value: number) => Buffer.of(value >> 16, (value >> 8) & 0xff, value & 0xff);
const sized = (size: (length: number) => Buffer, ...parts: Buffer[]) => {
  const content = Buffer.concat(parts);
  return Buffer.concat([size(content.length), content]);
};
const extension = (type: number, content: Buffer) => Buffer.concat([u16(type), sized(u16, content)]);
const serverName = (name: string) =>
  extension(0, sized(u16, Buffer.concat([u8(0), sized(u16, Buffer.from(name, 'latin1'))])));
const protocols = (names: readonly string[]) =>
  extension(16, sized(u16, ...names.map((name) => sized(u8, Buffer.from(name, 'latin1')))));

/** The handshake message, without records. */
function message(extensions: readonly Buffer[] | null): Buffer {
  const body = [
    u16(0x303),
    Buffer.alloc(32, 7),
    sized(u8, Buffer.alloc(32, 1)),
    sized(u16, u16(0x1301)),
    sized(u8, u8(0)),
  ];
  if (extensions !== null) body.push(sized(u16, ...extensions));
  return Buffer.concat([u8(1), sized(u24, ...body)]);
}

/** In records of at most `size` bytes of content. */
function records(content: Buffer, size = 16_384): Buffer {
  const parts: Buffer[] = [];
  for (let at = 0; at < content.length; at += size) {
    parts.push(Buffer.of(22, 3, 1), sized(u16, content.subarray(at, at + size)));
  }
  return Buffer.concat(parts);
}

const readOnce = (bytes: Buffer): HelloReading => new ClientHelloReader().read(bytes);

/** As a connection brings them: `cuts` are the ends of reads. */
function readInParts(bytes: Buffer, cuts: readonly number[]): HelloReading {
  const reader = new ClientHelloReader();
  let reading: HelloReading = { kind: 'more' };
  for (const cut of [...cuts, bytes.length]) {
    reading = reader.read(bytes.subarray(0, cut));
    if (reading.kind !== 'more') return reading;
  }
  return reading;
}

const HELLO = records(
  message([serverName('Wind.Example.'), protocols(['h2', 'x/1.1']), extension(51, Buffer.alloc(9))]),
);
const FOUND = { kind: 'hello', hello: { serverName: 'wind.example', applicationProtocols: ['h2', 'x/1.1'] } };

describe('a ClientHello', () => {
  it('tells server name and protocols, however the reads fall', () => {
    expect(readOnce(HELLO)).toEqual(FOUND);
    for (let cut = 0; cut < HELLO.length; cut++) {
      expect(readOnce(HELLO.subarray(0, cut)), `${cut} bytes`).toEqual({ kind: 'more' });
      expect(readInParts(HELLO, [cut])).toEqual(FOUND);
    }
    expect(readInParts(HELLO, Array.from(HELLO.keys()))).toEqual(FOUND);
  });

  it('may come in records of any size', () => {
    const whole = message([serverName('a.example')]);
    for (const size of [1, 2, 3, 4, 5, 100]) {
      const bytes = records(whole, size);
      const found = { kind: 'hello', hello: { serverName: 'a.example', applicationProtocols: [] } };
      expect(readOnce(bytes)).toEqual(found);
      expect(readInParts(bytes, Array.from(bytes.keys()))).toEqual(found);
    }
  });

  it('may name nobody and have no extension at all', () => {
    const nothing = { kind: 'hello', hello: { serverName: null, applicationProtocols: [] } };
    expect(readOnce(records(message(null)))).toEqual(nothing);
    expect(readOnce(records(message([])))).toEqual(nothing);
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)('is what Node itself sends, with %s', async (maxVersion) => {
    const sent = Promise.withResolvers<Buffer>();
    const peer = new Duplex({ read() {}, write: (chunk: Buffer) => sent.resolve(chunk) });
    const socket = tls.connect({ socket: peer, servername: 'a.example', ALPNProtocols: ['x'], maxVersion });
    socket.on('error', () => {});
    expect(readOnce(await sent.promise)).toEqual({
      kind: 'hello',
      hello: { serverName: 'a.example', applicationProtocols: ['x'] },
    });
    socket.destroy();
  });

  it('of any names and splits is read the same', () => {
    const host = fc.stringMatching(/^[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}$/);
    const offered = fc.array(fc.stringMatching(/^[!-~]{1,20}$/), { maxLength: 5 });
    fc.assert(
      fc.property(
        host,
        offered,
        fc.integer({ min: 1, max: 300 }),
        fc.array(fc.nat(2_000)),
        (name, alpn, size, cuts) => {
          const bytes = records(message([protocols(alpn), serverName(name)]), size);
          const ordered = cuts.map((cut) => cut % bytes.length).sort((a, b) => a - b);
          expect(readInParts(bytes, ordered)).toEqual({
            kind: 'hello',
            hello: { serverName: name, applicationProtocols: alpn },
          });
        },
      ),
    );
  });
});

describe('bytes that are none', () => {
  it('are other from the first byte that says so', () => {
    for (const text of ['GET / HTTP/1.1\r\n', '\x16\x02', '*1\r\n', '\x80\x2e\x01']) {
      expect(readOnce(Buffer.from(text, 'latin1'))).toEqual({ kind: 'other' });
    }
    expect(readOnce(Buffer.alloc(0))).toEqual({ kind: 'more' });
  });

  const cases: readonly (readonly [string, Buffer, RegExp])[] = [
    ['another handshake message', records(Buffer.from([2, 0, 0, 1, 0])), /message of type 2, expected 1/],
    ['an empty record', Buffer.from([22, 3, 1, 0, 0, 1]), /record of 0 bytes/],
    ['an oversize record', Buffer.from([22, 3, 1, 0x40, 1, 1, 0, 0, 4]), /record of 16385 bytes, expected 1 to 16384/],
    [
      'a record of another type inside',
      Buffer.concat([records(Buffer.from([1, 0, 0, 9])), Buffer.from([23, 3, 1, 0, 1, 0])]),
      /record of type 23/,
    ],
    [
      'an oversize message, told before it came',
      Buffer.from([22, 3, 1, 0x40, 0, 1, 1, 0, 0]),
      /65540 bytes, limit 16384/,
    ],
    [
      'an oversize message in small records',
      records(Buffer.concat([Buffer.from([1, 1]), Buffer.alloc(60)]), 2),
      /65540 bytes, limit/,
    ],
    [
      'a session id beyond its end',
      records(Buffer.concat([Buffer.from([1, 0, 0, 36]), Buffer.alloc(34), u8(99), u8(0)])),
      /ends inside session id/,
    ],
    [
      'an extension beyond its end',
      records(message([Buffer.concat([u16(5), u16(9), u8(1)])])),
      /ends inside extension 5/,
    ],
    [
      'a name beyond its end',
      records(message([extension(0, Buffer.concat([u16(4), u8(0), u16(9), u8(65)]))])),
      /ends inside server name/,
    ],
    ['a name that is no name', records(message([serverName('a b')])), /no host name/],
    ['an empty name', records(message([serverName('')])), /no host name/],
    ['an extension twice', records(message([serverName('a'), serverName('b')])), /extension 0 twice/],
  ];
  it.each(cases)('%s', (_, bytes, why) => {
    const reading = readOnce(bytes);
    expect(reading).toMatchObject({ kind: 'malformed', why: expect.stringMatching(why) });
    expect(readInParts(bytes, Array.from(bytes.keys()))).toEqual(reading);
  });

  it('never wait for more than the limit', () => {
    const large = records(message([extension(21, Buffer.alloc(15_000)), extension(22, Buffer.alloc(3_000))]));
    expect(readOnce(large.subarray(0, 100))).toMatchObject({ kind: 'malformed' });
    // Small records add their headers: the bytes count.
    const reader = new ClientHelloReader();
    const drop = records(message([extension(21, Buffer.alloc(15_000))]), 1);
    expect(reader.read(drop.subarray(0, HELLO_LIMIT_BYTES))).toEqual({ kind: 'more' });
    expect(reader.read(drop.subarray(0, HELLO_LIMIT_BYTES + 1))).toMatchObject({
      kind: 'malformed',
      why: expect.stringMatching(/16385 bytes, limit 16384/),
    });
  });

  it('throw nothing, whatever they are and however they are split', () => {
    const whole = [...HELLO];
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(edits, fc.nat(whole.length), (changes, cut) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const reading = readOnce(bytes);
        expect(['more', 'other', 'hello', 'malformed']).toContain(reading.kind);
        expect(readInParts(bytes, [cut])).toEqual(reading);
      }),
      { numRuns: 2_000 },
    );
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => void readOnce(Buffer.from(bytes))),
      { numRuns: 2_000 },
    );
  });
});
