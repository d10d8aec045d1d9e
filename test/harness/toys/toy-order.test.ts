import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../../src/conformance/codec-bench.ts';
import { feed, feedBytewise } from '../../../src/conformance/feed.ts';
import { Reset } from '../../../src/metaprotocol/codec.ts';
import { Flag, type RequestMessage } from '../../../src/metaprotocol/message.ts';
import { Status, type StatusName } from '../../../src/metaprotocol/status.ts';
import { toyOrder } from './toy-order.ts';
import { toyOrderAnswer } from './toy-order-message.ts';

const requestsOf = (text: string): RequestMessage[] => {
  const { sink, codec } = benchServer(toyOrder);
  feed(codec, Buffer.from(text));
  return sink.heads;
};
const textOf = (message: { get(key: string): string | undefined } | null | undefined) => message?.get('text');

describe('toy-order, server side', () => {
  it('reads lines and their attributes', () => {
    const [get, other] = requestsOf('GET k1\nWHATEVER\n');
    expect([get!.get('command'), get!.get('key'), get!.replaySafe, get!.flags]).toEqual(['GET', 'k1', true, Flag.End]);
    expect([other!.get('command'), other!.get('key'), other!.replaySafe]).toEqual(['WHATEVER', undefined, false]);
  });

  it('answers what is its own, and says QUIT', () => {
    const { sink, codec } = benchServer(toyOrder);
    feed(codec, Buffer.from('PING\nAUTH joe\nGET k\nQUIT\nGET ignored\n'));
    expect(sink.heads.map((head) => textOf(head.answer))).toEqual(['PONG', 'OK', undefined, 'BYE']);
    expect(sink.heads[2]!.connectionKey).toBe('joe:');
    expect(sink.heads[2]!.replaySafe).toBe(false);
    expect(sink.events.at(-1)).toEqual({ kind: 'go-away' });
  });

  it('binds and unbinds', () => {
    const flags = (text: string) => requestsOf(text).map((head) => (head.answer === null ? head.flags : 'own'));
    expect(flags('MULTI\nGET k\nSET k v\nEXEC\n')).toEqual(['own', Flag.End | Flag.Bind, 1, Flag.End | Flag.Unbind]);
    expect(flags('MULTI\nEXEC\nEXEC\n')).toEqual(['own', 'own', 'own']);
    expect(flags('SUBSCRIBE news\nBLOCK k\n')).toEqual([Flag.End | Flag.Bind, Flag.End | Flag.Bind | Flag.Unbind]);
  });

  it('holds what follows SELECT until resume, bounded, and takes the new state from its answer', () => {
    const { sink, codec } = benchServer(toyOrder, { heldLimitBytes: 10 });
    feed(codec, Buffer.from('SELECT 3\nGET k\n'));
    expect(sink.headIds).toEqual([1]);
    expect(sink.heads[0]!.flags).toBe(Flag.End | Flag.Hold);
    expect(codec.reading).toBe(true);
    feed(codec, Buffer.from('GET k2\n'));
    expect(codec.reading).toBe(false);
    codec.encode(1, toyOrderAnswer('+OK'), sink.heads[0]!);
    codec.resume();
    expect(codec.reading).toBe(true);
    expect(sink.heads.map((head) => head.connectionKey)).toEqual(['', ':3', ':3']);
  });

  it('answers malformed input in its place, then goes away', () => {
    for (const [text, detail] of [
      [`GET 1\n${'x'.repeat(20)}`, 'line of 20 bytes or more > lineLimitBytes 20'],
      [`GET 1\n${'x'.repeat(25)}\nGET 2\n`, 'line of 26 bytes or more > lineLimitBytes 20'],
    ] as const) {
      const { sink, codec } = benchServer(toyOrder, { lineLimitBytes: 20 });
      feed(codec, Buffer.from(text));
      expect(sink.headIds).toEqual([1, 2]);
      expect(textOf(sink.heads[1]!.answer)).toBe(`malformed toy-order: ${detail}`);
      expect(sink.events.at(-1)).toEqual({ kind: 'go-away' });
    }
    const ended = benchServer(toyOrder);
    feed(ended.codec, Buffer.from('GET'));
    ended.codec.peerEnded();
    expect(textOf(ended.sink.heads[0]!.answer)).toContain('ended 3 bytes into a line');
    expect(ended.sink.goneAway).toBe(true);
  });

  it('splits MGET over groups and merges the answers in the order of its keys', () => {
    const [mget, same] = requestsOf('MGET a1 b1 a2\nMGET a1 a2\n');
    const group = (key: string) => (key.startsWith('a') ? 0 : 1);
    expect(same!.split!(group)).toBeNull();
    const split = mget!.split!(group)!;
    expect(split.parts.map((part) => [part.group, part.request.raw!.toString()])).toEqual([
      [0, 'MGET a1 a2\n'],
      [1, 'MGET b1\n'],
    ]);
    expect(textOf(split.merge([toyOrderAnswer('+1 2'), toyOrderAnswer('+3')]))).toBe('1 3 2');
    expect(textOf(split.merge([toyOrderAnswer('+1 2'), toyOrderAnswer('-timeout')]))).toBe('1 ERROR 2');
  });

  it('says every ProxyStatus in a way its own client side reads', () => {
    for (const name of Object.keys(Status) as StatusName[]) {
      const { out, codec } = benchServer(toyOrder);
      feed(codec, Buffer.from('GET k\n'));
      codec.encode(1, codec.reply(Status[name], null), null);
      const caller = benchClient(toyOrder);
      caller.codec.encode(1, requestsOf('GET k\n')[0]!);
      feed(caller.codec, out.take());
      expect(caller.sink.heads[0]!.outcome!.ok).toBe(name === 'no_error');
      expect(textOf(caller.sink.heads[0])).toContain(name === 'no_error' ? '' : name);
    }
  });

  it('gives the same events for any split of the bytes', () => {
    const bytes = Buffer.from('GET a\nAUTH u\nSET b ünï\nMGET a b\nQUIT\n');
    const linesOf = (sink: { heads: RequestMessage[] }) => sink.heads.map((head) => head.raw!.toString());
    const bytewise = benchServer(toyOrder);
    feedBytewise(bytewise.codec, bytes);
    expect(linesOf(bytewise.sink)).toEqual(['GET a\n', 'AUTH u\n', 'SET b ünï\n', 'MGET a b\n', 'QUIT\n']);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 12 })), (sizes) => {
        const split = benchServer(toyOrder);
        feed(split.codec, bytes, sizes);
        expect(linesOf(split.sink)).toEqual(linesOf(bytewise.sink));
      }),
    );
  });

  it('stops at pause and when the sink is closed', () => {
    const { sink, codec } = benchServer(toyOrder);
    sink.onEvent = () => codec.pause();
    feed(codec, Buffer.from('GET 1\nGET 2\nGET 3\n'));
    expect(sink.headIds).toEqual([1]);
    sink.onEvent = () => {
      sink.closed = true;
    };
    codec.resume();
    expect(sink.headIds).toEqual([1, 2]);
  });
});

