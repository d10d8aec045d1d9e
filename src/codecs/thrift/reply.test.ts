import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ServerRig } from '../../../test/harness/thrift/rigs.ts';
import { readStock, writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { feed } from '../../conformance/feed.ts';
import { Status, type StatusName, statusOf } from '../../metaprotocol/status.ts';
import { EXCEPTION_OF_STATUS } from './reply.ts';
import { ExceptionType } from './wire.ts';

const STATUSES = Object.keys(Status) as StatusName[];

describe('a local reply', () => {
  for (const transport of ['framed', 'unframed', 'theader'] as const) {
    for (const protocol of ['binary', 'compact'] as const) {
      it.each(STATUSES)(`${transport} ${protocol}: %s is an exception that stock clients read`, (name) => {
        const { sink, out, codec } = new ServerRig();
        const seqid = 70_000;
        feed(codec, writeStock({ transport, protocol, name: 'Wind:gust', type: 1, seqid, argument: 'hello' }));
        const request = sink.heads[0]!;
        const reply = codec.reply(Status[name], request);
        codec.encode(1, reply, request);
        expect(readStock(out.take(), transport, protocol)).toEqual({
          name: 'gust',
          type: 3,
          seqid,
          headers: {},
          text: `${name}: ${Status[name].detail}`,
          exceptionType: EXCEPTION_OF_STATUS[name],
        });
        expect(reply.outcome).toEqual({ code: EXCEPTION_OF_STATUS[name], ok: false });
        expect(reply.raw).toBeNull();
        expect(reply.get('method')).toBe('gust');
      });
    }
  }

  it('has the bytes of the method that was called, which need not be text', () => {
    const { sink, out, codec } = new ServerRig();
    feed(codec, Buffer.from('0000001180010001 00000004 613aff00 00000007 00'.replaceAll(' ', ''), 'hex'));
    codec.encode(1, codec.reply(Status.no_route, sink.heads[0]!), sink.heads[0]!);
    expect(out.take().toString('hex', 4, 18)).toBe('80010003 00000002 ff00 00000007'.replaceAll(' ', ''));
  });

  it('carries the code of a fault', () => {
    const { sink, out, codec } = new ServerRig();
    feed(
      codec,
      writeStock({ transport: 'framed', protocol: 'compact', name: 'gust', type: 1, seqid: 1, argument: '' }),
    );
    codec.encode(
      1,
      codec.reply(statusOf(Status.fault, 'as asked', ExceptionType.MISSING_RESULT), sink.heads[0]!),
      sink.heads[0]!,
    );
    expect(readStock(out.take(), 'framed', 'compact')).toMatchObject({ exceptionType: 5, text: 'fault: as asked' });
  });

  it('takes headers where the transport has them', () => {
    const { sink, out, codec } = new ServerRig();
    feed(
      codec,
      writeStock({ transport: 'theader', protocol: 'binary', name: 'gust', type: 1, seqid: 1, argument: '' }),
    );
    const reply = codec.reply(Status.denied, sink.heads[0]!);
    expect(reply.set('by', 'meltemi')).toBe(true);
    codec.encode(1, reply, sink.heads[0]!);
    expect(readStock(out.take(), 'theader', 'binary')).toMatchObject({ headers: { by: 'meltemi' }, exceptionType: 6 });
  });

  it('to an old binary caller is old binary', () => {
    const { sink, out, codec } = new ServerRig({ protocol: 'binary', oldBinary: true });
    feed(codec, Buffer.from('0000000e0000000470696e67010000000700', 'hex'));
    expect(sink.heads).toHaveLength(1);
    codec.encode(1, codec.reply(Status.timeout, sink.heads[0]!), sink.heads[0]!);
    const bytes = out.take();
    expect(bytes.toString('hex', 4, 17)).toBe('0000000470696e670300000007');
    expect(readStock(bytes, 'framed', 'binary')).toMatchObject({ name: 'ping', seqid: 7, exceptionType: 6 });
  });
});

describe('docs/codecs/thrift.md', () => {
  it('shows what each status becomes', () => {
    const page = readFileSync(new URL('../../../docs/codecs/thrift.md', import.meta.url), 'utf8');
    const names = new Map(Object.entries(ExceptionType).map(([name, type]) => [type as number, name]));
    const rows = [...page.matchAll(/^\| `(\w+)` \| (\d+) `(\w+)` \|/gm)].map(
      ([, status, type, name]) => `${status} ${type} ${name}`,
    );
    expect(rows.sort()).toEqual(
      STATUSES.map(
        (status) => `${status} ${EXCEPTION_OF_STATUS[status]} ${names.get(EXCEPTION_OF_STATUS[status])}`,
      ).sort(),
    );
  });
});
