import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import { ownAnswer, type RedisRequest } from './message.ts';
import { redisFactory } from './plugin.ts';
import { commandBytes } from './wire.ts';

const parkedBytes = (codec: unknown): number => (codec as { parkedBytes: number }).parkedBytes;
const GET = commandBytes(['GET', 'k']);

describe('malformed commands', () => {
  it.each([
    ['*2000000000\r\n', 'invalid multibulk length', '2000000000 arguments > argumentLimit 1048576 at byte'],
    ['*99999999999999\r\n', 'invalid multibulk length', 'command length is no number'],
    ['*x\r\n', 'invalid multibulk length', 'command length is no number'],
    ['*01\r\n', 'invalid multibulk length', 'command length is no number'],
    ['*1\r\nfoo\r\n', "expected '$', got 'f'", 'argument begins with "f", "$" expected'],
    ['*1\r\n$-1\r\n', 'invalid bulk length', 'argument length is no length'],
    ['*1\r\n$x\r\n', 'invalid bulk length', 'argument length is no length'],
    ['*1\r\n$2000000000\r\n', 'invalid bulk length', '2000000000 bytes > bulkLimitBytes 536870912'],
    ['*1\r\n$100000000\r\n', 'command too large', '> frameLimitBytes 67108864'],
    ['*1\r\n$3\r\nGETxx', 'expected CRLF behind an argument', 'is not followed by CRLF'],
    [`${'x'.repeat(70_000)}`, 'too big inline request', 'line of 70000 bytes or more > 65536'],
    ['get "a\r\n', 'unbalanced quotes in request', 'unbalanced quotes'],
  ])('%j is answered in its place, then the connection ends', (text, callerText, detail) => {
    const { sink, codec } = benchServer(redisFactory);
    const seen: string[] = [];
    sink.onGoAway = (why?: { detail: string }) => seen.push(why?.detail ?? '');
    feed(codec, Buffer.concat([GET, Buffer.from(text)]));
    expect(sink.headIds).toEqual([1, 2]);
    const answer = (sink.heads[1] as RedisRequest).answer!;
    expect(answer.raw!.toString()).toBe(`-ERR Protocol error: ${callerText}\r\n`);
    expect(seen).toEqual([expect.stringContaining(detail)]);
    feed(codec, GET);
    expect([sink.heads.length, parkedBytes(codec)]).toEqual([2, 0]);
  });

  it('buffers no more than what came, whatever length was declared', () => {
    const { codec } = benchServer(redisFactory);
    feed(codec, Buffer.from('*1048576\r\n$60000000\r\nabc'));
    expect(parkedBytes(codec)).toBe(24);
  });
});

