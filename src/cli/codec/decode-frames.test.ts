import { describe, expect, it } from 'vitest';
import echoRpc from '../../../plugins/echo-rpc/codec.ts';
import { http1Factory } from '../../codecs/http1/plugin.ts';
import { redisFactory } from '../../codecs/redis/plugin.ts';
import { thriftFactory } from '../../codecs/thrift/plugin.ts';
import type { CodecFactory } from '../../metaprotocol/codec.ts';
import { decodedText } from './decode-frames.ts';

const [codec] = echoRpc.codecs;
const request = 'ec01000000000000000000070000000b 0003736179 0000 68656c6c';
const heartbeat = 'ec0103000000000000000002 00000000';

const decoded = (...hex: string[]) => decodedText(codec, Buffer.from(hex.join('').replaceAll(' ', ''), 'hex'));

describe('codec decode', () => {
  it('shows fields with their offsets, heartbeats between messages too', () => {
    expect(decoded(request, heartbeat, request)).toEqual({
      ok: true,
      text: `request at byte 0, 27 bytes
        0  magic   ec01  [ec01]
        2  kind    request  [00]
        4  id      7  [0000000000000007]
       12  length  11  [0000000b]
       16  method  say  [0003736179]
       23  body    "hell"  [68656c6c]
not routed at byte 27, 16 bytes
       27  magic   ec01  [ec01]
       29  kind    heartbeat  [03]
       31  id      2  [0000000000000002]
       39  length  0  [00000000]
request at byte 43, 27 bytes
       43  magic   ec01  [ec01]
       45  kind    request  [00]
       47  id      7  [0000000000000007]
       55  length  11  [0000000b]
       59  method  say  [0003736179]
       66  body    "hell"  [68656c6c]
`,
    });
  });

  it('tells responses from requests', () => {
    const { text, ok } = decoded('ec01010100000000000000070000000400006e6f');
    expect(ok).toBe(true);
    expect(text).toContain('response (code 1, not ok) at byte 0, 20 bytes');
    expect(text).toContain('3  code    unknown_method  [01]');
  });

  it('tells responses of Thrift without the calls that they answer', () => {
    const answer = Buffer.from('0000000f80010002000000026f6b0000000700', 'hex');
    for (const responses of [false, true]) {
      const { text, ok } = decodedText(thriftFactory as CodecFactory, answer, responses);
      expect([ok, text]).toEqual([true, expect.stringContaining('response (code 0, ok) at byte 0, 19 bytes')]);
      expect(text).toContain('       12  method        ok  [6f6b]');
    }
  });

  it('shows attributes that have no place of their own behind those that have one, and takes a word for the side', () => {
    const bytes = Buffer.from('*2\r\n$3\r\nget\r\n$1\r\na\r\n');
    expect(decodedText(redisFactory as CodecFactory, bytes).text).toBe(`request at byte 0, 20 bytes
        0  array      2  [2a320d0a]
        4  bulk       "get"  [24330d0a6765740d0a]
       13  bulk       "a"  [24310d0a610d0a]
           command    GET
           key        a
           hash-key   a
           key-count  1
           db         0
           user       
           read-only  true
`);
    const answers = Buffer.from('+OK\r\n-ERR no\r\n');
    expect(decodedText(redisFactory as CodecFactory, answers).text).toContain('command    +OK');
    expect(decodedText(redisFactory as CodecFactory, answers, true)).toEqual({
      ok: true,
      text: `responses, 14 bytes
        0  simple  OK  [2b4f4b0d0a]
        5  error   ERR no  [2d455252206e6f0d0a]
`,
    });
    const half = decodedText(redisFactory as CodecFactory, Buffer.from('+OK\r\n$4\r\nha'), true);
    expect([half.ok, half.text]).toEqual([false, expect.stringContaining('not read from byte 5, 6 bytes')]);
  });

  it('says of half a message that it is not whole, where servers drop that without a word', () => {
    const half = decodedText(redisFactory as CodecFactory, Buffer.from('*2\r\n$3\r\nGE'));
    expect([half.ok, half.text.split('\n').at(-2)]).toEqual([false, 'the last message is not whole']);
  });

  it('shows where it cannot go on, and why', () => {
    const { text, ok } = decoded(request, 'ec0100000000000000000008ffffffff00');
    expect(ok).toBe(false);
    expect(text).toContain(`not readable at byte 27, 17 bytes
       27  magic   ec01  [ec01]`);
    expect(text).toContain('       27  ec 01 00 00 00 00 00 00 00 00 00 08 ff ff ff ff  ................\n');
    expect(text).toContain(
      'frame of 4294967311 bytes > frameLimitBytes 8388608 at byte 39: ec0100000000000000000008[ffffffff]00\n',
    );
  });

  it('shows the requests of a protocol whose messages stream', () => {
    const put = 'PUT /log HTTP/1.1\r\nHost: isle\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nSum: 7\r\n\r\n';
    const { text, ok } = decodedText(
      http1Factory as CodecFactory,
      Buffer.from(`${put}GET / HTTP/1.1\r\nHost: isle\r\n\r\n`),
    );
    expect(text).toBe(`request, 2 bytes of data
           :method     PUT
           :path       /log
           :authority  isle
           :scheme     http
        0  68 69                                            hi
trailers
           sum  7
request, 0 bytes of data
           :method     GET
           :path       /
           :authority  isle
           :scheme     http
`);
    expect(ok).toBe(true);
    const half = decodedText(http1Factory as CodecFactory, Buffer.from(put.slice(0, -4)));
    expect([half.ok, half.text.split('\n').at(-2)]).toEqual([false, 'http1: the last request is not whole']);
    const headless = decodedText(http1Factory as CodecFactory, Buffer.from(`${put}GET / HT`));
    expect([headless.ok, headless.text.split('\n').at(-2)]).toEqual([false, 'http1: the last request is not whole']);
    const bad = decodedText(http1Factory as CodecFactory, Buffer.from('GET / HTTP/1.1\r\nHost : isle\r\n\r\n'));
    expect([bad.ok, bad.text]).toEqual([false, expect.stringMatching(/^http1: .* at byte \d+\n$/)]);
  });
});
