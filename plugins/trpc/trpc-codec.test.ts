import { readFile } from 'node:fs/promises';
import { Reset, Status, statusOf } from 'meltemi/codec';
import { benchClient, benchServer, feed, readSamples } from 'meltemi/conformance';
import { describe, expect, it } from 'vitest';
import trpc from './codec.ts';
import { frameId } from './frame-id.ts';
import { RET_OF_STATUS } from './reply.ts';
import { protobufjsId } from './testing/protobufjs-id.ts';
import { RetCode } from './wire.ts';

const [factory] = trpc.codecs;
const { exchanges } = await readSamples(new URL('samples', import.meta.url).pathname);
const sample = (name: string) => exchanges.find((one) => one.name === name)!;
const hello = sample('hello').request.bytes;
const answer = sample('hello').response!.bytes;

const server = (options = {}) => benchServer(factory, options);

function client() {
  const bench = benchClient(factory, {}, '');
  bench.out.take();
  return bench;
}

function fixed(type: number, streamType: number, metaBytes: number, total: number, id: number, version = 1): Buffer {
  const head = Buffer.from([0x09, 0x30, type, streamType, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, version, 0]);
  head.writeUInt32BE(total, 4);
  head.writeUInt16BE(metaBytes, 8);
  head.writeUInt32BE(id, 10);
  return head;
}

function unary(meta: Buffer, body = '', version = 1): Buffer {
  const total = 16 + meta.length + body.length;
  return Buffer.concat([fixed(0, 0, meta.length, total, 7, version), meta, Buffer.from(body)]);
}

function requestOf(bytes: Buffer) {
  const bench = server();
  feed(bench.codec, bytes);
  return { ...bench, head: bench.sink.heads[0]! };
}

describe('ids', () => {
  it('are found and changed as protobufjs does', () => {
    for (const { request, response } of exchanges) {
      for (const { bytes } of response === null ? [request] : [request, response]) {
        expect(frameId.read(bytes)).toBe(protobufjsId.read(bytes));
        for (const id of [0n, 1n, 127n, 128n, 0xffff_ffffn]) {
          expect(frameId.write(bytes, id).equals(protobufjsId.write(bytes, id))).toBe(true);
        }
      }
    }
  });

  it('of the fixed head are left alone in version 0', () => {
    const { head } = requestOf(unary(Buffer.from([0x18, 0x07, 0x3a, 1, 0x66]), 'body', 0));
    const { codec, out } = client();
    codec.encode(300, head);
    const sent = out.take();
    expect(sent.readUInt32BE(10)).toBe(7);
    expect(protobufjsId.read(sent)).toBe(300n);
  });

  it('are restored in both places when the request is long gone from its buffer', () => {
    const bench = server();
    const call = Buffer.from(protobufjsId.write(hello, 0xfffffffen));
    let head = null as (typeof bench.sink.heads)[0] | null;
    bench.sink.onHead = (_id, request) => {
      head = request as typeof head;
    };
    feed(bench.codec, call);
    bench.codec.encode(1, bench.codec.reply(Status.timeout, head), head);
    const reply = bench.out.take();
    expect(reply.readUInt32BE(10)).toBe(0xfffffffe);
    expect(reply[14]).toBe(1);
    expect(protobufjsId.read(reply)).toBe(0xfffffffen);
  });

  it('may be absent, in between and behind, and may not come twice', () => {
    for (const meta of ['3a0166', '10003a0166', '1000', '3a01661805']) {
      const { head } = requestOf(unary(Buffer.from(meta, 'hex')));
      const { codec, out } = client();
      codec.encode(9, head);
      const { head: again } = requestOf(out.take());
      expect(again.get('func')).toBe(head.get('func'));
    }
    const { sink } = requestOf(unary(Buffer.from('180118023a0166', 'hex')));
    expect(sink.heads[0]!.answer!.get('error-msg')).toBe('malformed: trpc: request_id twice');
    expect(sink.goneAway).toBe(true);
  });

  it('that make the protobuf longer than its length can say are refused', () => {
    const padding = (bytes: number) =>
      Buffer.concat([
        Buffer.from([0x7a, 0x80 | (bytes & 0x7f), 0x80 | ((bytes >> 7) & 0x7f), bytes >> 14]),
        Buffer.alloc(bytes),
      ]);
    expect(requestOf(unary(padding(65_525))).head.answer).toBe(null);
    expect(requestOf(unary(padding(65_526))).head.answer!.get('error-msg')).toMatch(/^too_large: /);
  });
});

