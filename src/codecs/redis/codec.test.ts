import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { benchClient, benchServer } from '../../conformance/codec-bench.ts';
import { feed, feedBytewise } from '../../conformance/feed.ts';
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { Status, type StatusName } from '../../metaprotocol/status.ts';
import { ownAnswer, type RedisRequest, type RedisResponse } from './message.ts';
import { redisFactory } from './plugin.ts';
import { commandBytes } from './wire.ts';

const command = (text: string): Buffer => commandBytes(text.split(' '));
const commands = (...texts: string[]): Buffer => Buffer.concat(texts.map(command));
const requestsOf = (bytes: Buffer, options?: unknown): RedisRequest[] => {
  const { sink, codec } = benchServer(redisFactory, options);
  feed(codec, bytes);
  return sink.heads as RedisRequest[];
};
const requestOf = (text: string): RedisRequest => requestsOf(command(text))[0]!;
const rawText = (message: { raw: Buffer | null } | null | undefined): string | undefined => message?.raw?.toString();

describe('redis, server side', () => {
  it('reads commands and their attributes', () => {
    const [get, unknown, ping] = requestsOf(commands('GET user:{7}:name', 'mod.do k1 k2', 'FLUSHALL'));
    const attributes = (request: RedisRequest) => {
      const found: Record<string, string> = {};
      request.entries((key, value) => {
        found[key] = value;
      });
      return found;
    };
    expect(attributes(get!)).toEqual({
      command: 'GET',
      key: 'user:{7}:name',
      'hash-key': '7',
      'key-count': '1',
      db: '0',
      user: '',
      'read-only': 'true',
    });
    expect([get!.replaySafe, get!.flags, get!.connectionKey]).toEqual([true, Flag.End, '']);
    expect([unknown!.get('command'), unknown!.get('key'), unknown!.replaySafe]).toEqual(['MOD.DO', 'k1', false]);
    expect([ping!.get('key'), ping!.get('key-count')]).toEqual([undefined, '0']);
  });

  it('finds the keys of every kind of command', () => {
    const keys = (text: string) => {
      const request = requestOf(text);
      return request.keyIndexes.map((index) => request.word(index).toString());
    };
    expect(keys('MSET a 1 b 2')).toEqual(['a', 'b']);
    expect(keys('BLPOP a b 0')).toEqual(['a', 'b']);
    expect(keys('BITOP AND d a b')).toEqual(['d', 'a', 'b']);
    expect(keys('EVAL script 2 a b c')).toEqual(['a', 'b']);
    expect(keys('EVAL script 99 a b')).toEqual(['a', 'b']);
    expect(keys('EVAL script x a b')).toEqual([]);
    expect(keys('ZUNIONSTORE d 2 a b WEIGHTS 1 2')).toEqual(['d', 'a', 'b']);
    expect(keys('ZUNION 2 a b')).toEqual(['a', 'b']);
    expect(keys('XREAD COUNT 1 STREAMS a b 0 0')).toEqual(['a', 'b']);
    expect(keys('XREAD')).toEqual([]);
    expect(keys('SORT a BY w_* STORE d')).toEqual(['a', 'd']);
    expect(keys('GEORADIUS a 1 2 3 m STOREDIST d')).toEqual(['a', 'd']);
    expect(keys('MIGRATE h 1 k 0 5')).toEqual(['k']);
    expect(requestsOf(commandBytes(['MIGRATE', 'h', '1', '', '0', '5', 'KEYS', 'a', 'b']))[0]!.get('key')).toBe('a');
    expect(keys('OBJECT ENCODING a')).toEqual(['a']);
    expect(keys('OBJECT HELP')).toEqual([]);
    expect(keys('XGROUP CREATE a g $')).toEqual(['a']);
    expect(keys('GET')).toEqual([]);
    expect(keys('MSETEX 2 a 1 b 2 EX 9')).toEqual(['a', 'b']);
    expect(keys('JSON.MGET a b $')).toEqual(['a', 'b']);
    expect(keys('TS.MADD a 1 2 b 1 2')).toEqual(['a', 'b']);
    expect(keys('CMS.MERGE d 2 a b')).toEqual(['d', 'a', 'b']);
  });

  it('takes no name or value for an option', () => {
    const keys = (text: string) => {
      const request = requestOf(text);
      return request.keyIndexes.map((index) => request.word(index).toString());
    };
    expect(keys('XREADGROUP GROUP STREAMS streams STREAMS a >')).toEqual(['a']);
    expect(requestOf('XREADGROUP GROUP STREAMS c BLOCK 0 STREAMS a >').flags & Flag.Bind).toBe(Flag.Bind);
    expect(keys('SORT a BY STORE GET STORE LIMIT 0 1 STORE d')).toEqual(['a', 'd']);
    expect(keys('SORT a STORE b STORE d')).toEqual(['a', 'd']);
    expect(keys('GEORADIUSBYMEMBER a STORE 3 m STOREDIST d')).toEqual(['a', 'd']);
    expect(requestsOf(commandBytes('MIGRATE h 1  0 5 AUTH2 u KEYS KEYS a b'.split(' ')))[0]!.keyIndexes.length).toBe(2);
  });

  it('answers what needs no upstream, and says QUIT', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('PING', 'PING hi', 'ECHO yo', 'RESET', 'ping a b', 'QUIT', 'GET ignored'));
    codec.resume();
    const answers = sink.heads.map((head) => rawText(head.answer));
    expect(answers).toEqual(['+PONG\r\n', '$2\r\nhi\r\n', '$2\r\nyo\r\n', '+RESET\r\n', undefined, '+OK\r\n']);
    expect(sink.events.at(-1)).toEqual({ kind: 'go-away' });
  });

  it('asks the server where the answer tells that everything pushed before has come', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('ECHO a', 'CLIENT TRACKING on', 'ECHO a', 'PING'));
    expect(sink.heads.map((head) => head.answer === null)).toEqual([false, true, true, true]);
  });

  it('reads lines of words as Redis does, and sends them as commands', () => {
    const [set, get] = requestsOf(Buffer.from("\r\nset \"a\\x41 \\n\" 'it\\'s'\r\n\r\n  GET   k \n*0\r\n*-1\r\n"));
    expect(set!.raw).toEqual(commandBytes(['set', 'aA \n', "it's"]));
    expect([set!.get('command'), set!.get('key')]).toEqual(['SET', 'aA \n']);
    expect(get!.raw).toEqual(command('GET k'));
  });

  it('keeps names and the wish for no answers to itself', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, commands('CLIENT SETNAME app', 'CLIENT GETNAME', 'CLIENT SETINFO LIB-NAME x', 'CLIENT SETNAME a\nb'));
    expect(sink.heads.map((head) => rawText(head.answer))).toEqual([
      '+OK\r\n',
      '$3\r\napp\r\n',
      '+OK\r\n',
      expect.stringContaining('-ERR Client names cannot'),
    ]);
    feed(codec, commands('CLIENT REPLY SKIP', 'GET skipped', 'GET a', 'CLIENT REPLY OFF', 'GET b', 'CLIENT REPLY ON'));
    for (const [index, head] of sink.heads.entries()) {
      if (index >= 4) codec.encode(index + 1, head.answer ?? ownAnswer(`+${head.get('key')}\r\n`), head);
    }
    expect(out.take().toString()).toBe('+a\r\n+OK\r\n');
  });

  it('answers RESET to a caller that wants no answers, as Redis does', () => {
    for (const first of ['PING', 'WATCH a']) {
      const { sink, out, codec } = benchServer(redisFactory);
      feed(codec, commands(first, 'CLIENT REPLY OFF', 'RESET'));
      const [, off, reset] = sink.heads;
      codec.encode(2, off!.answer!, off!);
      codec.encode(3, reset!.answer ?? ownAnswer('+RESET\r\n'), reset!);
      expect(out.take().toString()).toBe('+RESET\r\n');
    }
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, commands('CLIENT REPLY SKIP', 'RESET'));
    codec.encode(2, sink.heads[1]!.answer!, sink.heads[1]!);
    expect(out.take().toString()).toBe('');
  });

  it('takes an empty command for the one that SKIP is about, as Redis does', () => {
    for (const nothing of ['*0\r\n', '*-1\r\n', '\r\n', '  \r\n']) {
      const { sink, out, codec } = benchServer(redisFactory);
      feed(codec, Buffer.concat([command('CLIENT REPLY SKIP'), Buffer.from(nothing), command('GET a')]));
      codec.encode(1, sink.heads[0]!.answer!, sink.heads[0]!);
      codec.encode(2, ownAnswer('+a\r\n'), sink.heads[1]!);
      expect(out.take().toString()).toBe('+a\r\n');
    }
  });

  it('says nothing of a CLIENT REPLY ON that the server refuses', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, commands('CLIENT REPLY OFF', 'SUBSCRIBE a', 'CLIENT REPLY ON'));
    codec.encode(2, ownAnswer('+subscribed\r\n'), sink.heads[1]!);
    codec.encode(3, ownAnswer("-ERR Can't execute 'client|reply'\r\n"), sink.heads[2]!);
    expect(out.take().toString()).toBe('+subscribed\r\n');
  });

  it('ends a connection that wants no answers without one', () => {
    for (const mode of ['OFF', 'SKIP']) {
      for (const last of ['QUIT\r\n', '*1\r\n+x\r\n']) {
        const { sink, out, codec } = benchServer(redisFactory);
        feed(codec, Buffer.concat([command(`CLIENT REPLY ${mode}`), Buffer.from(last)]));
        codec.encode(2, sink.heads[1]!.answer!, sink.heads[1]!);
        expect([out.take().toString(), sink.events.at(-1)!.kind]).toEqual(['', 'go-away']);
      }
    }
  });

  it('never has an upstream fall silent: CLIENT REPLY of who may be a subscriber is asked in a form that is answered', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, commands('SUBSCRIBE a', 'UNSUBSCRIBE a', 'CLIENT REPLY OFF', 'GET a'));
    const asked = sink.heads[2] as RedisRequest;
    expect([sink.heads.length, asked.raw]).toEqual([3, command('CLIENT REPLY ON')]);
    codec.encode(1, ownAnswer('+subscribed\r\n'), sink.heads[0]!);
    codec.encode(2, ownAnswer('+unsubscribed\r\n', Flag.End | Flag.Unbind), sink.heads[1]!);
    codec.encode(3, ownAnswer('+OK\r\n'), asked);
    codec.resume();
    codec.encode(4, ownAnswer('+a\r\n'), sink.heads[3]!);
    feed(codec, commands('CLIENT REPLY ON'));
    codec.encode(5, sink.heads[4]!.answer!, sink.heads[4]!);
    expect(out.take().toString()).toBe('+subscribed\r\n+unsubscribed\r\n+OK\r\n');
    // A subscriber is refused, and nothing changed.
    const refusal = "-ERR Can't execute 'client|reply'\r\n";
    const refused = benchServer(redisFactory);
    feed(refused.codec, commands('SUBSCRIBE a', 'CLIENT REPLY SKIP', 'PING'));
    refused.codec.encode(1, ownAnswer(''), refused.sink.heads[0]!);
    refused.codec.encode(2, ownAnswer(refusal), refused.sink.heads[1]!);
    refused.codec.resume();
    refused.codec.encode(3, ownAnswer('+PONG\r\n'), refused.sink.heads[2]!);
    expect(refused.out.take().toString()).toBe(`${refusal}+PONG\r\n`);
  });

  it('binds what lives in its connection, until it is clean again', () => {
    const flagsOf = (...texts: string[]) => requestsOf(commands(...texts)).map((head) => head.flags & ~Flag.End);
    const { Bind, Unbind } = Flag;
    expect(flagsOf('WATCH a', 'GET a', 'UNWATCH', 'UNWATCH')).toEqual([Bind, 0, Unbind, 0]);
    expect(flagsOf('WATCH a', 'MULTI', 'SET a 1', 'EXEC')).toEqual([Bind, Bind, 0, Unbind]);
    expect(flagsOf('SUBSCRIBE a', 'GET a', 'UNSUBSCRIBE a')).toEqual([Bind, 0, 0]);
    expect(flagsOf('BLPOP a 0', 'EVAL x 0', 'XREAD BLOCK 0 STREAMS a 0', 'XREAD STREAMS a 0')).toEqual([
      Bind | Unbind,
      Bind | Unbind,
      Bind | Unbind,
      0,
    ]);
    expect(flagsOf('MONITOR', 'BLPOP a 0', 'RESET')).toEqual([Bind, 0, Unbind | Flag.Hold]);
    expect(flagsOf('CLIENT TRACKING on', 'MULTI', 'EXEC')).toEqual([Bind, Bind, 0]);
    expect(flagsOf('SYNC')).toEqual([Bind | Flag.Tunnel | Flag.Hold]);
    expect(flagsOf('WATCH', 'SUBSCRIBE', 'SSUBSCRIBE')).toEqual([0, 0, 0]);
  });

  it('leaves what a subscriber of RESP2 may say to the server, and believes a MULTI there only when it was answered', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('SUBSCRIBE a', 'ECHO x', 'CLIENT SETNAME n', 'MULTI', 'HELLO 3'));
    expect(sink.heads.map((head) => [head.get('command'), head.answer])).toEqual([
      ['SUBSCRIBE', null],
      ['ECHO', null],
      ['CLIENT', null],
      ['MULTI', null],
    ]);
    const [subscribe, , , multi] = sink.heads as RedisRequest[];
    expect(multi!.flags & (Flag.Bind | Flag.Hold)).toBe(Flag.Bind | Flag.Hold);
    codec.encode(1, ownAnswer('*3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n'), subscribe!);
    codec.encode(4, ownAnswer("-ERR Can't execute 'multi'\r\n"), multi!);
    codec.resume();
    // Not one of a transaction.
    expect(sink.heads[4]!.get('command')).toBe('HELLO');
    expect(sink.heads[4]!.answer).toBeNull();
  });

  it('sends no words of HTTP upstream: Redis would close a connection that others share', () => {
    for (const text of ['POST / HTTP/1.1\r\n', 'Host: a\r\n', '*1\r\n$5\r\nhost:\r\n']) {
      const { sink, codec } = benchServer(redisFactory);
      feed(codec, Buffer.concat([command('GET a'), Buffer.from(text), command('GET b')]));
      expect(sink.heads.map((head) => rawText(head.answer))).toEqual([
        undefined,
        '-ERR Protocol error: HTTP is not spoken here\r\n',
      ]);
      expect(sink.goAwayReason?.detail).toMatch(/^redis: (POST|HOST:) is a word of HTTP$/);
    }
  });

  it('holds what follows SELECT, and believes it only when it was answered', () => {
    const { sink, codec } = benchServer(redisFactory, { heldLimitBytes: 30 });
    feed(codec, commands('SELECT 3', 'GET a', 'SELECT 3', 'SELECT x'));
    expect(sink.headIds).toEqual([1]);
    expect(sink.heads[0]!.flags).toBe(Flag.End | Flag.Hold);
    expect(codec.reading).toBe(false);
    codec.encode(1, ownAnswer('+OK\r\n'), sink.heads[0]!);
    codec.resume();
    expect(codec.reading).toBe(true);
    const keys = new Set(sink.heads.map((head) => head.connectionKey));
    expect(sink.headIds).toEqual([1, 2, 3, 4]);
    expect([keys.size, sink.heads[1]!.get('db')]).toEqual([1, '3']);
    const failed = benchServer(redisFactory);
    feed(failed.codec, commands('SELECT 99', 'GET a'));
    failed.codec.encode(1, ownAnswer('-ERR DB index is out of range\r\n'), failed.sink.heads[0]!);
    failed.codec.resume();
    expect(failed.sink.heads[1]!.connectionKey).toBe('');
  });

  it('answers HELLO and SELECT where no route takes what has no key, and believes them', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    for (const [text, answer] of [
      ['HELLO 3 SETNAME app', /^%7\r\n\$6\r\nserver\r\n.*proto\r\n:3\r\n.*\*0\r\n$/s],
      ['SELECT 5', /^\+OK\r\n$/],
      ['AUTH bob pw', /^-ERR no_route/],
    ] as const) {
      feed(codec, command(text));
      const head = sink.heads.at(-1)!;
      codec.encode(sink.headIds.at(-1)!, codec.reply(Status.no_route, head), head);
      codec.resume();
      expect(out.take().toString()).toMatch(answer);
    }
    feed(codec, command('GET a'));
    const get = sink.heads.at(-1) as RedisRequest;
    expect(get.state).toMatchObject({ resp: 3, database: 5, user: '' });
    feed(codec, command('HELLO 2 AUTH bob pw'));
    expect(codec.reply(Status.no_route, sink.heads.at(-1)!).outcome!.ok).toBe(false);
  });

  it('sends HELLO without what is kept here, and AUTH to be checked upstream', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('HELLO 3 AUTH joe secret SETNAME app'));
    const hello = sink.heads[0] as RedisRequest;
    expect(hello.raw).toEqual(command('HELLO 3 AUTH joe secret'));
    expect(hello.get('command')).toBe('HELLO');
    codec.encode(1, ownAnswer('%0\r\n'), hello);
    codec.resume();
    feed(codec, commands('CLIENT GETNAME', 'GET a', 'AUTH other pw'));
    expect(rawText(sink.heads[1]!.answer)).toBe('$3\r\napp\r\n');
    expect([sink.heads[2]!.get('user'), sink.heads[2]!.connectionKey]).toEqual(['joe', hello.connectionKey]);
    expect(sink.heads[3]!.connectionKey).not.toBe(hello.connectionKey);
    for (const [text, error] of [
      ['HELLO 4', 'NOPROTO'],
      ['HELLO x', 'Protocol version is not an integer'],
      ['HELLO 3 AUTH joe', 'Syntax error in HELLO'],
    ] as const) {
      expect(rawText(requestOf(text).answer)).toContain(error);
    }
  });

  it('asks callers for the password itself where it has one, under small limits until then', () => {
    const options = { downstreamPassword: 'secret' };
    const { sink, codec } = benchServer(redisFactory, options);
    feed(codec, commands('GET a', 'AUTH wrong', 'AUTH joe secret', 'HELLO 3', 'AUTH secret', 'GET a'));
    expect(sink.heads.map((head) => rawText(head.answer)?.split(' ', 1)[0])).toEqual([
      '-NOAUTH',
      '-WRONGPASS',
      '-WRONGPASS',
      '-NOAUTH',
      '+OK\r\n',
      undefined,
    ]);
    expect(sink.heads[5]!.connectionKey).toBe('');
    for (const text of ['*11\r\n', '*2\r\n$16385\r\n']) {
      const stranger = benchServer(redisFactory, options);
      feed(stranger.codec, Buffer.from(text));
      expect(rawText(stranger.sink.heads[0]!.answer)).toContain('-ERR Protocol error: unauthenticated');
      expect(stranger.sink.goneAway).toBe(true);
    }
    const named = benchServer(redisFactory, { ...options, downstreamUsername: 'joe' });
    feed(named.codec, commands('AUTH secret', 'HELLO 2 AUTH joe secret'));
    expect(named.sink.heads.map((head) => rawText(head.answer)?.slice(0, 10))).toEqual(['-WRONGPASS', undefined]);
    // Not on the caller's own connection either: the password is the proxy's.
    const bound = benchServer(redisFactory, options);
    feed(bound.codec, commands('AUTH secret', 'WATCH a', 'HELLO 3 AUTH default secret'));
    expect(bound.sink.heads[2]!.raw).toEqual(command('HELLO 3'));
  });

  it('gives up what blocks when its caller goes', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('GET a', 'BLPOP l 0'));
    codec.peerEnded();
    expect(sink.events.at(-1)).toEqual({ kind: 'reset', id: 2, status: Status.downstream_reset });
  });

  it('passes a replication stream in both directions', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, command('SYNC'));
    codec.encode(1, ownAnswer('', Flag.Tunnel), sink.heads[0]!);
    codec.resume();
    expect(codec.data(1, Buffer.from('$3\r\nrdb'), false, true)).toBe(true);
    feed(codec, Buffer.from('anything'));
    codec.peerEnded();
    expect(out.take().toString()).toBe('$3\r\nrdb');
    expect(sink.dataOf(1).toString()).toBe('anything');
    expect(sink.events.at(-1)).toMatchObject({ kind: 'data', end: true });
  });

  it('holds nobody back for the answers of a run: others share their connection', () => {
    const { sink, out, codec } = benchServer(redisFactory);
    feed(codec, command('GET a'));
    out.highWaterBytes = 1;
    codec.encode(1, ownAnswer('+a\r\n', 0), sink.heads[0]!);
    expect(codec.data(1, Buffer.from('+b\r\n'), true, true)).toBe(true);
    const { length } = sink.events;
    out.take();
    codec.room();
    expect(sink.events.length).toBe(length);
    // Nor does their credit count for a stream that comes later.
    const upstream = benchClient(redisFactory);
    upstream.codec.credit(1, 1_000_000);
    upstream.codec.encode(2, requestOf('SYNC'));
    feed(upstream.codec, Buffer.alloc(300_000, '$'));
    expect(upstream.codec.reading).toBe(false);
    upstream.codec.credit(2, 300_000);
    expect(upstream.codec.reading).toBe(true);
  });

  it('says every ProxyStatus in a way that its own client side reads', () => {
    for (const name of Object.keys(Status) as StatusName[]) {
      const { sink, out, codec } = benchServer(redisFactory);
      feed(codec, command('GET k'));
      codec.encode(1, codec.reply({ ...Status[name], detail: 'two\r\nlines' }, null), sink.heads[0]!);
      const caller = benchClient(redisFactory);
      caller.codec.encode(1, requestOf('GET k'));
      feed(caller.codec, out.take());
      const [answer] = caller.sink.heads as RedisResponse[];
      expect(answer!.outcome.ok).toBe(false);
      expect(answer!.errorText).toContain(`${name}: two lines`);
    }
  });

  it('gives the same events for any split of the bytes', () => {
    const bytes = Buffer.concat([
      commands('SET a 1', 'MGET a b', 'PING'),
      Buffer.from('get "quoted \\x41"\r\n*0\r\n'),
      commandBytes(['SET', 'bin', Buffer.from([0, 13, 10, 255])]),
      commands('EVAL x 0', 'QUIT'),
    ]);
    const rawsOf = (sink: { heads: { raw: Buffer | null }[] }) => sink.heads.map((head) => head.raw!.toString('hex'));
    const bytewise = benchServer(redisFactory);
    feedBytewise(bytewise.codec, bytes);
    expect(rawsOf(bytewise.sink).length).toBe(7);
    for (let at = 1; at < bytes.length; at++) {
      const split = benchServer(redisFactory);
      feed(split.codec, bytes, [at]);
      expect(rawsOf(split.sink)).toEqual(rawsOf(bytewise.sink));
    }
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 20 })), (sizes) => {
        const split = benchServer(redisFactory);
        feed(split.codec, bytes, sizes);
        expect(rawsOf(split.sink)).toEqual(rawsOf(bytewise.sink));
      }),
    );
  });
});

