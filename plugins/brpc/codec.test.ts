import { Flag, type RequestMessage, Reset, Status } from 'meltemi/codec';
import { benchClient, benchServer, feed } from 'meltemi/conformance';
import { describe, expect, it } from 'vitest';
import brpc from './codec.ts';
import { bytesField, varintField } from './field-walker.ts';
import { BODY_BYTES_AT, HEAD_BYTES, META_BYTES_AT, MetaTag, RequestTag } from './wire.ts';

const [factory] = brpc.codecs;
const text = (tag: number, value: string) => bytesField(tag, Buffer.from(value));
const id = (low: number, high = 0) => varintField(MetaTag.CorrelationId, high, low);
const call = (...more: Buffer[]) =>
  bytesField(
    MetaTag.Request,
    Buffer.concat([text(RequestTag.ServiceName, 'meltemi.Wind'), text(RequestTag.MethodName, 'Forecast'), ...more]),
  );
const answer = bytesField(MetaTag.Response, Buffer.alloc(0));
const authentication = (value: string) => text(MetaTag.AuthenticationData, value);
const userField = (key: string, value: string) =>
  bytesField(MetaTag.UserField, Buffer.concat([text(0x0a, key), text(0x12, value)]));

function frame(meta: readonly Buffer[], body = 'body'): Buffer {
  const metaBytes = Buffer.concat(meta);
  const head = Buffer.from('PRPC00000000');
  head.writeUInt32BE(metaBytes.length + body.length, BODY_BYTES_AT);
  head.writeUInt32BE(metaBytes.length, META_BYTES_AT);
  return Buffer.concat([head, metaBytes, Buffer.from(body)]);
}

function server(options: object = {}) {
  return benchServer(factory, options as Record<string, unknown>);
}

function client(key = '') {
  const bench = benchClient(factory, {}, key);
  bench.out.take();
  return bench;
}

/** Read by a server codec of its own. */
function read(bytes: Buffer): RequestMessage {
  const { codec, sink } = server();
  feed(codec, bytes);
  expect(sink.error).toBe(null);
  return sink.heads[0]!;
}

function sent(request: RequestMessage, key = ''): Buffer {
  const { codec, out } = client(key);
  codec.encode(1, request);
  return out.take();
}

