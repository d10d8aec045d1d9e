import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../conformance/codec-bench.ts';
import { feed, feedBytewise } from '../conformance/feed.ts';
import { Reset } from '../metaprotocol/codec.ts';
import { Flag } from '../metaprotocol/message.ts';
import { Status, type StatusName, statusOf } from '../metaprotocol/status.ts';
import { defineCodec } from './define-codec.ts';
import { derived, fixedText, text, uint } from './field.ts';
import { KiB } from './sizes.ts';
import { textMap } from './text-map.ts';

const codes = { ok: 0, absent: 4, failed: 9 };

/** magic 2, kind 1, code 1, id 8, length 4, method, headers */
const wide = defineCodec({
  name: 'wide',
  version: '1.0.0',
  codecApi: '^1.0.0',
  frame: { magic: [0xec, 0x01], headBytes: 16, length: { at: 12, as: 'u32be', of: 'body' }, limitBytes: 64 * KiB },
  id: { at: 4, as: 'u64be' },
  kind: { at: 2, as: 'u8', request: 0, response: 1, oneway: 2, heartbeat: 3, heartbeatAnswer: 4 },
  outcome: { at: 3, as: 'u8' },
  codes,
  errors: { otherwise: 'failed', of: { no_route: 'absent' } },
  attributes: {
    method: text({ length: 'u16be', on: 'request' }),
    code: uint({ at: 3, as: 'u8', names: codes, on: 'response', mutable: true }),
    last: derived({ read: (frame) => String(frame.at(-1)), on: 'request' }),
  },
  open: textMap({ length: 'u16be', key: 'u8', value: 'u16be' }),
}).codecs[0];

/** length 2 of what follows it, flags 1 of which the low bits are the kind, id 1, tenant 4 */
const narrow = defineCodec({
  name: 'narrow',
  version: '1.0.0',
  codecApi: '^1.0.0',
  frame: { headBytes: 8, length: { at: 0, as: 'u16le', of: 'rest' }, limitBytes: 256 },
  id: { at: 3, as: 'u8' },
  kind: { at: 2, as: 'u8', mask: 0x03, request: 1, response: 2, heartbeat: 3 },
  outcome: { at: 7, as: 'u8' },
  codes,
  errors: { otherwise: 'failed' },
  attributes: { tenant: fixedText({ at: 4, bytes: 3 }) },
}).codecs[0];

function prefixed(value: string, lengthBytes: 1 | 2): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(Buffer.byteLength(value), 0, lengthBytes);
  return Buffer.concat([length, Buffer.from(value)]);
}