describe('redis, client side', () => {
  it('brings the connection into the state of its key before it is ready', () => {
    const { sink: server, codec: asked } = benchServer(redisFactory);
    feed(asked, command('HELLO 3 AUTH joe secret'));
    const { sink, out, codec } = benchClient(redisFactory, undefined, server.heads[0]!.connectionKey);
    expect(out.take()).toEqual(command('HELLO 3 AUTH joe secret'));
    expect(sink.events).toEqual([]);
    feed(codec, Buffer.from('%1\r\n+proto\r\n:3\r\n'));
    expect(sink.events).toMatchObject([{ kind: 'ready' }]);
  });

  it('uses the credentials of the cluster where the caller said none', () => {
    const options = { upstreamUsername: 'mesh', upstreamPassword: 'pw' };
    expect(benchClient(redisFactory, options).out.take()).toEqual(command('AUTH mesh pw'));
    expect(benchClient(redisFactory, options, '3/2/').out.take()).toEqual(commands('HELLO 3 AUTH mesh pw', 'SELECT 2'));
    expect(benchClient(redisFactory, { upstreamPassword: 'pw' }).out.take()).toEqual(command('AUTH pw'));
  });

  it("hands a refused handshake to the caller in the server's words", () => {
    const { sink, codec } = benchClient(redisFactory, undefined, '2/99/');
    feed(codec, Buffer.from('-ERR DB index is out of range\r\n'));
    expect(sink.error!.name).toBe('denied');
    const { codec: server } = benchServer(redisFactory);
    expect(rawText(server.reply(sink.error!, null))).toBe('-ERR DB index is out of range\r\n');
  });

  it('pairs answers in order, owes what was given up, swallows those of its own commands', () => {
    const { sink, out, codec } = benchClient(redisFactory);
    const [, set, get] = requestsOf(commands('MULTI', 'SET a 1', 'GET b'));
    codec.encode(1, set!);
    codec.encode(2, get!);
    expect(out.take()).toEqual(commands('MULTI', 'SET a 1', 'GET b'));
    expect(codec.reset(2, Status.timeout)).toBe(Reset.Owed);
    feed(codec, Buffer.from('+OK\r\n+QUEUED\r\n+QUEUED2\r\n'));
    expect(sink.headIds).toEqual([1, 2]);
    expect(codec.reset(2, Status.timeout)).toBe(Reset.Done);
    codec.keepalive();
    feed(codec, Buffer.from('+PONG\r\n'));
    expect(sink.heads.length).toBe(2);
  });

  it('does not let a transaction run open', () => {
    const { sink, codec } = benchClient(redisFactory);
    codec.encode(1, requestsOf(commands('MULTI', 'SET a 1'))[1]!);
    feed(codec, Buffer.from('-NOPERM no\r\n+OK\r\n'));
    expect(sink.error).toMatchObject({ name: 'upstream_malformed' });
    expect(sink.heads).toEqual([]);
  });

  it('closes rather than lose what a blocking command takes', () => {
    const { codec } = benchClient(redisFactory);
    codec.encode(1, requestOf('BLPOP a 0'));
    expect(codec.reset(1, Status.timeout)).toBe(Reset.Close);
  });

  it('takes a connection that was told something else out of the pool before its last answer', () => {
    const { sink, codec } = benchClient(redisFactory);
    const [select] = requestsOf(command('SELECT 3'));
    codec.encode(1, select!);
    feed(codec, Buffer.from('+OK\r\n'));
    expect(sink.events.map((event) => event.kind)).toEqual(['ready', 'go-away', 'head']);
  });

  it.each(['*', '>'])('counts confirmations that begin with %s, and passes messages between them', (sign) => {
    const { sink, codec } = benchClient(redisFactory);
    const confirm = (kind: string, channel: string | null, count: number) =>
      `${sign}3\r\n$${kind.length}\r\n${kind}\r\n${channel === null ? '$-1' : `$${channel.length}\r\n${channel}`}\r\n:${count}\r\n`;
    const message = `${sign}3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n`;
    const [subscribe, unsubscribe, again, get] = requestsOf(
      commands('SUBSCRIBE a b', 'UNSUBSCRIBE', 'UNSUBSCRIBE', 'GET k'),
    );
    [subscribe!, unsubscribe!, again!, get!].forEach((request, index) => {
      codec.encode(index + 1, request);
    });
    feed(codec, Buffer.from(confirm('subscribe', 'a', 1) + message + confirm('subscribe', 'b', 2)));
    feed(codec, Buffer.from(confirm('unsubscribe', 'b', 1) + confirm('unsubscribe', 'a', 0)));
    feed(codec, Buffer.from(`${confirm('unsubscribe', null, 0)}$1\r\nv\r\n`));
    const { End, Informational, Unsolicited, Unbind } = Flag;
    expect(sink.heads.map((head, index) => [sink.headIds[index], head.flags])).toEqual([
      [1, Informational],
      [0, End | Unsolicited],
      [1, End],
      [2, Informational],
      [2, End | Unbind],
      [3, End | Unbind],
      [4, End],
    ]);
  });

  it('ends the binding of a SUBSCRIBE that failed', () => {
    const { sink, codec } = benchClient(redisFactory);
    codec.encode(1, requestOf('SUBSCRIBE a'));
    feed(codec, Buffer.from('-NOPERM no\r\n'));
    expect(sink.heads[0]!.flags).toBe(Flag.End | Flag.Unbind);
  });

  it('tells lines of MONITOR from answers', () => {
    const { sink, codec } = benchClient(redisFactory);
    codec.encode(1, requestOf('MONITOR'));
    codec.encode(2, requestOf('GET a'));
    feed(codec, Buffer.from('+OK\r\n+1700000000.123456 [0 127.0.0.1:1] "GET" "a"\r\n+v\r\n'));
    expect(sink.headIds).toEqual([1, 0, 2]);
  });

  it('passes a replication stream, or the error instead of it', () => {
    const { sink, codec } = benchClient(redisFactory);
    codec.encode(1, requestOf('PSYNC ? -1'));
    feed(codec, Buffer.from('+FULLRESYNC x 0\r\n$3\r\nabc*1\r\n'));
    expect(sink.heads[0]!.flags).toBe(Flag.Tunnel);
    expect(sink.dataOf(1).toString()).toBe('+FULLRESYNC x 0\r\n$3\r\nabc*1\r\n');
    expect(codec.reset(1, Status.downstream_reset)).toBe(Reset.Close);
    const refused = benchClient(redisFactory);
    refused.codec.encode(1, requestOf('SYNC'));
    feed(refused.codec, Buffer.from('-ERR no\r\n'));
    expect(refused.sink.heads[0]!.flags).toBe(Flag.End);
  });

  it('fails on answers that nobody asked for, and on an end with answers owed', () => {
    const surplus = benchClient(redisFactory);
    feed(surplus.codec, Buffer.from('-ERR max number of clients reached\r\n'));
    expect(surplus.sink.error).toMatchObject({ name: 'upstream_reset' });
    const owing = benchClient(redisFactory);
    owing.codec.encode(1, requestOf('GET k'));
    owing.codec.peerEnded();
    expect(owing.sink.error).toMatchObject({ name: 'upstream_reset' });
    const idle = benchClient(redisFactory);
    idle.codec.peerEnded();
    expect([idle.sink.goneAway, idle.sink.error]).toEqual([true, null]);
  });

  it('reads every type of value, whatever the split', () => {
    const values = [
      '+OK\r\n',
      '-ERR x\r\n',
      ':-7\r\n',
      '$-1\r\n',
      '$0\r\n\r\n',
      '$4\r\na\r\nb\r\n',
      '*-1\r\n',
      '*0\r\n',
      '*2\r\n*1\r\n:1\r\n$1\r\nx\r\n',
      '_\r\n',
      '#t\r\n',
      ',1.5\r\n',
      '(123456789012345678901234567890\r\n',
      '!5\r\nERR x\r\n',
      '=6\r\ntxt:hi\r\n',
      '%1\r\n+k\r\n*0\r\n',
      '~2\r\n:1\r\n:2\r\n',
      '|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n',
      '*2\r\n|1\r\n+a\r\n+b\r\n:1\r\n:2\r\n',
      '|0\r\n:1\r\n',
      '$?\r\n;2\r\nab\r\n;1\r\nc\r\n;0\r\n',
      '*?\r\n:1\r\n*?\r\n.\r\n.\r\n',
    ];
    const bytes = Buffer.from(values.join(''));
    const read = (sizes: number[]) => {
      const { sink, codec } = benchClient(redisFactory);
      values.forEach((_, index) => {
        codec.encode(index + 1, requestOf('GET k'));
      });
      feed(codec, bytes, sizes);
      return sink.heads.map((head) => head.raw!.toString());
    };
    expect(read([])).toEqual(values);
    expect(read(new Array(bytes.length).fill(1))).toEqual(values);
    for (let at = 1; at < bytes.length; at++) expect(read([at])).toEqual(values);
  });
});
