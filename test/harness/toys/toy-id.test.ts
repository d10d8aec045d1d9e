import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../../src/conformance/codec-bench.ts';
import { feed, feedBytewise } from '../../../src/conformance/feed.ts';
import { Reset } from '../../../src/metaprotocol/codec.ts';
import { Flag } from '../../../src/metaprotocol/message.ts';
import { Status, type StatusName } from '../../../src/metaprotocol/status.ts';
import { codeOf, statusNameOf } from './toy-codes.ts';
import { Kind, type ToyIdFrame, ToyIdResponse, toyId, toyIdFrame } from './toy-id.ts';

const call = (id: bigint, more: Partial<ToyIdFrame> = {}) =>
  toyIdFrame({ kind: Kind.Request, id, attributes: { method: 'getUser', tenant: 'a' }, body: 'body', ...more });

const answerFrame = (id: bigint, body: string, status = 0) =>
  toyIdFrame({ kind: Kind.Response, id, body, status, attributes: { server: 's1' } });

const answer = (body: string) => new ToyIdResponse(answerFrame(0n, body));

describe('toy-id', () => {
  it('reads a request and keeps it when asked', () => {
    const { sink, codec } = benchServer(toyId);
    feed(codec, call(7n));
    const [request] = sink.heads;
    expect(request!.flags).toBe(Flag.End);
    expect(request!.get('tenant')).toBe('a');
    expect(request!.replaySafe).toBe(true);
    expect(request!.raw).toEqual(call(7n));
  });

  it('restores 64-bit ids that repeat on one connection, whatever the order of answers', () => {
    const { sink, out, codec } = benchServer(toyId);
    const repeated = 0xffff_ffff_ffff_fffdn;
    feed(codec, Buffer.concat([call(repeated), call(repeated), call(2n ** 53n + 1n)]));
    expect(sink.headIds).toEqual([1, 2, 3]);
    codec.encode(3, answer('third'), null);
    codec.encode(1, answer('first'), null);
    codec.encode(2, answer('second'), null);
    expect(out.take()).toEqual(
      Buffer.concat([
        answerFrame(2n ** 53n + 1n, 'third'),
        answerFrame(repeated, 'first'),
        answerFrame(repeated, 'second'),
      ]),
    );
    expect(() => codec.encode(2, answer('again'), null)).toThrow('stream 2');
  });

  it('sends an unedited request byte for byte but for the id, an edited one with its body untouched', () => {
    const { sink, codec } = benchServer(toyId);
    feed(codec, Buffer.concat([call(7n), call(8n)]));
    const [plain, edited] = sink.heads;
    const fork = edited!.fork();
    fork.set('tenant', 'forked');
    edited!.set('tenant', 'b');
    edited!.remove('method');
    const upstream = benchClient(toyId);
    upstream.codec.encode(1, plain!);
    upstream.codec.encode(2, edited!);
    expect(upstream.out.take()).toEqual(Buffer.concat([call(1n), call(2n, { attributes: { tenant: 'b' } })]));
    expect(edited!.raw).toEqual(call(8n));
    expect(fork.get('tenant')).toBe('forked');
    expect(edited!.set('tenant', 'two\nlines')).toBe(false);
  });

  it('pairs answers by core id, owes what was reset, and passes unknown ids on', () => {
    const { sink, out, codec } = benchClient(toyId);
    const request = benchServer(toyId);
    feed(request.codec, Buffer.concat([call(1n), call(1n), call(1n, { kind: Kind.Oneway })]));
    const [first, second, oneway] = request.sink.heads;
    codec.encode(1, first!);
    codec.encode(2, second!);
    codec.encode(3, oneway!);
    expect(out.take().length).toBe(3 * call(1n).length);
    expect(codec.reset(1, Status.timeout)).toBe(Reset.Owed);
    expect(codec.reset(3, Status.timeout)).toBe(Reset.Done);
    feed(codec, Buffer.concat([answerFrame(2n, 'b'), answerFrame(1n, 'late'), answerFrame(2n ** 63n, 'whose?')]));
    expect(sink.headIds).toEqual([2, 1, 2 ** 63]);
    expect(codec.reset(1, Status.timeout)).toBe(Reset.Done);
  });

  it('marks oneway calls, and answers heartbeats by itself', () => {
    const { sink, out, codec } = benchServer(toyId);
    feed(codec, Buffer.concat([toyIdFrame({ kind: Kind.Heartbeat, id: 9n }), call(1n, { kind: Kind.Oneway })]));
    expect(sink.heads.map((head) => head.flags)).toEqual([Flag.End | Flag.Oneway]);
    expect(out.take()).toEqual(toyIdFrame({ kind: Kind.HeartbeatAnswer, id: 9n }));
  });

  it('says every ProxyStatus in a way its own client side reads', () => {
    for (const name of Object.keys(Status) as StatusName[]) {
      const { out, codec } = benchServer(toyId);
      feed(codec, call(5n));
      codec.encode(1, codec.reply(Status[name], null), null);
      const caller = benchClient(toyId);
      feed(caller.codec, out.take());
      const [reply] = caller.sink.heads;
      expect(reply!.get('error')).toBe(name);
      expect(reply!.outcome).toEqual({ code: codeOf(Status[name]), ok: name === 'no_error' });
      expect(statusNameOf(reply!.outcome!.code)).toBe(name);
    }
  });

  it('refuses an oversize length before anything is parked', () => {
    const { sink, codec } = benchServer(toyId, { frameLimitBytes: 100 });
    const head = Buffer.alloc(5);
    head.writeUInt32BE(2_000_000_000, 0);
    feed(codec, Buffer.concat([call(1n), head]));
    expect(sink.heads.length).toBe(1);
    const at = call(1n).length;
    expect(sink.error).toMatchObject({
      name: 'too_large',
      detail: `toy-id: frame of 2000000004 bytes > frameLimitBytes 100 at byte ${at}`,
    });
  });

  it('stops at pause, goes on at resume, also from inside a sink call', () => {
    const { sink, codec } = benchServer(toyId);
    sink.onEvent = () => codec.pause();
    feed(codec, Buffer.concat([call(1n), call(2n), call(3n)]));
    expect(sink.headIds).toEqual([1]);
    expect(codec.reading).toBe(false);
    codec.resume();
    expect(sink.headIds).toEqual([1, 2]);
    sink.onEvent = () => {
      codec.pause();
      codec.resume();
    };
    codec.resume();
    expect(sink.headIds).toEqual([1, 2, 3]);
    expect(sink.heads.map((head) => head.raw?.length)).toEqual([1, 2, 3].map(() => call(1n).length));
  });

  it('stops as soon as the sink is closed', () => {
    const { sink, codec } = benchServer(toyId);
    sink.onEvent = () => {
      sink.closed = true;
    };
    feed(codec, Buffer.concat([call(1n), call(2n)]));
    expect(sink.headIds).toEqual([1]);
  });

  it('resets what an ended upstream still owes', () => {
    const request = benchServer(toyId);
    feed(request.codec, call(1n));
    const { sink, codec } = benchClient(toyId);
    codec.encode(1, request.sink.heads[0]!);
    codec.peerEnded();
    expect(sink.events.slice(1)).toMatchObject([
      { kind: 'go-away' },
      { kind: 'reset', id: 1, status: { name: 'upstream_reset' } },
    ]);
  });

  it('gives the same events for any split of the bytes', () => {
    const bytes = Buffer.concat([
      call(1n),
      toyIdFrame({ kind: Kind.Heartbeat, id: 2n }),
      call(2n ** 64n - 1n, { kind: Kind.Oneway, body: '' }),
      call(3n, { attributes: {} }),
    ]);
    const whole = benchServer(toyId);
    feed(whole.codec, bytes);
    const raws = whole.sink.heads.map((head) => head.raw);
    const bytewise = benchServer(toyId);
    feedBytewise(bytewise.codec, bytes);
    expect(bytewise.sink.heads.map((head) => head.raw)).toEqual(raws);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 })), (sizes) => {
        const split = benchServer(toyId);
        feed(split.codec, bytes, sizes);
        expect(split.sink.heads.map((head) => head.raw)).toEqual(raws);
      }),
    );
  });

  it('names every bad option', () => {
    expect(() => toyId.parseOptions({ frameLimitBytes: -1, other: 1 })).toThrow(
      'frameLimitBytes: -1, expected an integer >= 0; other: unknown option, expected one of frameLimitBytes',
    );
  });
});
