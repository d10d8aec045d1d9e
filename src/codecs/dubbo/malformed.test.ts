import { describe, expect, it } from 'vitest';
import { ClientRig, ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import { frame, readAnswer, stockAnswer, stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { decodeLent, feed } from '../../conformance/feed.ts';
import { detectDubbo } from './frame-meter.ts';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const HEAD = stockCall({ args: [], attachments: null }).subarray(16, -1);

/** Only the header, which says that the body has `length` bytes. */
function header(flags: number, length: number): Buffer {
  const bytes = frame(flags, 0, 7n, Buffer.alloc(0));
  bytes.writeInt32BE(length, 12);
  return bytes;
}

/** One argument of type I, as these bytes. */
function argument(bytes: Buffer): Buffer {
  const head = Buffer.concat([HEAD.subarray(0, -1), hex('01 49')]);
  return frame(0xc2, 0, 7n, Buffer.concat([head, bytes, hex('48 5a')]));
}

const ARGUMENT_AT = argument(Buffer.alloc(0)).length - 2;
const BOMB = hex('43 01 78 49 7f ff ff ff');

/** Title, bytes, text of the error, whether the caller can be answered. */
const BAD: [title: string, bytes: Buffer, text: string, answered: boolean][] = [
  ['HTTP', Buffer.from('GET / HTTP/1.1\r\n'), 'first bytes 4745 where dabb is expected at byte 0', false],
  ['one wrong byte', hex('00'), 'first bytes 00 where dabb is expected at byte 0', false],
  ['half a magic', hex('da bc 00 00'), 'first bytes dabc where dabb is expected at byte 0', false],
  ['a negative length', header(0xc2, -1), 'body length -1 < 0 at byte 12', true],
  ['the most negative length', header(0xc2, -0x8000_0000), 'body length -2147483648 < 0 at byte 12', true],
  [
    'a length over the limit',
    header(0xc2, 8_388_609),
    'body length 8388609 > frameLimitBytes 8388608 at byte 12',
    true,
  ],
  ['a huge length', header(0xc2, 0x7fff_ffff), 'body length 2147483647 > frameLimitBytes 8388608 at byte 12', true],
  [
    'another serialization over the limit',
    header(0xd7, 9_000_000),
    'body length 9000000 > frameLimitBytes 8388608 at byte 12',
    true,
  ],
  [
    'a oneway call over the limit',
    header(0x82, 9_000_000),
    'body length 9000000 > frameLimitBytes 8388608 at byte 12',
    false,
  ],
  ['a large event', header(0xe2, 16), 'event length 16 > eventLimitBytes 15 at byte 12', false],
  ['no body', header(0xc2, 0), 'no whole string at byte 16', true],
  ['a body that is no head', frame(0xc2, 0, 7n, BOMB), 'no whole string at byte 16', true],
  ['a cut head', frame(0xc2, 0, 7n, HEAD.subarray(0, 12)), 'no whole string at byte 22', true],
  [
    'the class definition bomb',
    argument(BOMB),
    `a class of 2147483647 fields where 2 bytes are left at byte ${ARGUMENT_AT + 3}`,
    true,
  ],
  [
    'the bomb behind a good argument',
    frame(0xc2, 0, 7n, Buffer.concat([HEAD, BOMB])),
    `a class of 2147483647 fields where 0 bytes are left at byte ${16 + HEAD.length + 3}`,
    true,
  ],
  [
    'a huge list',
    argument(hex('58 49 7f ff ff ff')),
    `a list of 2147483647 values where 2 bytes are left at byte ${ARGUMENT_AT}`,
    true,
  ],
  ['a huge string', argument(hex('53 ff ff 61')), `no whole string at byte ${ARGUMENT_AT}`, true],
  [
    'deep nesting',
    argument(Buffer.alloc(100_000, 0x57)),
    `values nested deeper than nestingLimit 512 at byte ${ARGUMENT_AT + 513}`,
    true,
  ],
  [
    'a missing argument',
    frame(0xc2, 0, 7n, Buffer.concat([HEAD.subarray(0, -1), hex('01 49')])),
    `a value is missing at byte ${16 + HEAD.length + 1}`,
    true,
  ],
  ['a response', stockAnswer({}), 'a response where a request is expected at byte 2', false],
];

describe('malformed calls', () => {
  it.each(BAD)('%s', (_, bytes, text, answered) => {
    for (const cut of [bytes.length, 7]) {
      const { sink, out, codec } = new ServerRig();
      for (let at = 0; at < bytes.length; at += cut) if (!sink.closed) decodeLent(codec, bytes.subarray(at, at + cut));
      expect(codec.parkedBytes).toBe(0);
      if (!answered) {
        expect(sink.heads).toEqual([]);
        expect((sink.error ?? sink.reason)?.detail).toBe(`dubbo: ${text}`);
        continue;
      }
      expect(sink.events.map((event) => event.kind)).toEqual(['head', 'go-away']);
      expect(sink.reason?.detail).toBe(`dubbo: ${text}`);
      const refused = sink.heads[0]!;
      expect(refused.raw).toBeNull();
      expect(refused.get('method')).toBeUndefined();
      expect(refused.set('key', 'value')).toBe(false);
      codec.encode(1, refused.answer!, refused);
      const read = readAnswer(out.take());
      expect(read).toMatchObject({ id: 7n, status: 40 });
      expect(read.value).toContain(text);
    }
  });

  it('are told with their place in the connection, and nothing behind them is read', () => {
    const { sink, codec } = new ServerRig();
    const good = stockCall();
    feed(codec, Buffer.concat([good, good, argument(BOMB), good]));
    feed(codec, good);
    codec.peerEnded();
    expect(sink.headIds).toEqual([1, 2, 3]);
    expect(sink.reason?.detail).toContain(`at byte ${good.length * 2 + ARGUMENT_AT + 3}`);
  });

  it('are passed on where arguments are not checked, and have no attachments', () => {
    for (const bytes of [argument(BOMB), argument(Buffer.alloc(100_000, 0x57))]) {
      const { sink, codec } = new ServerRig({ checkArguments: false });
      feed(codec, bytes);
      expect(sink.heads[0]?.raw).toEqual(bytes);
      expect(sink.heads[0]?.get('group')).toBeUndefined();
      expect(sink.heads[0]?.set('group', 'x')).toBe(false);
    }
  });

  it('with types that are no descriptors are passed on, without attachments', () => {
    const { sink, codec } = new ServerRig();
    feed(codec, stockCall({ types: 'Ljava/lang/String', attachments: { tier: 'gold' } }));
    expect(sink.heads[0]?.get('method')).toBe('echo');
    expect(sink.heads[0]?.get('tier')).toBeUndefined();
    expect(sink.heads[0]?.set('tier', 'tin')).toBe(false);
  });

  it('over a limit are told apart from malformed ones', () => {
    const nameOf = (bytes: Buffer) => {
      const { sink, codec } = new ServerRig();
      feed(codec, bytes);
      return sink.reason?.name;
    };
    expect(nameOf(argument(Buffer.alloc(1_000, 0x57)))).toBe('too_large');
    expect(nameOf(argument(BOMB))).toBe('malformed');
    expect(nameOf(argument(hex('58 49 7f ff ff ff')))).toBe('malformed');
    expect(nameOf(header(0xc2, 8_388_609))).toBe('too_large');
    expect(nameOf(header(0xc2, -1))).toBe('malformed');
  });

  it('cost no memory: a thousand bombs each on a connection of its own', () => {
    const bombs = [
      argument(BOMB),
      argument(hex('58 49 7f ff ff ff')),
      argument(Buffer.alloc(2_000, 0x57)),
      header(0xc2, 0x7fff_ffff),
    ];
    const explode = () => {
      for (let n = 0; n < 1_000; n++) {
        const { sink, codec } = new ServerRig();
        feed(codec, bombs[n % bombs.length]!);
        expect(sink.reason).not.toBeNull();
      }
    };
    explode();
    const before = process.memoryUsage();
    explode();
    const after = process.memoryUsage();
    const grown = after.heapTotal + after.external - before.heapTotal - before.external;
    expect(grown).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('malformed answers', () => {
  it.each([
    ['no magic', hex('00 01'), 'first bytes 0001 where dabb is expected at byte 0'],
    ['a negative length', header(0x02, -5), 'body length -5 < 0 at byte 12'],
    ['a length over the limit', header(0x02, 8_388_609), 'body length 8388609 > frameLimitBytes 8388608 at byte 12'],
    ['a large event', header(0xa2, 16), 'event length 16 > eventLimitBytes 15 at byte 12'],
  ])('%s ends the connection', (_, bytes, text) => {
    const { sink, codec } = new ClientRig();
    feed(codec, bytes);
    expect(sink.error).toMatchObject({ name: 'upstream_malformed', detail: `dubbo: ${text}` });
    feed(codec, bytes);
  });

  it('of any body are passed on', () => {
    for (const body of ['', '90', '96', '4e', '93', '94 05']) {
      const { sink, codec } = new ClientRig();
      const bytes = frame(0x02, 20, 1n, hex(body));
      feed(codec, bytes);
      expect(sink.heads[0]?.raw).toEqual(bytes);
      expect(sink.heads[0]?.get('key')).toBeUndefined();
      expect(sink.heads[0]?.outcome?.code).toBe(20);
    }
  });
});

describe('detection', () => {
  it('knows Dubbo by two bytes', () => {
    expect(detectDubbo(Buffer.alloc(0))).toBe('more');
    expect(detectDubbo(hex('da'))).toBe('more');
    expect(detectDubbo(hex('da bb'))).toBe('match');
    expect(detectDubbo(stockCall())).toBe('match');
    for (const other of ['47 45', '00', 'da ba', '80 01 00 01', '16 03 01'])
      expect(detectDubbo(hex(other))).toBe('reject');
  });
});