describe('a request', () => {
  it('keeps fields nobody knows, their order included, and gets the core id in place of its own', () => {
    const unknown = [varintField(0x70, 1, 2), bytesField(0x6a, Buffer.from([0xff])), Buffer.from([0x7d, 1, 2, 3, 4])];
    const [first, second, third] = unknown as [Buffer, Buffer, Buffer];
    const request = read(frame([first, id(9, 9), call(second), third]));
    expect(sent(request)).toEqual(frame([first, id(1), call(second), third]));
  });

  it('gets an id where it has none, and so does its answer', () => {
    const { codec, sink, out } = server();
    feed(codec, frame([call()]));
    expect(sent(sink.heads[0]!)).toEqual(frame([call(), id(1)]));
    const upstream = client();
    upstream.codec.encode(7, sink.heads[0]!);
    feed(upstream.codec, frame([answer, id(7)], 'fair'));
    codec.encode(1, upstream.sink.heads[0]!, sink.heads[0]!);
    expect(out.take()).toEqual(frame([answer, id(0)], 'fair'));
  });

  it('without an id has none of the one before it', () => {
    const { codec, sink } = server();
    feed(codec, Buffer.concat([frame([id(1), call()]), frame([call()])]));
    expect(sent(sink.heads[1]!)).toEqual(frame([call(), id(1)]));
  });

  it('that is set has one field of its key, in the place of the first', () => {
    const request = read(frame([userField('sea', 'a'), call(), userField('sea', 'b'), id(5)]));
    expect(request.set('sea', 'c')).toBe(true);
    expect(sent(request)).toEqual(frame([userField('sea', 'c'), call(), id(1)]));
  });

  it('is read by the last of what stands twice', () => {
    const request = read(
      frame([call(), id(1), userField('sea', 'a'), id(2), call(text(0x12, 'Other')), userField('sea', 'b')]),
    );
    expect(request.get('method')).toBe('Other');
    expect(request.get('sea')).toBe('b');
    const { codec, sink, out } = server();
    feed(codec, frame([id(1), call(), id(2)]));
    codec.encode(1, codec.reply(Status.no_route, null), sink.heads[0]!);
    expect(out.take().subarray(-2)).toEqual(id(2));
  });

  it('is not read by a known number under another wire type', () => {
    expect(read(frame([varintField(0x08, 0, 5), call(varintField(0x08, 0, 5)), id(1)])).get('service')).toBe(
      'meltemi.Wind',
    );
  });

  it('loses every field of a removed key, and keeps its id behind them', () => {
    const request = read(frame([userField('sea', 'a'), call(), userField('isle', 'x'), userField('sea', 'b'), id(5)]));
    expect(request.remove('sea')).toBe(true);
    expect(sent(request)).toEqual(frame([call(), userField('isle', 'x'), id(1)]));
  });

  it("refuses to change what is fixed and brpc-java's ext_fields", () => {
    const ext = bytesField(RequestTag.RequestId, Buffer.concat([text(0x0a, 'tier'), text(0x12, 'gold')]));
    const request = read(frame([call(ext), id(1)]));
    expect(request.get('tier')).toBe('gold');
    expect(request.get('request-id')).toBe(undefined);
    expect([request.set('tier', 'x'), request.remove('tier'), request.set('service', 'x')]).toEqual([
      false,
      false,
      false,
    ]);
    expect(sent(request)).toEqual(frame([call(ext), id(1)]));
  });

  it('refuses an edit over a limit, and stays as it was', () => {
    const { codec, sink } = server({ metaLimitBytes: 100 });
    feed(codec, frame([call(), id(1)]));
    const request = sink.heads[0]!;
    expect(request.set('sea', 'x'.repeat(100))).toBe(false);
    expect(request.get('sea')).toBe(undefined);
    expect(request.set('sea', 'x')).toBe(true);
  });

  it('that opens a stream is answered, and the connection goes on', () => {
    const { codec, sink, out } = server();
    feed(
      codec,
      Buffer.concat([
        frame([call(), id(3), bytesField(MetaTag.StreamSettings, Buffer.alloc(0))]),
        frame([call(), id(4)]),
      ]),
    );
    const [refused, next] = sink.heads;
    expect(refused?.answer?.outcome).toEqual({ code: 1003, ok: false });
    expect(refused?.answer?.get('error-text')).toMatch(/^unsupported: brpc: stream_settings/);
    codec.encode(1, refused!.answer!, refused!);
    expect(out.take().subarray(-2)).toEqual(id(3));
    expect(next?.answer).toBe(null);
    expect((next?.flags ?? 0) & Flag.End).toBe(Flag.End);
  });
});

describe('a large body', () => {
  const body = 'x'.repeat(70_000);
  const whole = frame([call(), id(1)], body);

  it('goes out by reference if nobody reuses its bytes', () => {
    const { codec, out } = client();
    codec.encode(1, read(whole));
    expect(out.slab.length).toBeLessThan(body.length);
    expect(out.take()).toEqual(whole);
  });

  it('is copied while it is lent', () => {
    const { codec, sink } = server();
    const upstream = client();
    // The sink's own onHead would keep the request.
    sink.onHead = (_id, request) => upstream.codec.encode(1, request as RequestMessage);
    feed(codec, whole);
    expect(upstream.out.take()).toEqual(whole);
  });
});

describe('authentication data', () => {
  it('of a first request counts for those behind it', () => {
    const { codec, sink } = server();
    feed(
      codec,
      Buffer.concat([frame([call(), id(1)]), frame([call(), id(2), authentication('me')]), frame([call(), id(3)])]),
    );
    expect(sink.heads.map(({ connectionKey }) => connectionKey)).toEqual(['', 'me', 'me']);
  });

  it('is added to the first request of an upstream connection that has none, and to no other', () => {
    const { codec, out } = client('me');
    const plain = read(frame([call(), id(1)]));
    codec.encode(1, plain);
    expect(out.take()).toEqual(frame([call(), id(1), authentication('me')]));
    codec.encode(2, plain);
    expect(out.take()).toEqual(frame([call(), id(2)]));
    const own = read(frame([authentication('me'), call(), id(1)]));
    expect(sent(own, own.connectionKey)).toEqual(frame([authentication('me'), call(), id(1)]));
  });

  it('may be any bytes', () => {
    const { connectionKey } = read(
      frame([call(), bytesField(MetaTag.AuthenticationData, Buffer.from([0, 0x80, 0xff])), id(1)]),
    );
    const again = read(sent(read(frame([call(), id(1)])), connectionKey));
    expect(Buffer.from(again.connectionKey, 'latin1')).toEqual(Buffer.from([0, 0x80, 0xff]));
  });
});