describe('malformed answers', () => {
  it.each([
    ['x\r\n', 'a value begins with byte 0x78'],
    ['$-2\r\n', '$ is followed by no length'],
    ['*x\r\n', '* is followed by no length'],
    ['%-1\r\n', '% is followed by no length'],
    ['$1\r\nabc', 'a string of 1 bytes is not followed by CRLF'],
    ['+OK\n', 'a line ends without CR'],
    ['*1\r\n'.repeat(200), 'values nested deeper than nestingLimit 128'],
    ['|1\r\n'.repeat(200), 'values nested deeper than nestingLimit 128'],
    ['*?\r\n'.repeat(200), 'values nested deeper than nestingLimit 128'],
    ['.\r\n', '"." ends nothing'],
    [';0\r\n', 'a chunk outside of a streamed string'],
    ['$?x', '"?" is not followed by CRLF'],
  ])('%j fails the connection', (text, detail) => {
    const { sink, codec } = benchClient(redisFactory);
    const { sink: server, codec: reader } = benchServer(redisFactory);
    feed(reader, GET);
    codec.encode(1, server.heads[0]!);
    feed(codec, Buffer.from(`${text}\r`));
    expect(sink.error).toMatchObject({ name: 'upstream_malformed', detail: expect.stringContaining(detail) });
    expect(sink.heads).toEqual([]);
  });

  it.each([
    ['$2000\r\n', `${'x'.repeat(2_000)}\r\n`],
    ['*3\r\n$900\r\n', `${'x'.repeat(900)}\r\n$900\r\n${'x'.repeat(900)}\r\n:1\r\n`],
    ['*2\r\n*?\r\n', `${':123456789\r\n'.repeat(200)}.\r\n$?\r\n;3\r\nabc\r\n;0\r\n`],
    ['|1\r\n+ttl\r\n', `:1\r\n%1\r\n+k\r\n$5000\r\n${'\r\n'.repeat(2_500)}\r\n`],
  ])('%j over the limit is left out, and what comes behind it reaches who waits for it', (head, rest) => {
    for (const pieces of [1, 7, 100, 100_000]) {
      const { sink, codec } = benchClient(redisFactory, { frameLimitBytes: 1_024 });
      const { sink: server, codec: reader } = benchServer(redisFactory);
      feed(reader, Buffer.concat([GET, GET]));
      for (const [index, get] of server.heads.entries()) codec.encode(index + 1, get);
      const bytes = Buffer.from(`${head}${rest}$1\r\nx\r\n`);
      for (let at = 0; at < bytes.length; at += pieces) {
        feed(codec, bytes.subarray(at, at + pieces));
        expect(parkedBytes(codec)).toBeLessThan(2_048);
      }
      const size = bytes.length - 7;
      expect(sink.heads.map((answer) => answer.raw!.toString())).toEqual([
        `-ERR too_large: an answer of ${size} bytes > frameLimitBytes 1024\r\n`,
        '$1\r\nx\r\n',
      ]);
      expect([sink.headIds, sink.error]).toEqual([[1, 2], null]);
    }
  });

  it('ends a connection that says more than the limit unasked', () => {
    const { sink, codec } = benchClient(redisFactory, { frameLimitBytes: 1_024 });
    feed(codec, Buffer.from(`>2\r\n$7\r\nmessage\r\n$2000\r\n`));
    expect(sink.error).toMatchObject({
      name: 'upstream_malformed',
      detail: expect.stringContaining('> frameLimitBytes'),
    });
  });

  it('holds an array of any declared size in what came of it', () => {
    const { sink, codec } = benchClient(redisFactory);
    feed(codec, Buffer.from('*2000000000\r\n:1\r\n'));
    expect([sink.error, parkedBytes(codec)]).toEqual([null, 17]);
  });
});

/** Small, seeded and fast: 200,000 inputs must take seconds. */
function randomOf(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((state >>> 0) / 0x1_0000_0000) * limit);
  };
}

describe('random input', () => {
  const PIECES = [
    '*',
    '$',
    '\r\n',
    '-1',
    '0',
    '1',
    '2',
    '3',
    '99',
    'GET',
    'SUBSCRIBE',
    '+OK',
    ':',
    '>',
    '%',
    '|',
    '?',
    '"',
    ' ',
    '_',
  ];
  const LIMITS = { frameLimitBytes: 1_024, bulkLimitBytes: 512, nestingLimit: 8 };

  const inputOf = (below: (limit: number) => number): Buffer => {
    if (below(4) === 0) return Buffer.from(Array.from({ length: below(60) }, () => below(256)));
    const parts = Array.from({ length: 1 + below(12) }, () => PIECES[below(PIECES.length)]);
    return Buffer.from(below(2) === 0 ? parts.join('') : `*2\r\n$3\r\nGET\r\n${parts.join('')}\r\n`);
  };

  it.each([1, 2])('200,000 inputs neither crash nor hang either side (seed %i)', (seed) => {
    const below = randomOf(seed);
    for (let round = 0; round < 50_000; round++) {
      const server = benchServer(redisFactory, LIMITS);
      const client = benchClient(redisFactory, LIMITS);
      client.codec.encode(1, READY);
      const input = inputOf(below);
      const sizes = [1 + below(8), 1 + below(8)];
      feed(server.codec, input, sizes);
      feed(client.codec, input, sizes);
      for (const [index, head] of server.sink.heads.entries()) {
        server.codec.encode(index + 1, head.answer ?? ownAnswer('+OK\r\n'), head);
        head.get('key');
      }
      server.codec.resume();
      if (parkedBytes(server.codec) > 70_000 || parkedBytes(client.codec) > 4_096) throw new Error(`parked ${round}`);
    }
  });
});

const READY = (() => {
  const { sink, codec } = benchServer(redisFactory);
  feed(codec, GET);
  return sink.heads[0]!;
})();