interface WideFrame {
  readonly kind?: number;
  readonly code?: number;
  readonly id?: bigint;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function wideFrame({ kind = 0, code = 0, id = 1n, method = 'say', headers = {}, body = '' }: WideFrame): Buffer {
  const map = Object.entries(headers).map(([key, value]) => Buffer.concat([prefixed(key, 1), prefixed(value, 2)]));
  const mapBytes = Buffer.concat(map);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(mapBytes.length, 0);
  const parts = kind === 0 || kind === 2 ? [prefixed(method, 2)] : [];
  const behind = kind > 2 ? Buffer.from(body) : Buffer.concat([...parts, length, mapBytes, Buffer.from(body)]);
  const head = Buffer.alloc(16);
  head.set([0xec, 0x01, kind, code]);
  head.writeBigUInt64BE(id, 4);
  head.writeUInt32BE(behind.length, 12);
  return Buffer.concat([head, behind]);
}

const narrowFrame = (flags: number, id: number, tenant = 'abc', body = '') => {
  const frame = Buffer.concat([Buffer.alloc(8), Buffer.from(body)]);
  frame.writeUInt16LE(frame.length - 2, 0);
  frame[2] = flags;
  frame[3] = id;
  frame.write(tenant, 4);
  return frame;
};

function requestOf(bytes: Buffer) {
  const bench = benchServer(wide);
  feed(bench.codec, bytes);
  return { ...bench, request: bench.sink.heads[0]! };
}

function responseOf(bytes: Buffer) {
  const bench = benchClient(wide);
  feed(bench.codec, bytes);
  return bench.sink.heads[0]!;
}

const attributesOf = (message: { entries(visit: (key: string, value: string) => void): void }) => {
  const attributes: [string, string][] = [];
  message.entries((key, value) => attributes.push([key, value]));
  return attributes;
};

describe('a declared codec', () => {
  it('reads attributes: fixed ones, derived ones and open ones, fixed ones first', () => {
    const { request } = requestOf(wideFrame({ headers: { tenant: 'a', method: 'shadowed', 'k é': 'ü' }, body: '!' }));
    expect(request.flags).toBe(Flag.End);
    expect(request.get('method')).toBe('say');
    expect(request.get('last')).toBe('33');
    expect(request.get('tenant')).toBe('a');
    expect(request.get('k é')).toBe('ü');
    expect(request.get('code')).toBeUndefined();
    expect(request.get('other')).toBeUndefined();
    expect(attributesOf(request)).toEqual([
      ['method', 'say'],
      ['last', '33'],
      ['tenant', 'a'],
      ['k é', 'ü'],
    ]);
  });

  it('gives the same requests for any split', () => {
    const bytes = Buffer.concat([wideFrame({ id: 1n, body: 'one' }), wideFrame({ kind: 3 }), wideFrame({ kind: 2 })]);
    const { sink, codec } = benchServer(wide);
    feedBytewise(codec, bytes);
    expect(sink.heads.map(({ flags }) => flags)).toEqual([Flag.End, Flag.End | Flag.Oneway]);
    expect(sink.heads.map(({ raw }) => raw)).toEqual([wideFrame({ id: 1n, body: 'one' }), wideFrame({ kind: 2 })]);
  });

  it('restores 64-bit ids, sends the core id upstream and changes nothing else', () => {
    const id = 0xffff_ffff_ffff_fffdn;
    const { request, codec, out } = requestOf(wideFrame({ id, headers: { a: 'b' }, body: 'body' }));
    const upstream = benchClient(wide);
    upstream.codec.encode(7, request);
    expect(upstream.out.take()).toEqual(wideFrame({ id: 7n, headers: { a: 'b' }, body: 'body' }));
    feed(upstream.codec, wideFrame({ kind: 1, id: 7n, code: 4, body: 'answer' }));
    expect(upstream.sink.headIds).toEqual([7]);
    const [response] = upstream.sink.heads;
    expect(response!.outcome).toEqual({ code: 4, ok: false });
    codec.encode(1, response!, request);
    expect(out.take()).toEqual(wideFrame({ kind: 1, id, code: 4, body: 'answer' }));
  });

  it('writes only what was edited', () => {
    const { request } = requestOf(wideFrame({ headers: { a: '1', b: '2', c: '3' }, body: 'body' }));
    const fork = request.fork();
    expect(request.set('method', 'longer-name')).toBe(true);
    expect(request.set('b', 'changed')).toBe(true);
    expect(request.remove('a')).toBe(true);
    expect(request.remove('absent')).toBe(true);
    expect(fork.set('a', 'forked')).toBe(true);
    expect(request.get('b')).toBe('changed');
    expect(request.get('a')).toBeUndefined();
    expect(attributesOf(request)).toEqual([
      ['method', 'longer-name'],
      ['last', '121'],
      ['c', '3'],
      ['b', 'changed'],
    ]);
    const { codec, out } = benchClient(wide);
    codec.encode(1, request);
    expect(out.take()).toEqual(wideFrame({ method: 'longer-name', headers: { c: '3', b: 'changed' }, body: 'body' }));
    codec.encode(2, fork);
    expect(out.take()).toEqual(wideFrame({ id: 2n, headers: { b: '2', c: '3', a: 'forked' }, body: 'body' }));
    expect(request.raw).toEqual(wideFrame({ headers: { a: '1', b: '2', c: '3' }, body: 'body' }));
  });

  it('refuses what has no place', () => {
    const { request } = requestOf(wideFrame({ headers: { a: '1' } }));
    expect(request.set('code', '4')).toBe(false);
    expect(request.set('last', '4')).toBe(false);
    expect(request.remove('method')).toBe(false);
    expect(request.set('method', 'x'.repeat(65_536))).toBe(false);
    expect(request.set('k'.repeat(256), 'v')).toBe(false);
    expect(request.set('a', 'x'.repeat(40_000))).toBe(true);
    expect(request.set('b', 'x'.repeat(40_000))).toBe(false);
    expect(request.get('b')).toBeUndefined();
    expect(request.get('a')).toHaveLength(40_000);
    const response = responseOf(wideFrame({ kind: 1 }));
    expect(response.set('code', '256')).toBe(false);
    expect(response.set('code', 'absent')).toBe(true);
    expect(response.get('code')).toBe('absent');
  });

  it('sends large bodies that it owns by reference, edited or not', () => {
    const body = 'x'.repeat(70_000);
    const { request } = requestOfWith({ frameLimitBytes: 100_000 }, wideFrame({ headers: { a: '1' }, body }));
    const { codec, out } = benchClient(wide);
    codec.encode(1, request);
    expect(out.take()).toEqual(wideFrame({ headers: { a: '1' }, body }));
    request.set('a', '2');
    codec.encode(2, request);
    expect(out.take()).toEqual(wideFrame({ id: 2n, headers: { a: '2' }, body }));
  });

  it.each(Object.keys(Status) as StatusName[])('answers %s so that its client codec understands', (name) => {
    const { codec, out, request } = requestOf(wideFrame({ id: 99n, headers: { a: '1' } }));
    codec.encode(1, codec.reply(Status[name], request), request);
    const written = out.take();
    expect(written.readBigUInt64BE(4)).toBe(99n);
    const response = responseOf(written);
    expect(response.outcome).toEqual({ code: name === 'no_route' ? 4 : 9, ok: false });
    expect(written.toString('utf8', 18)).toBe(`${name}: ${Status[name].detail}`);
  });

  it('answers with the code that a fault names, and knows its own replies for local', () => {
    const { codec, request } = requestOf(wideFrame({}));
    const reply = codec.reply(statusOf(Status.fault, 'injected', 200), request);
    expect(reply.outcome?.code).toBe(200);
    expect(reply.raw).toBeNull();
    expect(reply.set('hint', 'x')).toBe(true);
    expect(codec.reply(Status.fault, null).outcome?.code).toBe(9);
  });

  it('answers with as much of its text as the length field can tell', () => {
    const frame = { magic: [0x7e], headBytes: 5, length: { at: 1, as: 'u8', of: 'body' }, limitBytes: 260 } as const;
    const small = defineCodec({
      name: 'small',
      version: '1.0.0',
      codecApi: '^1.0.0',
      frame,
      id: { at: 2, as: 'u8' },
      kind: { at: 3, as: 'u8', request: 0, response: 1 },
      outcome: { at: 4, as: 'u8' },
      codes,
      errors: { otherwise: 'failed' },
      attributes: { who: text({ length: 'u8' }) },
    }).codecs[0];
    const server = benchServer(small);
    feed(server.codec, Buffer.from([0x7e, 1, 7, 0, 0, 0]));
    const [request] = server.sink.heads;
    // Its 255th byte is inside an é.
    server.codec.encode(1, server.codec.reply(statusOf(Status.fault, `${'x'.repeat(246)}ééé`), request!), request!);
    const bytes = server.out.take();
    expect([bytes.length, bytes[1]]).toEqual([5 + 254, 254]);
    const client = benchClient(small);
    feed(client.codec, bytes);
    expect(client.sink.error).toBeNull();
  });

  it('answers heartbeats at once and routes none', () => {
    const server = benchServer(wide);
    feed(server.codec, wideFrame({ kind: 3, id: 5n, body: 'ping' }));
    expect(server.sink.heads).toEqual([]);
    expect(server.out.take()).toEqual(wideFrame({ kind: 4, id: 5n, body: 'ping' }));
    const client = benchClient(wide);
    client.codec.keepalive();
    feed(server.codec, client.out.take());
    feed(client.codec, server.out.take());
    expect(client.sink.heads).toEqual([]);
    expect(client.out.take()).toEqual(Buffer.alloc(0));
    server.codec.keepalive();
    expect(server.out.take()).toEqual(wideFrame({ kind: 3, id: 0n }));
  });

  it('refuses an oversize frame by its head and tells the caller', () => {
    const { sink, codec, out } = benchServer(wide);
    const oversize = wideFrame({ id: 3n }).subarray(0, 16);
    oversize.writeUInt32BE(2_000_000_000, 12);
    feed(codec, Buffer.concat([wideFrame({ id: 2n }), oversize]));
    expect(sink.events.map(({ kind }) => kind)).toEqual(['head', 'head', 'go-away']);
    const [, refused] = sink.heads;
    expect(refused!.answer?.outcome).toEqual({ code: 9, ok: false });
    codec.encode(2, refused!.answer!, refused!);
    const at = wideFrame({ id: 2n }).length + 12;
    const written = out.take();
    expect(written.readBigUInt64BE(4)).toBe(3n);
    expect(written.toString('utf8', 18)).toBe(
      `too_large: wide: frame of 2000000016 bytes > frameLimitBytes 65536 at byte ${at}`,
    );
    expect(refused!.get('method')).toBeUndefined();
  });

  it.each([
    ['magic', 'ffff', 'wide: magic ff, ec01 expected at byte 0: [ffff0000]'],
    [
      'an unknown kind',
      'ec0109000000000000000001000000040000',
      'wide: kind unknown, a request expected at byte 2: ec01[09000000]000000000001000000040000',
    ],
    [
      'a response',
      'ec0101000000000000000001000000020000',
      'wide: kind response, a request expected at byte 2: ec01[01000000]000000000001000000020000',
    ],
    [
      'a oneway request whose method goes beyond it',
      'ec0102000000000000000001000000020005',
      'wide: method goes beyond the frame of 18 bytes at byte 16: ec010200000000000000000100000002[0005]',
    ],
  ])('refuses %s', (_what, hex, detail) => {
    const { sink, codec } = benchServer(wide);
    feed(codec, Buffer.concat([Buffer.from(hex, 'hex'), Buffer.alloc(2)]));
    expect(sink.error).toMatchObject({ name: 'malformed', detail });
  });

  it('closes an upstream that sends no response, and answers a malformed request', () => {
    const client = benchClient(wide);
    feed(client.codec, wideFrame({ kind: 0 }));
    expect(client.sink.error?.detail).toContain('wide: kind request, a response expected at byte 2: ec01[00');
    const server = benchServer(wide);
    feed(server.codec, Buffer.from('ec010000000000000000000100000004000000ff', 'hex'));
    expect(server.sink.heads[0]?.answer?.outcome?.code).toBe(9);
    expect(server.sink.goneAway).toBe(true);
  });

  it('pairs answers by their id, owes those that were given up and tells unknown ones apart', () => {
    const { request } = requestOf(wideFrame({}));
    const { codec, sink } = benchClient(wide);
    codec.encode(1, request);
    codec.encode(2, request);
    expect(codec.reset(1, Status.timeout)).toBe(Reset.Owed);
    feed(codec, Buffer.concat([2n, 1n, 1n, 2n ** 32n + 2n].map((id) => wideFrame({ kind: 1, id }))));
    expect(sink.headIds).toEqual([2, 1, -1, -1]);
    expect(codec.reset(1, Status.timeout)).toBe(Reset.Done);
  });

  it('fails what an ended upstream owes; an idle one just goes', () => {
    const idle = benchClient(wide);
    idle.codec.peerEnded();
    expect(idle.sink.goneAway).toBe(true);
    const owing = benchClient(wide);
    owing.codec.encode(1, requestOf(wideFrame({})).request);
    owing.codec.peerEnded();
    expect(owing.sink.error).toMatchObject({
      name: 'upstream_reset',
      detail: 'wide: the upstream closed with 1 answers owed and 0 bytes of one',
    });
  });

  it('holds while paused, and tells the end behind what was held', () => {
    const { sink, codec } = benchServer(wide);
    sink.onEvent = () => codec.pause();
    feed(codec, Buffer.concat([wideFrame({}), wideFrame({}), wideFrame({}).subarray(0, 3)]));
    codec.peerEnded();
    expect(sink.headIds).toEqual([1]);
    expect(codec.reading).toBe(false);
    sink.onEvent = () => {};
    codec.resume();
    expect(sink.headIds).toEqual([1, 2]);
    expect(sink.error?.detail).toBe('wide: the connection ended 3 bytes into a frame');
  });
});

describe('a declared codec with a narrow id and a kind of some bits', () => {
  it('maps core ids to the few that the wire has, in turn', () => {
    const server = benchServer(narrow);
    feed(server.codec, narrowFrame(0xf1, 200));
    const [request] = server.sink.heads;
    const { codec, sink, out } = benchClient(narrow);
    expect(sink.events).toEqual([{ kind: 'ready', maxStreams: 255 }]);
    for (let id = 1_000; id < 1_255; id++) codec.encode(id, request!);
    expect(() => codec.encode(1_255, request!)).toThrow('all 255 ids of the connection are in use');
    expect(out.take().subarray(-8)).toEqual(narrowFrame(0xf1, 255));
    feed(codec, narrowFrame(0xf2, 7));
    feed(codec, narrowFrame(0xf2, 7));
    expect(sink.headIds).toEqual([1_006, -1]);
    codec.encode(2_000, request!);
    expect(out.take()).toEqual(narrowFrame(0xf1, 7));
    expect(codec.reset(2_000, Status.timeout)).toBe(Reset.Owed);
    server.codec.encode(1, sink.heads[0]!, request!);
    expect(server.out.take()).toEqual(narrowFrame(0xf2, 200));
  });

  it('answers a heartbeat with one where only callers ask, and never answers that', () => {
    const client = benchClient(narrow);
    client.codec.keepalive();
    const beat = client.out.take();
    expect(beat).toEqual(narrowFrame(3, 0, '\0\0\0'));
    const server = benchServer(narrow);
    feed(server.codec, beat);
    expect(server.out.take()).toEqual(beat);
    feed(client.codec, beat);
    expect(client.out.queuedBytes).toBe(0);
    server.codec.keepalive();
    expect(server.out.queuedBytes).toBe(0);
  });

  it('edits texts in the head in place', () => {
    const server = benchServer(narrow);
    feed(server.codec, narrowFrame(1, 1, 'abc', 'body'));
    const [request] = server.sink.heads;
    expect(request!.get('tenant')).toBe('abc');
    expect(request!.set('tenant', 'abcd')).toBe(false);
    expect(request!.set('open', 'x')).toBe(false);
    expect(request!.set('tenant', 'z')).toBe(true);
    const { codec, out } = benchClient(narrow);
    codec.encode(1, request!);
    expect(out.take()).toEqual(narrowFrame(1, 1, 'z\0\0', 'body'));
  });
});

function requestOfWith(options: object, bytes: Buffer) {
  const { sink, codec } = benchServer(wide, options);
  feed(codec, bytes);
  return { request: sink.heads[0]! };
}