describe('what is refused', () => {
  const cases: [what: string, bytes: Buffer, error: string][] = [
    ['another magic', Buffer.from('STRM'), 'brpc: first bytes 5354524d, "PRPC" expected at byte 0'],
    [
      'a body over the limit',
      Buffer.from('505250437fffffff00000000', 'hex'),
      'brpc: body length 2147483647 > frameLimitBytes 67108864 at byte 4',
    ],
    [
      'a meta over the limit',
      Buffer.from('505250430100000000ffffff', 'hex'),
      'brpc: meta length 16777215 > metaLimitBytes 65536 at byte 8',
    ],
    [
      'a meta longer than its body',
      Buffer.from('505250430000000400000005', 'hex'),
      'brpc: meta length 5 > body length 4 at byte 8',
    ],
    [
      'a length beyond the meta',
      frame([Buffer.from('0aff7f', 'hex')]),
      'brpc: RpcMeta: field 1: a length that goes 16383 bytes on where 0 are left at byte 12',
    ],
    [
      'a length beyond 32 bits',
      frame([Buffer.from('0a808080801000', 'hex')]),
      'brpc: RpcMeta: field 1: a length that goes 0 bytes on where 1 are left at byte 12',
    ],
    [
      'a varint of eleven bytes',
      frame([Buffer.from(`20${'80'.repeat(10)}00`, 'hex')]),
      'brpc: RpcMeta: field 4: a varint that does not end at byte 12',
    ],
    [
      'a group',
      frame([Buffer.from('53', 'hex')]),
      'brpc: RpcMeta: field 10: wire type 3; groups are not supported at byte 12',
    ],
    ['field number 0', frame([Buffer.from('0000', 'hex')]), 'brpc: RpcMeta: field 0: tag 0 of no field at byte 12'],
    [
      'a broken message inside',
      frame([bytesField(MetaTag.Request, Buffer.from('0a05', 'hex'))]),
      'brpc: RpcMeta: field 1: a length that goes 5 bytes on where 0 are left at byte 14',
    ],
    ['a response', frame([answer, id(1)]), 'brpc: a response where a request is expected at byte 12'],
  ];
  it.each(cases)('%s', (_what, bytes, error) => {
    const { codec, sink } = server();
    feed(codec, bytes);
    expect(sink.heads).toEqual([]);
    expect(sink.error?.detail).toBe(error);
  });

  it('of an upstream too: requests, and what is malformed', () => {
    for (const bytes of [frame([call(), id(1)]), frame([Buffer.from('53', 'hex')])]) {
      const { codec, sink } = client();
      feed(codec, bytes);
      expect(sink.error?.name).toBe('upstream_malformed');
    }
  });
});

describe('an answer', () => {
  it('under an id above 2^32 is nobody’s, though its lower half is one of ours', () => {
    const { codec, sink } = client();
    codec.encode(5, read(frame([call(), id(1)])));
    feed(codec, frame([answer, id(5, 1)]));
    expect(sink.headIds).toEqual([-1]);
    expect(codec.reset(5, Status.timeout)).toBe(Reset.Owed);
  });

  it('has the signed error code of its meta', () => {
    const { codec, sink } = client();
    codec.encode(1, read(frame([call(), id(1)])));
    feed(codec, frame([bytesField(MetaTag.Response, varintField(0x08, 0xffff_ffff, 0xffff_fffe)), id(1)], ''));
    expect(sink.heads[0]?.outcome).toEqual({ code: -2, ok: false });
    expect(sink.heads[0]?.get('error-code')).toBe('-2');
  });
});

describe('fields for people', () => {
  it('name what is there', () => {
    const bytes = frame([call(), id(5), userField('sea', 'aegean')], 'ab');
    const fields = factory.fieldsOf!(bytes).map(({ name, value }) => `${name} ${value}`);
    expect(fields).toEqual([
      'magic PRPC',
      `body size ${bytes.length - HEAD_BYTES}`,
      `meta size ${bytes.length - HEAD_BYTES - 2}`,
      'request.service_name "meltemi.Wind"',
      'request.method_name "Forecast"',
      'correlation_id 5',
      'user_fields.key "sea"',
      'user_fields.value "aegean"',
      'body 6162',
    ]);
    for (let length = 0; length < bytes.length; length++) factory.fieldsOf!(bytes.subarray(0, length));
  });
});
