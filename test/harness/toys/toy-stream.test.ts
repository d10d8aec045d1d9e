import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../../src/conformance/codec-bench.ts';
import { feed, feedBytewise } from '../../../src/conformance/feed.ts';
import type { RecordingSink } from '../../../src/conformance/recording-sink.ts';
import { Reset } from '../../../src/metaprotocol/codec.ts';
import { Flag, type RequestMessage } from '../../../src/metaprotocol/message.ts';
import { Status, type StatusName } from '../../../src/metaprotocol/status.ts';
import { codeOf } from './toy-codes.ts';
import { toyStream } from './toy-stream.ts';
import {
  toyStreamRequest as request,
  toyStreamResponse as response,
  toyStreamTrailers as trailers,
} from './toy-stream-message.ts';
import { attributesPayload, FrameFlag, numbersPayload, ResetCode, Type, toyStreamFrame } from './toy-stream-wire.ts';

const kindsOf = (sink: Pick<RecordingSink<RequestMessage>, 'events'>) => sink.events.map((event) => event.kind);

const hello = toyStreamFrame(Type.Hello, 0, numbersPayload(0, 4_096, 16_384));
const head = (stream: number, flags = 0) =>
  toyStreamFrame(Type.Head, stream, attributesPayload({ method: 'getFile', host: 'a' }), flags);
const data = (stream: number, bytes: number, flags = 0) =>
  toyStreamFrame(Type.Data, stream, Buffer.alloc(bytes, stream), flags);

/** A client and a server codec, each other's peer. */
function pair(serverOptions: unknown = undefined, clientOptions: unknown = undefined, maxStreams = 10) {
  const client = benchClient(toyStream, clientOptions);
  const server = benchServer(toyStream, serverOptions, maxStreams);
  const exchange = () => {
    while (client.out.queuedBytes + server.out.queuedBytes > 0) {
      feed(server.codec, client.out.take());
      feed(client.codec, server.out.take());
    }
  };
  exchange();
  return { client, server, exchange };
}

