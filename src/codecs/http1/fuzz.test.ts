import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fuzz } from '../../../test/harness/fuzz.ts';
import { benchClient, benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import type { Random } from '../../conformance/random.ts';
import { Flag, type Message } from '../../metaprotocol/message.ts';
import type { Status } from '../../metaprotocol/status.ts';
import { AMBIGUOUS_REQUESTS } from './fixtures/ambiguous-requests.ts';
import { http1Factory } from './plugin.ts';
import { httpReply } from './reply.ts';
import type { Http1ServerCodec } from './server-codec.ts';

const HEAD_LIMIT = 2_048;
const HELD_LIMIT = 4_096;
const OPTIONS = { headLimitBytes: HEAD_LIMIT, headerLimit: 20, heldLimitBytes: HELD_LIMIT, chunkLineLimitBytes: 64 };
const OK: typeof Status.no_error = { name: 'no_error', source: 'local', retryable: false, detail: 'ok', code: null };

const REQUESTS = AMBIGUOUS_REQUESTS.filter(({ bytes }) => bytes.length < 300).map(({ bytes }) => bytes);
const RESPONSES = [
  'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX: y\r\n\r\n',
  'HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n',
  'HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00',
];
const BYTES = [0x00, 0x09, 0x0a, 0x0d, 0x20, 0x2c, 0x30, 0x3a, 0x3b, 0x7f, 0x80, 0xff];

function mutated(random: Random, corpus: readonly string[]): Buffer {
  const count = 1 + random.below(3);
  const texts = Array.from({ length: count }, () => corpus[random.below(corpus.length)]!);
  const bytes = Buffer.from(texts.join(''), 'latin1');
  for (let edits = random.below(5); edits > 0; edits--) {
    const at = random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = BYTES[random.below(BYTES.length)]!;
        break;
      case 2:
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
        break;
      case 3:
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
        break;
    }
  }
  return bytes;
}

/** Answers every request that came in full, as the core does; returns how many there were. */
function serve(random: Random, bytes: Buffer): number {
  const { codec, sink, out } = benchServer(http1Factory, OPTIONS);
  let heads = 0;
  sink.onEvent = (event) => {
    if (event.kind === 'data') codec.credit(event.id, event.chunk.length);
    if (event.kind === 'head') heads++;
  };
  for (let at = 0; at < bytes.length && !sink.closed && codec.reading; ) {
    const size = 1 + random.below(bytes.length);
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    codec.decode(chunk, true);
    chunk.fill(0xa5);
    const parked = (codec as Http1ServerCodec).parkedBytes;
    if (parked > HEAD_LIMIT + HELD_LIMIT) throw new Error(`${parked} bytes parked`);
    at += size;
    const last = sink.events.findLast((event) => event.kind === 'head');
    if (last?.kind !== 'head' || sink.closed || random.below(2) === 0) continue;
    last.head.set('x-added', 'y');
    last.head.entries(() => {});
    codec.encode(last.id, last.head.answer ?? httpReply(OK), last.head);
    codec.resume();
  }
  if (!sink.closed) codec.peerEnded();
  out.take();
  return heads;
}

function receive(random: Random, bytes: Buffer, method: string): void {
  const server = benchServer(http1Factory);
  feed(
    server.codec,
    Buffer.from(`${method} / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n`),
  );
  const { codec, sink } = benchClient(http1Factory, OPTIONS);
  codec.encode(1, server.sink.heads[0]!);
  for (let at = 0; at < bytes.length && !sink.closed; ) {
    const size = 1 + random.below(bytes.length);
    codec.decode(Buffer.from(bytes.subarray(at, at + size)), true);
    at += size;
  }
  if (!sink.closed) codec.peerEnded();
  // Whatever came: one answer at most.
  const finals = sink.heads.filter((head) => (head.flags & Flag.Informational) === 0);
  expect(finals.length).toBeLessThanOrEqual(1);
}