describe('trans_info', () => {
  it('keeps unknown fields and binary values where they are', () => {
    const meta = Buffer.from('1807' + '3a0166' + '4a0a0a01611205fffe00fdfc' + 'fa0702aabb' + '4a060a0162120163', 'hex');
    const { head } = requestOf(unary(meta, 'body'));
    expect(head.set('b', 'new')).toBe(true);
    const { codec, out } = client();
    codec.encode(7, head);
    const expected = '1807' + '3a0166' + '4a0a0a01611205fffe00fdfc' + 'fa0702aabb' + '4a080a01621203' + '6e6577';
    expect(out.take().toString('hex', 16)).toBe(`${expected}${Buffer.from('body').toString('hex')}`);
  });

  it('is edited also where there is no id yet', () => {
    const { head } = requestOf(unary(Buffer.from('1000' + '3a0166', 'hex')));
    expect(head.set('a', '1')).toBe(true);
    const { codec, out } = client();
    codec.encode(7, head);
    expect(out.take().toString('hex', 16)).toBe('1000' + '1807' + '3a0166' + '4a060a0161120131');
  });

  it('gives the last of equal keys, and an edit replaces them all', () => {
    const { head } = requestOf(unary(Buffer.from('1807' + '4a060a0161120131' + '4a060a0161120132', 'hex')));
    expect(head.get('a')).toBe('2');
    expect(head.remove('a')).toBe(true);
    const { codec, out } = client();
    codec.encode(7, head);
    expect(out.take().toString('hex', 16)).toBe('1807');
  });

  it('does not take more than the protobuf can hold', () => {
    const { head } = requestOf(hello);
    expect(head.set('long', 'x'.repeat(65_500))).toBe(false);
    expect(head.get('long')).toBe(undefined);
    expect(head.set('func', '/other')).toBe(false);
  });
});

describe('streams', () => {
  it('are refused by their first frame, and other calls go on', () => {
    const { codec, sink, out } = server();
    feed(codec, Buffer.concat([fixed(1, 1, 0, 16, 5, 0), fixed(1, 4, 0, 16, 5, 0), hello]));
    expect(sink.heads).toHaveLength(2);
    const [init, call] = sink.heads;
    codec.encode(1, init!.answer!, init!);
    const refusal = out.take();
    expect([refusal[2], refusal[3], refusal.readUInt32BE(10)]).toEqual([1, 1, 5]);
    expect(refusal.toString('latin1')).toContain('unsupported: streaming calls are not supported');
    expect(call!.get('func')).toBe('/trpc.test.helloworld.Greeter/SayHello');
    expect(sink.goneAway).toBe(false);
  });

  it('end the connection where data comes of one that was not opened', () => {
    const { codec, sink } = server();
    feed(codec, fixed(1, 2, 0, 16, 5, 0));
    expect(sink.goneAway).toBe(true);
    expect(sink.heads).toEqual([]);
  });

  it('of an upstream are its fault', () => {
    const { codec, sink } = client();
    feed(codec, fixed(1, 2, 0, 16, 5));
    expect(sink.error?.name).toBe('upstream_malformed');
  });
});

describe('bad frames', () => {
  it.each([
    ['magic', Buffer.from('0931', 'hex'), /magic 0931, 0930 expected at byte 0/],
    ['type', fixed(2, 0, 0, 16, 1), /frame type 2, 0 or 1 expected at byte 2/],
    ['stream type', fixed(1, 9, 0, 16, 1), /stream frame type 9, 1 to 4 expected at byte 3/],
    [
      'oversize without an id',
      fixed(0, 0, 1, 20_000_000, 0, 0),
      /frame of 20000000 bytes > frameLimitBytes 10485760 at byte 4/,
    ],
    ['short', fixed(0, 0, 100, 20, 0, 0), /frame of 20 bytes < its heads of 16 and 100 at byte 4/],
  ])('%s: the place, what is there and what is expected', (_name, bytes, text) => {
    const { codec, sink } = server();
    feed(codec, bytes);
    expect(sink.error?.detail).toMatch(text);
  });

  it('that tell an id are answered before the connection ends', () => {
    const { codec, sink, out } = server();
    feed(codec, fixed(0, 0, 1, 20_000_000, 77));
    const [head] = sink.heads;
    codec.encode(1, head!.answer!, head!);
    const reply = out.take();
    expect(protobufjsId.read(reply)).toBe(77n);
    expect(head!.answer!.outcome).toEqual({ code: RetCode.SERVER_DECODE_ERR, ok: false });
    expect(sink.goneAway).toBe(true);
  });
});

describe('replies', () => {
  it('are those of the README', async () => {
    const readme = await readFile(new URL('README.md', import.meta.url), 'utf8');
    const rows = [...readme.matchAll(/^\| `(\w+)` \| (\d+) (\w+) \|$/gm)].map(([, status, ret, name]) => {
      expect(RetCode[name as keyof typeof RetCode]).toBe(Number(ret));
      return [status, Number(ret)];
    });
    expect(Object.fromEntries(rows)).toEqual(RET_OF_STATUS);
  });

  it('say the code of a fault, negative or good', () => {
    const { codec, head } = requestOf(hello);
    const of = (code: number) => codec.reply(statusOf(Status.fault, 'x', code), head);
    expect(of(-3).outcome).toEqual({ code: -3, ok: false });
    expect(of(0).outcome).toEqual({ code: 0, ok: true });
    expect(of(0).get('error-msg')).toBe(undefined);
  });
});

it('a call given up owes its answer, a oneway call none', () => {
  const { codec, sink } = client();
  codec.encode(1, requestOf(hello).head);
  codec.encode(2, requestOf(sample('oneway').request.bytes).head);
  expect([codec.reset(1, Status.timeout), codec.reset(2, Status.timeout)]).toEqual([Reset.Owed, Reset.Done]);
  feed(codec, protobufjsId.write(answer, 1n));
  feed(codec, protobufjsId.write(answer, 1n));
  expect(sink.headIds).toEqual([1, -1]);
});
