import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { attributesOf, ClientRig, describeHead, ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import { frame, readAnswer, readCall, stockAnswer, stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { feed, feedBytewise } from '../../conformance/feed.ts';
import { RecordingOutput } from '../../conformance/recording-output.ts';
import { RecordingSink } from '../../conformance/recording-sink.ts';
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag, type Message } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import { DubboServerCodec } from './codec.ts';
import { JAVA_ANSWERS, JAVA_CALLS, JAVA_EVENTS, JAVA_FRAMES, JAVA_OTHER_CALLS } from './fixtures/java-frames.ts';
import type { DubboRequest } from './message.ts';
import { parseDubboOptions } from './options.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

function requestOf(bytes: Buffer): DubboRequest {
  const { sink, codec } = new ServerRig();
  feed(codec, bytes);
  expect(sink.error).toBeNull();
  return sink.heads[0]!;
}

describe('calls of Java consumers', () => {
  it.each(JAVA_CALLS)('$title: attributes are what hessian.js reads', ({ bytes }) => {
    const request = requestOf(bytes);
    const types = request.get('parameter-types')!;
    const { strings, attachments } = readCall(bytes, types.match(/\[*(L[^;]*;|[A-Z])/g)?.length ?? 0);
    const keys = ['dubbo-version', 'interface', 'version', 'method', 'parameter-types'] as const;
    expect(keys.map((key) => request.get(key))).toEqual(strings);
    expect(request.get('serialization')).toBe('hessian2');
    expect(request.get('group')).toBe(attachments.group);
    const fixed = { serialization: 'hessian2', ...Object.fromEntries(keys.map((key, at) => [key, strings[at]])) };
    expect(attributesOf(request)).toEqual({ ...attachments, ...fixed });
    expect(request.raw).toEqual(bytes);
    expect(request.flags).toBe((bytes[2]! & 0x40) === 0 ? Flag.End | Flag.Oneway : Flag.End);
  });

  it('knows the attributes of a grouped call', () => {
    const grouped = JAVA_CALLS.map(({ bytes }) => requestOf(bytes)).filter(
      (request) => request.get('group') === 'north',
    );
    expect(grouped).toHaveLength(2);
    for (const request of grouped) {
      expect(request.get('version')).toBe('1.2.0');
      expect(request.get('interface')).toBe('meltemi.Wind');
      expect(request.get('remote.application')).toBe('wind-consumer');
    }
  });

  it('tells what can be known of another serialization', () => {
    for (const { bytes } of JAVA_OTHER_CALLS) {
      const request = requestOf(bytes);
      expect(attributesOf(request)).toEqual({ serialization: 'fastjson2' });
      expect(request.set('key', 'value')).toBe(false);
      expect(request.remove('key')).toBe(true);
      const { codec, out } = new ClientRig();
      codec.encode(7, request);
      expect(out.take()).toEqual(withId(bytes, 7n));
    }
    expect(JAVA_OTHER_CALLS.length).toBeGreaterThan(0);
  });

  it('gives the same messages wherever the bytes are cut', () => {
    const calls = JAVA_FRAMES.filter(({ bytes }) => (bytes[2]! & 0xa0) === 0x80 && bytes.length < 300).slice(0, 8);
    const bytes = Buffer.concat(calls.map((call) => call.bytes));
    const whole = new ServerRig();
    feed(whole.codec, bytes);
    const expected = whole.sink.heads.map(describeHead);
    expect(expected).toHaveLength(calls.length);
    for (let cut = 1; cut < bytes.length; cut++) {
      const { sink, codec } = new ServerRig();
      feed(codec, bytes, [cut]);
      expect(sink.heads.map(describeHead)).toEqual(expected);
    }
    const { sink, codec } = new ServerRig();
    feedBytewise(codec, bytes);
    expect(sink.heads.map(describeHead)).toEqual(expected);
    expect(sink.headIds).toEqual(calls.map((_, index) => index + 1));
  });
});

describe('answers of Java providers', () => {
  it.each(JAVA_ANSWERS)('$title', ({ bytes }) => {
    const { sink, codec } = new ClientRig();
    codec.encode(9, requestOf(stockCall()));
    feed(codec, withId(bytes, 9n));
    const [answer] = sink.heads;
    expect(sink.headIds).toEqual([9]);
    const { status, tag, attachments } = readAnswer(bytes);
    const exception = tag === 0 || tag === 3;
    expect(answer?.outcome).toEqual({ code: status, ok: status === 20 && !exception });
    expect(attributesOf(answer!)).toEqual({ ...attachments, serialization: 'hessian2' });
    const server = new ServerRig();
    server.codec.encode(1, answer!, requestOf(withId(stockCall(), readAnswer(bytes).id)));
    expect(server.out.take()).toEqual(bytes);
  });

  it('are successes, nulls, exceptions and errors among those captured', () => {
    const kinds = JAVA_ANSWERS.map(({ bytes }) => readAnswer(bytes)).map(({ status, tag }) => `${status}/${tag}`);
    expect([...new Set(kinds)].sort()).toEqual(['20/3', '20/4', '20/5', '40/-1', '70/-1']);
  });
});

describe('ids', () => {
  const ids = [0n, 1n, -1n, 2n ** 53n + 1n, -(2n ** 63n), 2n ** 63n - 1n, 0x1234_5678_9abc_def0n, 0xffff_ffffn];

  it.each(ids)("%s: only the id differs upstream, and the answer bears the caller's own", (own) => {
    for (const id of [1, 0x7fff_ffff]) {
      const { codec, out } = new ClientRig();
      const sent = stockCall({ id: own });
      const request = requestOf(sent);
      codec.encode(id, request);
      expect(out.take()).toEqual(withId(sent, BigInt(id)));
      const rig = new ClientRig();
      rig.codec.encode(id, request);
      feed(rig.codec, stockAnswer({ id: BigInt(id) }));
      expect(rig.sink.headIds).toEqual([id]);
      const server = new ServerRig();
      server.codec.encode(1, rig.sink.heads[0]!, request);
      expect(server.out.take()).toEqual(stockAnswer({ id: own }));
    }
  });

  it('keeps callers apart whose ids are the same, with answers out of order', () => {
    const { codec, sink } = new ClientRig();
    const requests = ['a', 'b', 'c'].map((text) => requestOf(stockCall({ id: 5n, args: [text] })));
    for (const [index, request] of requests.entries()) codec.encode(index + 1, request);
    feed(codec, Buffer.concat([3n, 1n, 2n].map((id) => stockAnswer({ id, value: `answer ${id}` }))));
    expect(sink.headIds).toEqual([3, 1, 2]);
    for (const [index, answer] of sink.heads.entries()) {
      const server = new ServerRig();
      server.codec.encode(1, answer, requests[0]!);
      expect(readAnswer(server.out.take())).toMatchObject({ id: 5n, value: `answer ${[3, 1, 2][index]}` });
    }
  });

  it('gives answers that no call can have to nobody', () => {
    const { codec, sink } = new ClientRig();
    codec.encode(5, requestOf(stockCall()));
    for (const id of [0n, -5n, 2n ** 32n + 5n, 2n ** 31n, 99n]) feed(codec, stockAnswer({ id }));
    expect(sink.headIds).toEqual([-1, -1, -1, -1, 99]);
    expect(codec.reset(5)).toBe(Reset.Owed);
    feed(codec, stockAnswer({ id: 5n }));
    expect(codec.reset(5)).toBe(Reset.Done);
  });
});

describe('oneway calls', () => {
  it('are owed no answer, and get none', () => {
    const server = new ServerRig();
    feed(server.codec, stockCall({ oneway: true }));
    const [request] = server.sink.heads;
    expect(request?.flags).toBe(Flag.End | Flag.Oneway);
    server.codec.encode(1, server.codec.reply(Status.no_route, request!), request!);
    expect(server.out.take()).toHaveLength(0);
    const client = new ClientRig();
    client.codec.encode(4, request!);
    expect(client.codec.reset(4)).toBe(Reset.Done);
  });
});

describe('events', () => {
  it('heartbeats of Java are answered under their id, on either side', () => {
    const beats = JAVA_EVENTS.filter(({ bytes }) => bytes[2] === 0xe2);
    expect(beats.length).toBeGreaterThanOrEqual(2);
    for (const { bytes } of beats) {
      for (const { codec, sink, out } of [new ServerRig(), new ClientRig()]) {
        feedBytewise(codec, bytes);
        const id = bytes.readBigInt64BE(4);
        expect(out.take()).toEqual(frame(0x22, 20, id, Buffer.from('N')));
        expect(sink.heads).toEqual([]);
      }
    }
  });

  it('in another serialization are answered in it', () => {
    const { codec, out } = new ServerRig();
    feed(codec, frame(0xf7, 0, -3n, Buffer.from([0xaf])));
    expect(out.take()).toEqual(frame(0x37, 20, -3n, Buffer.from([0xaf])));
  });

  it('answers to heartbeats end here', () => {
    const answers = JAVA_EVENTS.filter(({ bytes }) => bytes[2] === 0x22);
    expect(answers.length).toBeGreaterThanOrEqual(2);
    const { codec, sink, out } = new ClientRig();
    codec.keepalive();
    expect(out.take()).toEqual(frame(0xe2, 0, 0n, Buffer.from('N')));
    for (const { bytes } of answers) feed(codec, bytes);
    expect(sink.events.map((event) => event.kind)).toEqual(['ready']);
    expect(out.take()).toHaveLength(0);
  });

  it("a provider's read-only event is a go-away", () => {
    const events = JAVA_EVENTS.filter(({ bytes }) => bytes[2] === 0xa2);
    expect(events.length).toBeGreaterThanOrEqual(1);
    for (const { bytes } of events) {
      const { codec, sink, out } = new ClientRig();
      codec.encode(3, requestOf(stockCall()));
      out.take();
      feed(codec, Buffer.concat([bytes, stockAnswer({ id: 3n })]));
      expect(sink.events.map((event) => event.kind)).toEqual(['ready', 'go-away', 'head']);
      expect(out.take()).toHaveLength(0);
    }
  });

  it('go-away tells a consumer that the connection is read-only, as Java does', () => {
    const { codec, out } = new ServerRig();
    codec.goAway();
    const captured = JAVA_EVENTS.find(({ bytes }) => bytes[2] === 0xa2)!;
    expect(out.take()).toEqual(withId(captured.bytes, 0n));
    const client = new ClientRig();
    client.codec.goAway();
    expect(client.out.take()).toHaveLength(0);
  });

  it("a consumer's read-only event changes nothing", () => {
    const { codec, sink } = new ServerRig();
    feed(codec, Buffer.concat([frame(0xa2, 0, 1n, hex('0152')), stockCall()]));
    expect(sink.headIds).toEqual([1]);
    expect(sink.goneAway).toBe(false);
  });
});

describe('a call from a provider', () => {
  it('is refused under its id, or dropped if it is oneway', () => {
    const { codec, sink, out } = new ClientRig();
    feed(codec, Buffer.concat([stockCall({ id: -9n }), stockCall({ oneway: true })]));
    expect(readAnswer(out.take())).toMatchObject({ id: -9n, status: 40 });
    expect(sink.heads).toEqual([]);
  });
});

describe('bodies', () => {
  it('of a kept large frame go out by reference, with the id stamped in the copied head', () => {
    const text = 'y'.repeat(100_000);
    const request = requestOf(stockCall({ args: [text], attachments: { a: 'b' } }));
    const { codec, out } = new ClientRig();
    codec.encode(70_000, request);
    expect(out.take()).toEqual(stockCall({ id: 70_000n, args: [text], attachments: { a: 'b' } }));
    request.set('a', 'c');
    codec.encode(70_001, request);
    expect(out.take()).toEqual(stockCall({ id: 70_001n, args: [text], attachments: { a: 'c' } }));
    expect(request.raw).toEqual(stockCall({ args: [text], attachments: { a: 'b' } }));
  });
});

describe('lent bytes', () => {
  it('are copied once', () => {
    const { sink, codec } = new ServerRig();
    feed(codec, stockCall());
    const [request] = sink.heads;
    const { bytes } = request!;
    request!.keep();
    expect(request!.bytes).toBe(bytes);
    expect(request!.raw).toEqual(stockCall());
    expect(request!.rawBytes).toBe(stockCall().length);
  });

  it('of a large message are copied when it is sent on at once', () => {
    const bytes = stockCall({ args: ['x'.repeat(100_000)] });
    const { codec, out } = new ClientRig();
    class Forwarder extends RecordingSink<DubboRequest> {
      override onHead(_id: number, head: Message): void {
        codec.encode(1, head as DubboRequest);
      }
    }
    feed(new DubboServerCodec(new Forwarder(), new RecordingOutput(), parseDubboOptions(undefined)), bytes);
    expect(out.take()).toEqual(withId(bytes, 1n));
  });

  it('of a large message are let go of with the message', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const rigs = [new ServerRig(), new ClientRig()];
    const text = 'x'.repeat(1_000_000);
    const refs = [stockCall({ args: [text] }), stockAnswer({ tag: 4, value: text })].map((bytes, at) => {
      const { codec, sink } = rigs[at]!;
      codec.decode(bytes, false);
      expect(sink.heads[0]?.get('none')).toBeUndefined();
      sink.events.length = 0;
      return new WeakRef(bytes);
    });
    // A WeakRef holds its target until the turn ends.
    await new Promise(setImmediate);
    collect();
    expect(refs.map((ref) => ref.deref())).toEqual([undefined, undefined]);
    expect(rigs[0]!.codec.reading).toBe(true);
  });
});

describe('ends', () => {
  it('an upstream that closes idle goes away; with answers owed or half an answer it fails', () => {
    const idle = new ClientRig();
    idle.codec.peerEnded();
    expect(idle.sink.goneAway).toBe(true);
    expect(idle.sink.error).toBeNull();
    const owing = new ClientRig();
    owing.codec.encode(1, requestOf(stockCall()));
    feed(owing.codec, stockAnswer({}).subarray(0, 20));
    owing.codec.peerEnded();
    expect(owing.sink.error).toMatchObject({ name: 'upstream_reset' });
    expect(owing.sink.error?.detail).toContain('1 answers owed and 20 bytes of one');
    const waiting = new ClientRig();
    waiting.codec.encode(1, requestOf(stockCall()));
    waiting.codec.peerEnded();
    expect(waiting.sink.error?.detail).toContain('1 answers owed and 0 bytes of one');
  });

  it('a caller that ends in the middle of a call is told of in the log', () => {
    const { codec, sink } = new ServerRig();
    feed(codec, Buffer.concat([stockCall(), stockCall().subarray(0, 30)]));
    codec.peerEnded();
    expect(sink.headIds).toEqual([1]);
    expect(sink.reason?.detail).toBe(
      `dubbo: the connection ended 30 bytes into a message at byte ${stockCall().length}`,
    );
  });

  it('while paused nothing is emitted, and the end is looked at behind what was held', () => {
    const { codec, sink } = new ServerRig();
    codec.pause();
    feed(codec, stockCall());
    expect(codec.reading).toBe(false);
    codec.peerEnded();
    expect(sink.events).toEqual([]);
    codec.resume();
    expect(sink.headIds).toEqual([1]);
    expect(sink.goneAway).toBe(false);
    expect(codec.reading).toBe(true);
  });

  it('stops when the sink closes inside a call', () => {
    const { codec, sink } = new ServerRig();
    sink.onEvent = () => {
      sink.closed = true;
    };
    feed(codec, Buffer.concat([stockCall(), stockCall()]));
    expect(sink.headIds).toEqual([1]);
    expect(codec.parkedBytes).toBe(0);
  });
});

function withId(bytes: Buffer, id: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigInt64BE(id, 4);
  return copy;
}
