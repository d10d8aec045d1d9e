import { describe, expect, it, vi } from 'vitest';
import { ClientRig, ServerRig } from '../../../test/harness/thrift/rigs.ts';
import { readStock, writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { feed } from '../../conformance/feed.ts';
import { HeaderCursor } from './header-block.ts';
import type { ThriftRequest } from './message.ts';
import type { ThriftProtocol } from './wire.ts';

function request(headers: Record<string, string>, protocol: ThriftProtocol = 'binary'): ThriftRequest {
  const { sink, codec } = new ServerRig();
  feed(codec, writeStock({ transport: 'theader', protocol, name: 'gust', type: 1, seqid: 7, argument: 'hi', headers }));
  expect(sink.error).toBeNull();
  return sink.heads[0]!;
}

function forward(message: ThriftRequest): Buffer {
  const { out, codec } = new ClientRig();
  codec.encode(70_000, message);
  return out.take();
}

/** A binary THeader call whose header block is these bytes, padded. */
function callWithBlock(hex: string): Buffer {
  const block = Buffer.from(hex, 'hex');
  const padded = Buffer.concat([block, Buffer.alloc((4 - (block.length % 4)) % 4)]);
  const head = Buffer.from('000000000fff0000000000070000', 'hex');
  head.writeUInt16BE(padded.length / 4, 12);
  const message = Buffer.from('80010001000000047069 6e67000000070c000100 00'.replaceAll(' ', ''), 'hex');
  const bytes = Buffer.concat([head, padded, message]);
  bytes.writeInt32BE(bytes.length - 4);
  return bytes;
}

function heads(bytes: Buffer, options?: unknown): ServerRig {
  const rig = new ServerRig(options);
  feed(rig.codec, bytes);
  return rig;
}

describe('headers of a THeader call', () => {
  it('are attributes, in the case that they were written in', () => {
    const message = request({ user: 'alice', 'X-Unit': 'µs' });
    expect(message.get('user')).toBe('alice');
    expect(message.get('X-Unit')).toBe('µs');
    expect(message.get('x-unit')).toBeUndefined();
    expect(message.get('use')).toBeUndefined();
    expect(message.get('users')).toBeUndefined();
  });

  it('are walked a few times only, however many routes ask for one', () => {
    const [message] = heads(callWithBlock(`0000 01 03 0161 0131 0161 0132 01ff 0133`.replaceAll(' ', ''))).sink.heads;
    const next = vi.spyOn(HeaderCursor.prototype, 'next');
    const asked = Array.from({ length: 200 }, (_, at) => message!.get(['a', '\ufffd', 'b'][at % 3]!));
    expect(new Set(asked.map((value, at) => `${at % 3} ${value}`))).toEqual(new Set(['0 1', '1 3', '2 undefined']));
    expect(next.mock.calls.length).toBeLessThan(100);
    next.mockRestore();
  });

  it('never hide a fixed attribute', () => {
    const message = request({ method: 'other', service: 'other' });
    expect(message.get('method')).toBe('gust');
    expect(message.get('service')).toBeUndefined();
    expect(message.set('method', 'x')).toBe(false);
    expect(message.remove('method')).toBe(false);
    expect(readStock(forward(message), 'theader', 'binary').headers).toEqual({ method: 'other', service: 'other' });
  });

  it.each(['binary', 'compact'] as const)(
    'can be set, added and removed (%s); the rest stays as it was',
    (protocol) => {
      const message = request({ a: '1', b: '2', c: '3' }, protocol);
      expect(message.set('b', 'two')).toBe(true);
      expect(message.add('d', 'é'.repeat(200))).toBe(true);
      expect(message.remove('a')).toBe(true);
      expect(message.remove('nothing')).toBe(true);
      const seen: string[] = [];
      message.entries((key, value) => seen.push(`${key}=${value}`));
      expect(seen.slice(4)).toEqual(['b=two', 'c=3', `d=${'é'.repeat(200)}`]);
      expect(readStock(forward(message), 'theader', protocol)).toMatchObject({
        name: 'gust',
        seqid: 70_000,
        headers: { b: 'two', c: '3', d: 'é'.repeat(200) },
        text: 'hi',
      });
    },
  );

  it('leave byte-identical where nothing is changed, or a remove finds nothing', () => {
    const message = request({ a: '1' });
    const untouched = forward(message);
    message.remove('nothing');
    expect(message.edits).toBeNull();
    expect(forward(message)).toEqual(untouched);
  });

  it('that are all removed leave a block without infos', () => {
    const message = request({ a: '1' });
    message.remove('a');
    const bytes = forward(message);
    expect(bytes.readUInt16BE(12)).toBe(1);
    expect(bytes.toString('hex', 14, 18)).toBe('00000000');
    expect(readStock(bytes, 'theader', 'binary')).toMatchObject({ headers: {}, text: 'hi' });
  });

  it('cannot grow beyond what a THeader can say', () => {
    const message = request({ a: '1' });
    expect(message.set('big', 'x'.repeat(262_140))).toBe(false);
    expect(message.get('big')).toBeUndefined();
    expect(message.set('big', 'x'.repeat(262_100))).toBe(true);
    expect(forward(message).readUInt16BE(12)).toBeLessThanOrEqual(0xffff);
  });

  it('that are not UTF-8 and info kinds that we do not know survive an edit of another header', () => {
    // a = ff fe; then info kind 9 with its own content.
    const { sink } = heads(callWithBlock('0000 01 01 0161 02fffe 09 0102 00'.replaceAll(' ', '')));
    const message = sink.heads[0]!;
    message.set('b', '2');
    const bytes = forward(message);
    expect(bytes.toString('hex', 14, 32)).toBe('000001020161' + '02fffe' + '016201' + '32' + '0901020000');
  });

  it('reads lengths that take more bytes than they need', () => {
    const { sink } = heads(callWithBlock('00 00 01 01 8100 61 8100 62'.replaceAll(' ', '')));
    const message = sink.heads[0]!;
    expect(message.get('a')).toBe('b');
    message.set('c', 'd');
    expect(readStock(forward(message), 'theader', 'binary').headers).toEqual({ a: 'b', c: 'd' });
  });
});

describe('headers of other transports', () => {
  it.each(['framed', 'unframed'] as const)(
    '%s has none: nothing can be set, and there is nothing to remove',
    (transport) => {
      const { sink, codec } = new ServerRig();
      const bytes = writeStock({ transport, protocol: 'binary', name: 'gust', type: 1, seqid: 70_000, argument: 'hi' });
      feed(codec, bytes);
      const message = sink.heads[0]!;
      expect(message.set('a', '1')).toBe(false);
      expect(message.add('a', '1')).toBe(false);
      expect(message.remove('a')).toBe(true);
      expect(message.get('a')).toBeUndefined();
      expect(forward(message)).toEqual(bytes);
    },
  );
});

describe('bad header blocks', () => {
  it.each([
    ['a key past the block', '0000 01 01 7f61', 'a header that runs past the header block at byte 18'],
    ['a value past the block', '0000 01 01 0161 7f62', 'a header that runs past the header block at byte 20'],
    ['fewer pairs than said', '0000 01 05 0161 0162', 'a header that runs past the header block at byte 22'],
    ['a huge count', '0000 01 ffffffff0f 0161 0162', 'a header that runs past the header block'],
    ['a huge key length', '0000 01 01 ffffffff0f', 'a header that runs past the header block at byte 18'],
    ['JSON inside', '0100', 'THeader protocol 1, 0 (binary) or 2 (compact) expected at byte 14'],
    ['compact said, binary inside', '0200', 'a binary message in a THeader frame that says compact at byte 18'],
    ['a transform', '000101', '1 transforms, none expected at byte 15'],
    ['nothing', '', 'the header block has no protocol id at byte 14'],
    ['an endless protocol id', 'ffffffffffffffff', 'the header block has no protocol id at byte 14'],
  ])('%s', (_, block, text) => {
    const { sink, codec, out } = heads(callWithBlock(block.replaceAll(' ', '')));
    expect(sink.events.map((event) => event.kind)).toEqual(['head', 'go-away']);
    expect(sink.reason?.detail).toContain(`thrift: ${text}`);
    const refused = sink.heads[0]!;
    expect(refused.raw).toBeNull();
    codec.encode(1, refused.answer!, refused);
    const read = readStock(out.take(), 'theader', refused.protocol);
    expect(read).toMatchObject({ type: 3, seqid: 7 });
    expect(read.text).toContain(text);
  });

  it('over headerLimitBytes', () => {
    const block = `00000101${'0161'}${'fc01'}${'62'.repeat(252)}`;
    expect(heads(callWithBlock(block), { headerLimitBytes: 260 }).sink.reason).toBeNull();
    const { sink } = heads(callWithBlock(block), { headerLimitBytes: 259 });
    expect(sink.reason).toMatchObject({
      name: 'too_large',
      detail: 'thrift: header block 260 > headerLimitBytes 259 at byte 12',
    });
  });

  it('longer than the frame', () => {
    const bytes = callWithBlock('0000');
    bytes.writeUInt16BE(0xffff, 12);
    expect(heads(bytes, { headerLimitBytes: 262_140 }).sink.reason?.detail).toBe(
      `thrift: header block of 262140 bytes where the frame has ${bytes.length - 14} at byte 12`,
    );
  });
});