describe('toy-order, client side', () => {
  it('brings the connection into the state of its key before it is ready', () => {
    const { sink, out, codec } = benchClient(toyOrder, undefined, 'joe:3');
    expect(out.take().toString()).toBe('AUTH joe\nSELECT 3\n');
    feed(codec, Buffer.from('+OK\n'));
    expect(sink.events).toEqual([]);
    feed(codec, Buffer.from('+OK\n'));
    expect(sink.events).toMatchObject([{ kind: 'ready' }]);
  });

  it('fails as denied when the handshake is refused', () => {
    const { sink, codec } = benchClient(toyOrder, undefined, 'joe:');
    feed(codec, Buffer.from('-who are you\n'));
    expect(sink.error).toMatchObject({ name: 'denied', detail: 'toy-order: AUTH joe was answered -who are you' });
  });

  it('pairs answers in order, owes what was reset, swallows those of its own lines', () => {
    const { sink, out, codec } = benchClient(toyOrder);
    const [, get, other] = requestsOf('MULTI\nGET 1\nGET 2\n');
    codec.encode(1, get!);
    codec.keepalive();
    codec.encode(2, other!);
    expect(out.take().toString()).toBe('MULTI\nGET 1\nPING\nGET 2\n');
    expect(codec.reset(2, Status.timeout)).toBe(Reset.Owed);
    feed(codec, Buffer.from('+OK\n+v1\n>news hello\n+PONG\n+v2\n'));
    expect(sink.heads.map((head, index) => [sink.headIds[index], textOf(head), head.flags])).toEqual([
      [1, 'v1', Flag.End],
      [0, 'news hello', Flag.End | Flag.Unsolicited],
      [2, 'v2', Flag.End],
    ]);
    expect(codec.reset(2, Status.timeout)).toBe(Reset.Done);
  });

  it('unbinds on an answer', () => {
    const { sink, codec } = benchClient(toyOrder);
    codec.encode(1, requestsOf('UNSUBSCRIBE\n')[0]!);
    feed(codec, Buffer.from('+unsubscribed\n'));
    expect(sink.heads[0]!.flags).toBe(Flag.End | Flag.Unbind);
  });

  it('fails on answers that nobody asked for, and on an end with answers owed', () => {
    const surplus = benchClient(toyOrder);
    feed(surplus.codec, Buffer.from('+v1\n+v2\n'));
    expect(surplus.sink.error).toMatchObject({ name: 'upstream_malformed' });
    const owing = benchClient(toyOrder);
    owing.codec.encode(1, requestsOf('GET k\n')[0]!);
    owing.codec.peerEnded();
    expect(owing.sink.error).toMatchObject({ name: 'upstream_reset' });
    const idle = benchClient(toyOrder);
    idle.codec.peerEnded();
    expect([idle.sink.goneAway, idle.sink.error]).toEqual([true, null]);
  });

  it('sends an edited key in an otherwise untouched line; a fork keeps its own', () => {
    const [set] = requestsOf('SET k some value\n');
    const fork = set!.fork();
    expect([set!.set('key', 'p:k'), set!.set('command', 'DEL'), set!.set('key', 'a b')]).toEqual([true, false, false]);
    const { out, codec } = benchClient(toyOrder);
    codec.encode(1, set!);
    codec.encode(2, fork);
    expect(out.take().toString()).toBe('SET p:k some value\nSET k some value\n');
  });
});
