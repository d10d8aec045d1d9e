import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import type { ByteRange, Message, RequestMessage } from '../../metaprotocol/message.ts';
import { http1Factory } from './plugin.ts';

function request(text: string): RequestMessage {
  const { codec, sink } = benchServer(http1Factory);
  feed(codec, Buffer.from(text, 'latin1'));
  return sink.heads[0]!;
}

function response(): Message {
  const { codec, sink } = benchClient(http1Factory);
  codec.encode(1, request('GET / HTTP/1.1\r\nHost: h\r\n\r\n'));
  feed(codec, Buffer.from('HTTP/1.1 204 No Content\r\nServer: s\r\n\r\n'));
  return sink.heads[0]!;
}

/** As a server gets it. */
function sent(head: RequestMessage): string {
  const { codec, out } = benchClient(http1Factory);
  codec.encode(1, head);
  return out.take().toString('latin1');
}

/** What is found at its place, `absent`, or `ask`; it must be what `get` gives. */
function located(message: Message, key: string): string {
  const range: ByteRange = { bytes: Buffer.alloc(0), from: 0, to: 0 };
  const found = message.locate!(key, range);
  if (found === null) return 'ask';
  const text = found ? Buffer.from(range.bytes.subarray(range.from, range.to)).toString('latin1') : undefined;
  expect(text).toBe(message.get(key));
  return text ?? 'absent';
}

describe('a place among the bytes of a head', () => {
  it('is told of what stands there once, as it came', () => {
    const head = request('GET /p?q=1 HTTP/1.1\r\nHost: h\r\nOne: \t a b\xe9 \r\nTwo: 1\r\ntwo: 2\r\nEmpty:\r\n\r\n');
    const keys = [':path', 'one', 'ONE', 'two', 'empty', 'none', 'host', ':authority', ':method', '?q', ':what', 'a b'];
    expect(keys.map((key) => located(head, key))).toEqual([
      '/p?q=1',
      'a b\xe9',
      'a b\xe9',
      'ask',
      '',
      'absent',
      'ask',
      'ask',
      'ask',
      'ask',
      'ask',
      'absent',
    ]);
    head.keep();
    expect([located(head, ':path'), located(head, 'one')]).toEqual(['/p?q=1', 'a b\xe9']);
  });

  it('is not told of what was edited', () => {
    const head = request('GET /p HTTP/1.1\r\nHost: h\r\nOne: 1\r\nTwo: 2\r\nThree: 3\r\n\r\n');
    head.set('one', 'set');
    head.add('two', 'more');
    head.remove('three');
    head.add('four', 'new');
    head.set(':path', '/set');
    expect(['one', 'two', 'three', 'four', ':path'].map((key) => located(head, key))).toEqual([
      'ask',
      'ask',
      'absent',
      'ask',
      'ask',
    ]);
    expect(head.get('two')).toBe('2,more');
  });

  it('is told of bytes that were added, which go out as they are', () => {
    const head = request('GET / HTTP/1.1\r\nHost: h\r\nTwo: 1\r\n\r\n');
    const value = (text: string): ByteRange => ({
      bytes: Buffer.from(`<${text}>`, 'latin1'),
      from: 1,
      to: 1 + text.length,
    });
    for (const bad of ['a\r\nb: c', 'a\n', '\x00', '\x7f']) expect(head.addBytes!('bad', value(bad))).toBe(false);
    for (const bad of ['', 'b d', 'content-length', ':method']) expect(head.addBytes!(bad, value('v'))).toBe(false);
    for (const [name, text] of [
      ['One', 'a\xe9'],
      ['two', '2'],
      ['blank', ' \tb '],
      ['empty', ''],
      ['last', 'x'.repeat(99)],
    ]) {
      expect(head.addBytes!(name!, value(text!))).toBe(true);
    }
    expect(['one', 'two', 'blank', 'empty', 'bad'].map((key) => located(head, key))).toEqual([
      'a\xe9',
      'ask',
      'ask',
      '',
      'absent',
    ]);
    expect([head.get('two'), head.get('blank')]).toEqual(['1,2', 'b']);
    const fork = head.fork();
    head.add('two', '3');
    expect(fork.get('two')).toBe('1,2');
    head.remove('one');
    expect([head.get('one'), head.get('two'), fork.get('one'), fork.get('two')]).toEqual([
      undefined,
      '1,2,3',
      'a\xe9',
      '1,2',
    ]);
    expect([sent(head), sent(fork)]).toEqual([
      `GET / HTTP/1.1\r\nHost: h\r\nTwo: 1\r\ntwo: 2\r\nblank: b\r\nempty: \r\nlast: ${'x'.repeat(99)}\r\ntwo: 3\r\n\r\n`,
      `GET / HTTP/1.1\r\nHost: h\r\nTwo: 1\r\none: a\xe9\r\ntwo: 2\r\nblank: b\r\nempty: \r\nlast: ${'x'.repeat(99)}\r\n\r\n`,
    ]);
  });

  it('is told of responses too', () => {
    const head = response();
    expect([located(head, 'server'), located(head, 'none'), located(head, ':status')]).toEqual(['s', 'absent', 'ask']);
  });

  it('is none for the path of CONNECT and of a target in absolute form', () => {
    expect(located(request('CONNECT h:1 HTTP/1.1\r\nHost: h:1\r\n\r\n'), ':path')).toBe('ask');
    expect(located(request('GET http://h/p HTTP/1.1\r\nHost: h\r\n\r\n'), ':path')).toBe('ask');
  });
});

describe('names of fields', () => {
  it('are compared without regard to case, and what is none is neither found nor written', () => {
    const head = request('GET / HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n\r\n');
    expect(['X-ONE', 'x-one', 'x one', '', 'x-on\u00e9', 'x-\u212aone', 'x-one:'].map((key) => head.get(key))).toEqual([
      '1',
      '1',
      undefined,
      undefined,
      undefined,
      undefined,
      undefined,
    ]);
    for (const key of ['', 'x one', 'x:one', 'x\u00e9', '\u212aey', 'x\r\ny', ':status', ':method']) {
      expect([head.set(key, 'v'), head.add(key, 'v')], JSON.stringify(key)).toEqual([false, false]);
    }
    expect([head.set('X-One', '2'), head.add('x-ONE', '3'), head.get('x-one')]).toEqual([true, true, '2,3']);
    expect([head.set(':PATH', '/new'), head.get(':path')]).toEqual([true, '/new']);
  });
});
