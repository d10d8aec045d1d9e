import { describe, expect, it } from 'vitest';
import { readAnswer, readCall } from '../../test/harness/dubbo/stock-dubbo.ts';
import { dubboEcho } from './echo-call.ts';

describe('the echo call', () => {
  it.each([100, 10_000])(
    'of %i bytes is read as a call by a stock library, and as a reply once answered',
    (payloadBytes) => {
      const call = dubboEcho.createCall(payloadBytes, 7);
      dubboEcho.stampCall(call, 0, 0xabc);
      const { id, strings, args, attachments } = readCall(call, 1);
      const text = `0000000700000abc${'meltemi '.repeat(payloadBytes)}`.slice(0, payloadBytes);
      expect(id).toBe(0xabcn);
      expect(strings).toEqual(['2.0.2', 'bench.Echo', '0.0.0', 'echo', 'Ljava/lang/String;']);
      expect(args).toEqual([text]);
      expect(attachments).toEqual({ path: 'bench.Echo', interface: 'bench.Echo', version: '0.0.0', timeout: '1000' });
      const reply = dubboEcho.replyTo(call, 0, call.length);
      expect(readAnswer(reply)).toEqual({ id, status: 20, tag: 4, value: text, attachments: { dubbo: '2.0.2' } });
      dubboEcho.stampReply(reply, 0xdef);
      expect(readAnswer(reply)).toMatchObject({ id: 0xdefn, value: text.replace('abc', 'def') });
    },
  );

  it('names its number', () => {
    const call = dubboEcho.createCall(100, 0);
    dubboEcho.stampCall(call, 0, 0xfffffff0);
    expect(dubboEcho.callNumber(call, 0, call.length)).toBe(0xfffffff0);
    expect(dubboEcho.callNumber(call, 0, 10)).toBe(-1);
  });
});