describe('200,000 random and mutated inputs', () => {
  it.each([1, 2, 3, 4])('do not crash, hang or park too much (seed %i)', (seed) => {
    const inputOf = (random: Random, n: number) => mutated(random, n % 4 === 3 ? RESPONSES : REQUESTS);
    const heads = fuzz(seed, inputOf, (bytes, random, n) => {
      if (n % 4 !== 3) return serve(random, bytes);
      receive(random, bytes, n % 8 === 3 ? 'GET' : 'HEAD');
      return 0;
    });
    // The mutations must leave enough intact to get past the heads.
    expect(heads).toBeGreaterThan(20_000);
  });
});

describe('any split of any requests', () => {
  const token = fc
    .stringMatching(/^[a-z][a-z0-9-]{0,12}$/)
    .filter((name) => !/^(te|host|expect|upgrade|trailer)$/.test(name));
  const request = fc.record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    path: fc.stringMatching(/^[a-z0-9/?&=%.]{0,30}$/),
    headers: fc.dictionary(token, fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/), { maxKeys: 8 }),
    chunks: fc.array(fc.stringMatching(/^[ -~\r\n]{1,60}$/), { maxLength: 4 }),
    chunked: fc.boolean(),
  });

  it('gives the same requests, and sends them on as they came', () => {
    fc.assert(
      fc.property(
        fc.array(request, { minLength: 1, maxLength: 5 }),
        fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 60 }),
        (all, sizes) => {
          const { codec, sink } = benchServer(http1Factory);
          const client = benchClient(http1Factory);
          let sent = '';
          sink.onEvent = (event) => {
            if (event.kind === 'head') client.codec.encode(event.id, event.head);
            else if (event.kind === 'data') client.codec.data(event.id, event.chunk, event.end, true);
          };
          feed(codec, Buffer.from(all.map(write).join(''), 'latin1'), sizes);
          for (let at = 0; at < all.length; at++) {
            // Held until the answer is out.
            expect(sink.heads.length).toBe(at + 1);
            sent += client.out.take().toString('latin1');
            codec.encode(at + 1, httpReply(OK), sink.heads[at]!);
            feed(client.codec, Buffer.from('HTTP/1.1 204 No Content\r\n\r\n'));
            codec.resume();
          }
          const again = benchServer(http1Factory);
          feed(again.codec, Buffer.from(sent, 'latin1'));
          for (const [at, one] of all.entries()) {
            const [was, is] = [entriesOf(sink.heads[at]!), entriesOf(again.sink.heads[at]!)];
            expect(is).toEqual(was);
            expect(again.sink.dataOf(at + 1).toString('latin1')).toBe(one.chunks.join(''));
            again.codec.encode(at + 1, httpReply(OK), again.sink.heads[at]!);
            again.codec.resume();
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it('gives what was written', () => {
    fc.assert(
      fc.property(request, fc.array(fc.integer({ min: 1, max: 90 }), { maxLength: 60 }), (one, sizes) => {
        const { codec, sink } = benchServer(http1Factory);
        feed(codec, Buffer.from(write(one), 'latin1'), sizes);
        const [head] = sink.heads;
        expect(head!.get(':method')).toBe(one.method);
        expect(head!.get(':path')).toBe(`/${one.path}`);
        for (const [name, value] of Object.entries(one.headers)) expect(head!.get(name)).toBe(value);
        expect(sink.dataOf(1).toString('latin1')).toBe(one.chunks.join(''));
      }),
      { numRuns: 500 },
    );
  });
});

function entriesOf(message: Message): string[] {
  const lines: string[] = [];
  message.entries((key, value) => lines.push(`${key}: ${value}`));
  return lines;
}

function write(one: {
  method: string;
  path: string;
  headers: Readonly<Record<string, string>>;
  chunks: readonly string[];
  chunked: boolean;
}): string {
  let head = `${one.method} /${one.path} HTTP/1.1\r\nHost: h\r\n`;
  for (const [name, value] of Object.entries(one.headers)) head += `${name}: ${value}\r\n`;
  if (one.chunked) {
    const chunks = one.chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`);
    return `${head}transfer-encoding: chunked\r\n\r\n${chunks.join('')}0\r\n\r\n`;
  }
  const body = one.chunks.join('');
  return `${head}${body === '' ? '' : `content-length: ${body.length}\r\n`}\r\n${body}`;
}
