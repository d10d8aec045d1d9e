import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import { readAnswer, stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { feed } from '../../conformance/feed.ts';
import { Status, type StatusName, statusOf } from '../../metaprotocol/status.ts';
import { RESPONSE_OF_STATUS } from './reply.ts';
import { ResponseStatus } from './wire.ts';

const STATUSES = Object.keys(Status) as StatusName[];

function replyTo(bytes: Buffer, status: Parameters<ServerRig['codec']['reply']>[0]) {
  const { sink, out, codec } = new ServerRig();
  feed(codec, bytes);
  const request = sink.heads[0]!;
  const reply = codec.reply(status, request);
  codec.encode(1, reply, request);
  return { reply, bytes: out.take() };
}

describe('a local reply', () => {
  it.each(STATUSES)('%s is an error that others read', (name) => {
    const { reply, bytes } = replyTo(stockCall({ id: -70_000n }), Status[name]);
    const value = `${name}: ${Status[name].detail}`;
    const status = RESPONSE_OF_STATUS[name];
    expect(readAnswer(bytes)).toEqual({ id: -70_000n, status, tag: -1, value, attachments: null });
    expect(reply.outcome).toEqual({ code: status, ok: false });
    expect(reply.raw).toBeNull();
    expect(reply.set('by', 'meltemi')).toBe(false);
  });

  it('carries any code of a fault, success included', () => {
    for (const code of Object.values(ResponseStatus)) {
      const { reply, bytes } = replyTo(stockCall(), statusOf(Status.fault, 'as asked', code));
      const answer = readAnswer(bytes);
      expect(answer.status).toBe(code);
      expect(answer.value).toBe(code === 20 ? null : 'fault: as asked');
      expect(answer.tag).toBe(code === 20 ? 2 : -1);
      expect(reply.outcome).toEqual({ code, ok: code === 20 });
    }
  });

  it('with a long text of any characters', () => {
    const detail = `μελτέμι \u{1f32c} ${'x'.repeat(2_000)}`;
    const { bytes } = replyTo(stockCall(), statusOf(Status.denied, detail));
    expect(readAnswer(bytes).value).toBe(`denied: ${detail}`);
  });
});

describe('docs/codecs/dubbo.md', () => {
  it('shows what each status becomes', () => {
    const page = readFileSync(new URL('../../../docs/codecs/dubbo.md', import.meta.url), 'utf8');
    const names = new Map(Object.entries(ResponseStatus).map(([name, code]) => [code as number, name]));
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) `(\w+)` \|/gm)].map(
      ([, status, code, name]) => `${status} ${code} ${name}`,
    );
    const expected = STATUSES.map(
      (name) => `${name} ${RESPONSE_OF_STATUS[name]} ${names.get(RESPONSE_OF_STATUS[name])}`,
    );
    expect(rows.sort()).toEqual(expected.sort());
  });
});
