import { describe, expect, it } from 'vitest';
import { ClientRig, describeHead, ServerRig } from '../../../test/harness/thrift/rigs.ts';
import { readStock, type StockMessage, writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { feed, feedBytewise } from '../../conformance/feed.ts';
import { RecordingOutput } from '../../conformance/recording-output.ts';
import { RecordingSink } from '../../conformance/recording-sink.ts';
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import { ThriftServerCodec } from './codec.ts';
import { PYTHON_ANSWERS, PYTHON_CALLS, PYTHON_MESSAGES, ZLIB_REPLY } from './fixtures/python-messages.ts';
import type { ThriftRequest } from './message.ts';
import { parseThriftOptions } from './options.ts';
import type { ThriftProtocol, ThriftTransport } from './wire.ts';

const WIRES: { transport: ThriftTransport; protocol: ThriftProtocol }[] = [
  { transport: 'framed', protocol: 'binary' },
  { transport: 'framed', protocol: 'compact' },
  { transport: 'unframed', protocol: 'binary' },
  { transport: 'unframed', protocol: 'compact' },
  { transport: 'theader', protocol: 'binary' },
  { transport: 'theader', protocol: 'compact' },
];

const CALL = { name: 'gust', type: 1, seqid: 7, argument: 'hello' } as const;

function call(message: Partial<StockMessage> = {}): Buffer {
  return writeStock({ transport: 'framed', protocol: 'binary', ...CALL, ...message });
}

function reply(message: Partial<StockMessage> = {}): Buffer {
  return call({ type: 2, ...message });
}

const OLD = { protocol: 'binary', oldBinary: true };

describe('calls of stock Python clients', () => {
  it.each(PYTHON_CALLS)('$transport $protocol old=$old: $title', (message) => {
    const { sink, codec } = new ServerRig(message.old ? OLD : undefined);
    feed(codec, message.bytes);
    expect(sink.error).toBeNull();
    const [head] = sink.heads;
    const [first = '', second] = message.name.split(':');
    expect(head?.get('service')).toBe(second === undefined ? undefined : first);
    expect(head?.get('method')).toBe(second ?? first);
    expect(head?.get('message-type')).toBe(message.type === 1 ? 'call' : 'oneway');
    expect(head?.get('transport')).toBe(message.transport);
    expect(head?.get('protocol')).toBe(message.protocol);
    expect(head?.get('user')).toBe(message.transport === 'theader' ? 'alice' : undefined);
    expect(head?.get('x-unit')).toBe(message.transport === 'theader' ? '\u00b5s' : undefined);
    expect(head?.seqid).toBe(message.seqid);
    expect(head?.flags).toBe(message.type === 4 ? Flag.End | Flag.Oneway : Flag.End);
    expect(head?.raw).toEqual(message.bytes);
  });

  it.each(PYTHON_CALLS)('$transport $protocol old=$old: $title, cut at every position', (message) => {
    const options = message.old ? OLD : undefined;
    const whole = new ServerRig(options);
    const bytes = Buffer.concat([message.bytes, message.bytes]);
    feed(whole.codec, bytes);
    const expected = whole.sink.heads.map(describeHead);
    expect(expected).toHaveLength(2);
    for (let cut = 1; cut < bytes.length; cut++) {
      const { sink, codec } = new ServerRig(options);
      feed(codec, bytes, [cut]);
      expect(sink.heads.map(describeHead)).toEqual(expected);
      expect(sink.headIds).toEqual([1, 2]);
    }
    const { sink, codec } = new ServerRig(options);
    feedBytewise(codec, bytes);
    expect(sink.heads.map(describeHead)).toEqual(expected);
  });

  it.each(['framed', 'theader', 'unframed'] as const)('%s by configuration instead of detection', (transport) => {
    for (const protocol of ['binary', 'compact'] as const) {
      const { sink, codec } = new ServerRig({ transport, protocol });
      feedBytewise(codec, writeStock({ transport, protocol, ...CALL }));
      expect(sink.heads.map((head) => head.get('method'))).toEqual(['gust']);
    }
  });
});

describe('answers of stock Python servers', () => {
  const outcomes: Record<string, { code: number; ok: boolean }> = {
    'void reply': { code: 0, ok: true },
    success: { code: 0, ok: true },
    'declared exception': { code: 2, ok: false },
    'application exception': { code: 5, ok: false },
  };

  it.each(PYTHON_ANSWERS)('$transport $protocol old=$old: $title', (message) => {
    const options = message.old ? OLD : undefined;
    const server = new ServerRig(options);
    const client = new ClientRig(options);
    const asked = PYTHON_CALLS.find(
      (one) => one.transport === message.transport && one.protocol === message.protocol && one.old === message.old,
    );
    feed(server.codec, asked!.bytes);
    client.codec.encode(message.seqid, server.sink.heads[0]!);
    feedBytewise(client.codec, message.bytes);
    expect(client.sink.headIds).toEqual([message.seqid]);
    const [answer] = client.sink.heads;
    expect(answer?.outcome).toEqual(outcomes[message.title]);
    expect(answer?.get('message-type')).toBe(message.type === 2 ? 'reply' : 'exception');
    expect(answer?.raw).toEqual(message.bytes);
  });
});

describe('sequence ids', () => {
  const ids = [
    0, 1, 0x7f, 0x80, 0x3fff, 0x4000, 0x1f_ffff, 0x20_0000, 0xfff_ffff, 0x1000_0000, 0x7fff_ffff, -1, -0x8000_0000,
  ];

  it.each(WIRES)(
    "$transport $protocol: only the id differs upstream, and the answer bears the caller's own",
    (wire) => {
      for (const own of ids) {
        for (const upstream of ids.filter((id) => id > 0)) {
          const server = new ServerRig();
          const client = new ClientRig();
          const headers = wire.transport === 'theader' ? { user: 'alice' } : {};
          const sent = withHeaderSeqid(writeStock({ ...wire, ...CALL, seqid: own, headers }), wire.transport, own);
          feed(server.codec, sent);
          const request = server.sink.heads[0]!;
          client.codec.encode(upstream, request);
          const forwarded = client.out.take();
          expect(forwarded).toEqual(
            withHeaderSeqid(writeStock({ ...wire, ...CALL, seqid: upstream, headers }), wire.transport, upstream),
          );
          // Restoring the id gives back every byte.
          const back = new ServerRig();
          feed(back.codec, forwarded);
          const echo = new ClientRig();
          echo.codec.encode(own, back.sink.heads[0]!);
          expect(echo.out.take()).toEqual(sent);

          feed(
            client.codec,
            withHeaderSeqid(writeStock({ ...wire, ...CALL, type: 2, seqid: upstream }), wire.transport, upstream),
          );
          expect(client.sink.headIds).toEqual([upstream]);
          server.codec.encode(1, client.sink.heads[0]!, request);
          const answered = server.out.take();
          expect(answered).toEqual(
            withHeaderSeqid(writeStock({ ...wire, ...CALL, type: 2, seqid: own }), wire.transport, own),
          );
        }
      }
    },
  );

  it('restores two different ids of one THeader call', () => {
    const server = new ServerRig();
    const client = new ClientRig();
    const sent = withHeaderSeqid(call({ transport: 'theader', seqid: 9 }), 'theader', 5);
    feed(server.codec, sent);
    client.codec.encode(300, server.sink.heads[0]!);
    const forwarded = client.out.take();
    expect(forwarded.readUInt32BE(8)).toBe(300);
    expect(readStock(forwarded, 'theader', 'binary').seqid).toBe(300);
    feed(client.codec, reply({ transport: 'theader', seqid: 300 }));
    server.codec.encode(1, client.sink.heads[0]!, server.sink.heads[0]!);
    const answered = server.out.take();
    expect(answered.readUInt32BE(8)).toBe(5);
    expect(readStock(answered, 'theader', 'binary').seqid).toBe(9);
  });

  it('keeps callers apart whose ids are the same, with answers out of order', () => {
    const client = new ClientRig();
    const callers = [new ServerRig(), new ServerRig()];
    callers.forEach((server, n) => {
      feed(server.codec, Buffer.concat([call({ argument: `a${n}`, seqid: 1 }), call({ argument: `b${n}`, seqid: 1 })]));
      for (const [m, head] of server.sink.heads.entries()) client.codec.encode(n * 2 + m + 1, head);
    });
    const answers = [4, 1, 3, 2].map((seqid) => reply({ seqid, argument: `answer ${seqid}` }));
    feed(client.codec, Buffer.concat(answers));
    expect(client.sink.headIds).toEqual([4, 1, 3, 2]);
    client.sink.headIds.forEach((id, at) => {
      const server = callers[id <= 2 ? 0 : 1]!;
      server.codec.encode(1, client.sink.heads[at]!, server.sink.heads[(id - 1) % 2]!);
      expect(readStock(server.out.take(), 'framed', 'binary')).toMatchObject({ seqid: 1, text: `answer ${id}` });
    });
  });

  it('passes answers with ids that nobody waits for to the core as they are', () => {
    const client = new ClientRig();
    const server = new ServerRig();
    feed(server.codec, call());
    client.codec.encode(5, server.sink.heads[0]!);
    feed(client.codec, Buffer.concat([0, -3, 99].map((seqid) => reply({ seqid }))));
    expect(client.sink.headIds).toEqual([0, -3, 99]);
    expect(client.codec.reset(5)).toBe(Reset.Owed);
    feed(client.codec, reply({ seqid: 5 }));
    expect(client.codec.reset(5)).toBe(Reset.Done);
  });
});

describe('bodies', () => {
  it('of a kept large frame go out by reference, with the id stamped in the copied head', () => {
    for (const transport of ['framed', 'theader', 'unframed'] as const) {
      for (const protocol of ['binary', 'compact'] as const) {
        const server = new ServerRig();
        const client = new ClientRig();
        const argument = 'y'.repeat(100_000);
        feed(server.codec, withHeaderSeqid(call({ transport, protocol, argument }), transport, 7), [50_000]);
        const request = server.sink.heads[0]!;
        const raw = Buffer.from(request.raw!);
        client.codec.encode(1_000_000, request);
        const expected = withHeaderSeqid(
          call({ transport, protocol, argument, seqid: 1_000_000 }),
          transport,
          1_000_000,
        );
        expect(client.out.take().equals(expected)).toBe(true);
        expect(request.raw?.equals(raw)).toBe(true);
      }
    }
  });

  it('of a lent large frame are copied', () => {
    const client = new ClientRig();
    const sink = new RecordingSink<ThriftRequest>();
    // Encoded inside the call, before anybody kept it.
    sink.onHead = (id: number, head: ThriftRequest) => client.codec.encode(id, head);
    const codec = new ThriftServerCodec(sink, new RecordingOutput(), parseThriftOptions(undefined));
    const argument = 'y'.repeat(100_000);
    feed(codec, call({ argument }));
    expect(client.out.take().equals(call({ argument, seqid: 1 }))).toBe(true);
  });

  it('are kept once', () => {
    const { sink, codec } = new ServerRig();
    feed(codec, call());
    const request = sink.heads[0]!;
    const { bytes } = request;
    request.keep();
    expect(request.bytes).toBe(bytes);
  });

  it('of a fork are shared, its edits are not', () => {
    const server = new ServerRig();
    feed(server.codec, call({ transport: 'theader', headers: { user: 'alice' } }));
    const request = server.sink.heads[0]!;
    const fork = request.fork();
    fork.set('user', 'bob');
    const second = fork.fork();
    second.set('user', 'carol');
    expect([request, fork, second].map((one) => one.get('user'))).toEqual(['alice', 'bob', 'carol']);
    expect(fork.bytes).toBe(request.bytes);
  });
});

describe('pools', () => {
  it('have connections of their own for each transport and protocol', () => {
    const keys = WIRES.map((wire) => {
      const { sink, codec } = new ServerRig();
      feed(codec, writeStock({ ...wire, ...CALL }));
      return sink.heads[0]!.connectionKey;
    });
    expect(keys).toEqual([
      '',
      'framed/compact',
      'unframed/binary',
      'unframed/compact',
      'theader/binary',
      'theader/compact',
    ]);
  });

  it('never mix two wires on one connection', () => {
    const client = new ClientRig();
    const server = new ServerRig();
    feed(server.codec, Buffer.concat([call(), call({ protocol: 'compact' })]));
    client.codec.encode(1, server.sink.heads[0]!);
    const written = client.out.take();
    expect(() => client.codec.encode(2, server.sink.heads[1]!)).toThrow(
      'a framed compact call on a connection that speaks framed binary',
    );
    expect(client.out.take().length).toBe(0);
    expect(written.length).toBeGreaterThan(0);
  });

  it('get an error for an answer on another wire, and leave one that nobody asked for to the core', () => {
    const client = new ClientRig();
    const server = new ServerRig();
    feed(server.codec, call());
    client.codec.encode(1, server.sink.heads[0]!);
    feed(client.codec, reply({ protocol: 'compact', seqid: 1 }));
    expect(client.sink.error?.name).toBe('upstream_malformed');
    expect(client.sink.error?.detail).toBe('thrift: answer in framed compact to calls in framed binary at byte 0');
    const idle = new ClientRig();
    feed(idle.codec, reply({ seqid: 9 }));
    expect([idle.sink.error, idle.sink.headIds]).toEqual([null, [9]]);
  });
});

describe('oneway calls', () => {
  it('are answered by nothing, even if an answer is given', () => {
    const { sink, out, codec } = new ServerRig();
    feed(codec, call({ type: 4 }));
    const request = sink.heads[0]!;
    codec.encode(1, codec.reply(Status.no_route, request), request);
    expect(out.take().length).toBe(0);
  });

  it('owe no answer upstream', () => {
    const server = new ServerRig();
    const client = new ClientRig();
    feed(server.codec, Buffer.concat([call({ type: 4 }), call()]));
    for (const [n, head] of server.sink.heads.entries()) client.codec.encode(n + 1, head);
    expect(client.codec.reset(1)).toBe(Reset.Done);
    expect(client.codec.reset(2)).toBe(Reset.Owed);
  });
});

describe('the end of a connection', () => {
  function clientWithCall(): ClientRig {
    const server = new ServerRig();
    const client = new ClientRig();
    feed(server.codec, call());
    client.codec.encode(1, server.sink.heads[0]!);
    return client;
  }

  it('upstream, with an answer owed, fails what is in flight', () => {
    const client = clientWithCall();
    client.codec.peerEnded();
    expect(client.sink.error?.name).toBe('upstream_reset');
    expect(client.sink.error?.detail).toBe('thrift: the upstream closed with 1 answers owed and 0 bytes of one');
  });

  it('upstream, idle, is no error', () => {
    const client = clientWithCall();
    feed(client.codec, reply({ seqid: 1 }));
    client.codec.peerEnded();
    expect(client.sink.error).toBeNull();
    expect(client.sink.goneAway).toBe(true);
  });

  it('upstream, while paused, first gives the answers that came', () => {
    const client = clientWithCall();
    client.codec.pause();
    feed(client.codec, reply({ seqid: 1 }));
    client.codec.peerEnded();
    expect(client.sink.headIds).toEqual([]);
    client.codec.resume();
    expect(client.sink.headIds).toEqual([1]);
    expect(client.sink.error).toBeNull();
    expect(client.sink.goneAway).toBe(true);
  });

  it('while paused, is looked at only behind the last message, wherever the codec is resumed', () => {
    const { sink, codec } = new ServerRig();
    codec.pause();
    feed(codec, Buffer.concat([call(), call(), call()]));
    codec.peerEnded();
    sink.onEvent = () => {
      codec.pause();
      codec.resume();
    };
    codec.resume();
    expect(sink.events.map((event) => event.kind)).toEqual(['head', 'head', 'head']);
  });

  it('downstream leaves running calls to be answered', () => {
    const { sink, codec } = new ServerRig();
    feed(codec, call());
    codec.peerEnded();
    expect(sink.events.map((event) => event.kind)).toEqual(['head']);
  });

  it('downstream inside a message is answered and told', () => {
    const { sink, codec } = new ServerRig();
    feed(codec, Buffer.concat([call(), call().subarray(0, 10)]));
    codec.peerEnded();
    expect(sink.events.map((event) => event.kind)).toEqual(['head', 'head', 'go-away']);
    expect(sink.reason?.detail).toBe(`thrift: the connection ended 10 bytes into a message at byte ${call().length}`);
  });
});

describe('holding back', () => {
  it('emits nothing from the next message on when paused inside one, and stops reading', () => {
    const { sink, codec } = new ServerRig();
    const bytes = Buffer.concat(['a', 'b', 'c'].map((name) => call({ name })));
    sink.onEvent = () => codec.pause();
    feed(codec, bytes);
    expect(sink.heads.map((head) => head.get('method'))).toEqual(['a']);
    expect(codec.reading).toBe(false);
    expect(codec.parkedBytes).toBe((bytes.length * 2) / 3);
    codec.resume();
    codec.resume();
    expect(sink.heads.map((head) => head.get('method'))).toEqual(['a', 'b', 'c']);
    codec.resume();
    expect(codec.reading).toBe(true);
    expect(codec.parkedBytes).toBe(0);
  });

  it('goes on reading while paused with nothing parked, to hear the end', () => {
    const { codec } = new ServerRig();
    codec.pause();
    expect(codec.reading).toBe(true);
  });

  it('emits nothing into a sink that closed inside a call', () => {
    const { sink, codec } = new ServerRig();
    sink.onEvent = () => {
      sink.closed = true;
    };
    feed(codec, Buffer.concat([call(), call()]));
    feed(codec, call());
    codec.peerEnded();
    expect(sink.events).toHaveLength(1);
  });
});

describe('THeader transforms', () => {
  it('of an answer fail that call only', () => {
    const server = new ServerRig();
    const client = new ClientRig();
    feed(server.codec, Buffer.concat([call({ transport: 'theader' }), call({ transport: 'theader' })]));
    for (const [n, head] of server.sink.heads.entries()) client.codec.encode(76 + n, head);
    feed(client.codec, Buffer.concat([ZLIB_REPLY, reply({ transport: 'theader', seqid: 76 })]));
    expect(client.sink.events.map((event) => event.kind)).toEqual(['ready', 'reset', 'head']);
    expect(client.sink.events[1]).toMatchObject({ id: 77, status: { name: 'upstream_malformed' } });
    expect(client.sink.headIds).toEqual([76]);
  });
});

describe('mirrors of the same bytes', () => {
  it('survive the chunk that they came in', () => {
    for (const message of PYTHON_MESSAGES.filter(({ type }) => type === 1)) {
      const { sink, codec } = new ServerRig(message.old ? OLD : undefined);
      feed(codec, message.bytes);
      const fork = sink.heads[0]!.fork();
      expect(describeHead(fork)).toBe(describeHead(sink.heads[0]!));
    }
  });
});

/** Stock runtimes differ in what they put in THeader's own id. */
function withHeaderSeqid(bytes: Buffer, transport: ThriftTransport, seqid: number): Buffer {
  if (transport === 'theader') bytes.writeInt32BE(seqid, 8);
  return bytes;
}