describe('toy-stream', () => {
  it('is ready after the server said how many streams it allows, and told of changes', () => {
    const { client } = pair();
    expect(client.sink.events).toEqual([{ kind: 'ready', maxStreams: 10 }]);
    feed(client.codec, toyStreamFrame(Type.Hello, 0, numbersPayload(3, 4_096, 4_096)));
    expect(client.sink.events.at(-1)).toEqual({ kind: 'ready', maxStreams: 3 });
  });

  it('carries heads, data, informational heads and trailers both ways', () => {
    const { client, server, exchange } = pair();
    client.codec.encode(1, request({ method: 'getFile', host: 'a' }));
    expect(client.codec.data(1, Buffer.from('ask'), false, true)).toBe(true);
    expect(client.codec.trailers(1, trailers({ sum: '3' }))).toBe(true);
    exchange();
    expect(kindsOf(server.sink)).toEqual(['head', 'data', 'trailers']);
    expect(server.sink.heads[0]!.get('host')).toBe('a');
    expect(server.sink.dataOf(1).toString()).toBe('ask');
    server.codec.encode(1, response({ hint: 'wait' }, Flag.Informational), null);
    server.codec.encode(1, response({ type: 'text' }), null);
    server.codec.data(1, Buffer.from('answer'), false, true);
    server.codec.trailers(1, trailers({ status: '0' }));
    exchange();
    expect(client.sink.heads.map((message) => [message.flags, message.outcome])).toEqual([
      [Flag.Informational, null],
      [0, null],
    ]);
    expect(client.sink.dataOf(1).toString()).toBe('answer');
    expect(client.sink.events.at(-1)).toMatchObject({ trailers: { outcome: { code: 0, ok: true } } });
    expect(client.codec.reset(1, Status.no_error)).toBe(Reset.Done);
    expect(client.out.queuedBytes).toBe(0);
  });

  it('sends no more than the stream window, and goes on when credited', () => {
    const { client, server, exchange } = pair({ windowBytes: 10 });
    client.codec.encode(1, request({ method: 'put' }));
    expect(client.codec.data(1, Buffer.from('0123456789abcdef'), true, true)).toBe(false);
    exchange();
    expect(server.sink.dataOf(1).toString()).toBe('0123456789');
    server.codec.credit(1, 4);
    exchange();
    expect(client.sink.events.some((event) => event.kind === 'writable')).toBe(false);
    server.codec.credit(1, 10);
    exchange();
    expect(server.sink.dataOf(1).toString()).toBe('0123456789abcdef');
    expect(server.sink.events.at(-1)).toMatchObject({ kind: 'data', end: true });
    expect(client.sink.events.filter((event) => event.kind === 'writable')).toEqual([{ kind: 'writable', id: 1 }]);
  });

  it('opens the connection window on receipt, so one stream that is not credited stops no other', () => {
    const { client, server, exchange } = pair({ windowBytes: 10, connectionWindowBytes: 12 });
    for (const id of [1, 2]) {
      client.codec.encode(id, request({ method: 'put' }));
      expect(client.codec.data(id, Buffer.alloc(10, id), true, true)).toBe(id === 1);
    }
    exchange();
    expect([server.sink.dataOf(1).length, server.sink.dataOf(2).length]).toEqual([10, 10]);
  });

  it('serves waiting streams round robin when there is room again', () => {
    const { client, server, exchange } = pair(undefined, undefined);
    for (const id of [1, 2]) client.codec.encode(id, request({ method: 'put' }));
    client.out.highWaterBytes = 1;
    for (const id of [1, 2]) expect(client.codec.data(id, Buffer.alloc(2_048, id), true, true)).toBe(false);
    client.out.highWaterBytes = 1_000_000;
    client.codec.room();
    exchange();
    const chunks = server.sink.events.filter((event) => event.kind === 'data');
    expect(chunks.map((event) => event.id)).toEqual([1, 2, 1, 2]);
  });

  it('refuses streams above the limit and after it went away; the client hears refused', () => {
    const { client, server, exchange } = pair(undefined, undefined, 1);
    client.codec.encode(1, request({ method: 'get' }, Flag.End));
    client.codec.encode(2, request({ method: 'get' }, Flag.End));
    exchange();
    expect(server.sink.headIds).toEqual([1]);
    expect(client.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 2, status: { name: 'refused' } });
    client.codec.encode(3, request({ method: 'get' }, Flag.End));
    server.codec.goAway();
    feed(client.codec, server.out.take());
    expect(client.sink.events.slice(-2)).toMatchObject([
      { kind: 'go-away' },
      { kind: 'reset', id: 3, status: { name: 'refused' } },
    ]);
  });

  it('tells the other side of resets and forgets what was in flight', () => {
    const { client, server, exchange } = pair();
    for (const id of [1, 2]) client.codec.encode(id, request({ method: 'put' }));
    exchange();
    expect(client.codec.reset(1, Status.timeout)).toBe(Reset.Done);
    expect(server.codec.reset(2, Status.internal_error)).toBe(Reset.Done);
    exchange();
    expect(server.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 1, status: { name: 'downstream_reset' } });
    expect(client.sink.events.at(-1)).toMatchObject({ kind: 'reset', id: 2, status: { name: 'upstream_reset' } });
    feed(server.codec, Buffer.concat([data(1, 5), head(2), data(9, 1)]));
    expect(kindsOf(server.sink)).toEqual(['head', 'head', 'reset']);
  });

  it('without reset frames closes to give up a stream', () => {
    const { client, server, exchange } = pair({ resetFrames: 0 });
    client.codec.encode(1, request({ method: 'put' }));
    exchange();
    server.codec.encode(1, response({ status: '1' }, Flag.End), null);
    expect(server.codec.reset(1, Status.no_error)).toBe(Reset.Close);
    expect(server.codec.reset(1, Status.no_error)).toBe(Reset.Done);
  });

  it('holds heads and data while paused, but neither resets nor windows', () => {
    const { client, server, exchange } = pair({ heldLimitBytes: 30 });
    server.codec.pause();
    for (const id of [1, 2]) {
      client.codec.encode(id, request({ m: 'x' }));
      client.codec.data(id, Buffer.alloc(20, id), id === 2, true);
    }
    exchange();
    expect(server.sink.events).toEqual([]);
    expect(server.codec.reading).toBe(false);
    client.codec.reset(1, Status.timeout);
    exchange();
    expect(server.codec.reading).toBe(true);
    sinkPausesAfterEach(server);
    server.codec.resume();
    expect(kindsOf(server.sink)).toEqual(['head']);
    server.codec.resume();
    expect(kindsOf(server.sink)).toEqual(['head', 'data']);
    expect(server.sink.headIds).toEqual([2]);
  });

  it('fails a peer that sends over its window, before the hello, or too long a frame', () => {
    const errorOf = (...frames: Buffer[]) => {
      const { sink, codec } = benchServer(toyStream, { windowBytes: 10, frameLimitBytes: 60 });
      feed(codec, Buffer.concat(frames));
      return sink.error?.detail;
    };
    expect(errorOf(hello, head(1), data(1, 11))).toBe('toy-stream: stream 1 sent 1 bytes more than its window');
    expect(errorOf(head(1))).toBe('toy-stream: frame of type 1 before the hello');
    expect(errorOf(hello, toyStreamFrame(Type.Window, 0))).toBe('toy-stream: frame of type 5 has 0 bytes, expected 4');
    expect(errorOf(hello, numbersPayload(0xffff_0000))).toBe(
      'toy-stream: frame of 4294901764 bytes > frameLimitBytes 60 at byte 22',
    );
  });

  it('resets what an ended peer left open', () => {
    const { client, server, exchange } = pair();
    client.codec.encode(1, request({ method: 'put' }));
    client.codec.encode(2, request({ method: 'get' }, Flag.End));
    exchange();
    server.codec.peerEnded();
    expect(server.sink.events.filter((event) => event.kind === 'reset')).toMatchObject([{ id: 1 }]);
    client.codec.peerEnded();
    expect(client.sink.events.slice(-3)).toMatchObject([{ kind: 'go-away' }, { id: 1 }, { id: 2 }]);
  });

  it('says every ProxyStatus in a way its own client side reads', () => {
    for (const name of Object.keys(Status) as StatusName[]) {
      const { client, server, exchange } = pair();
      client.codec.encode(1, request({ method: 'get' }, Flag.End));
      exchange();
      server.codec.encode(1, server.codec.reply(Status[name], null), null);
      exchange();
      expect(client.sink.heads[0]!.get('error')).toBe(name);
      expect(client.sink.heads[0]!.outcome).toEqual({ code: codeOf(Status[name]), ok: name === 'no_error' });
    }
  });

  it('gives the same events for any split of the bytes', () => {
    const bytes = Buffer.concat([
      hello,
      head(1),
      data(1, 300),
      head(4, FrameFlag.End),
      data(1, 20, FrameFlag.End),
      head(5),
      toyStreamFrame(Type.Reset, 5, Buffer.of(ResetCode.Other)),
      toyStreamFrame(Type.Ping, 0),
    ]);
    const eventsOf = (run: (bench: ReturnType<typeof benchServer>) => void) => {
      const bench = benchServer(toyStream);
      run(bench);
      const heads = bench.sink.heads.map((message) => [message.get('method'), message.get('host')]);
      return { kinds: kindsOf(bench.sink), heads, data: bench.sink.dataOf(1), sent: bench.out.take() };
    };
    const bytewise = eventsOf(({ codec }) => feedBytewise(codec, bytes));
    expect(bytewise.kinds).toEqual(['head', 'data', 'head', 'data', 'head', 'reset']);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 100 })), (sizes) => {
        expect(eventsOf(({ codec }) => feed(codec, bytes, sizes))).toEqual(bytewise);
      }),
    );
  });
});

function sinkPausesAfterEach({ sink, codec }: ReturnType<typeof benchServer>): void {
  sink.onEvent = () => codec.pause();
}
