/** MULTI … EXEC on the callers' side: what is sent, what is answered here, and what breaks. */
import { describe, expect, it } from 'vitest';
import { benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { RedisRequest } from './message.ts';
import { redisFactory } from './plugin.ts';
import { commandBytes } from './wire.ts';

const command = (text: string): Buffer => commandBytes(text.split(' '));
const commands = (...texts: string[]): Buffer => Buffer.concat(texts.map(command));
const rawText = (message: { raw: Buffer | null } | null | undefined): string | undefined => message?.raw?.toString();
const ABORTED = '-EXECABORT Transaction discarded because of previous errors.\r\n';

function session(...texts: string[]) {
  const { sink, codec } = benchServer(redisFactory);
  const heads = () => sink.heads as RedisRequest[];
  feed(codec, commands(...texts));
  return {
    at: (index: number): RedisRequest => heads().at(index)!,
    /** The answer to the last command, or the one at `index`, that got none from a server. */
    fail: (status = Status.no_route, index = -1) => rawText(codec.reply(status, heads().at(index)!)),
    /** The proxy's own answer to each, or what is sent. */
    say: (...more: string[]) => {
      const from = heads().length;
      feed(codec, commands(...more));
      // Whatever held it is over.
      codec.resume();
      return heads()
        .slice(from)
        .map((head) => rawText(head.answer) ?? rawText(head));
    },
  };
}

describe('redis transactions', () => {
  it('sends MULTI with the first command behind it', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('MULTI', 'SET a 1', 'GET b', 'EXEC', 'MULTI', 'EXEC', 'EXEC', 'MULTI', 'DISCARD'));
    const heads = sink.heads as RedisRequest[];
    expect(heads.map((head) => rawText(head.answer) ?? head.flags)).toEqual([
      '+OK\r\n',
      Flag.End | Flag.Bind,
      Flag.End,
      Flag.End | Flag.Unbind,
      '+OK\r\n',
      '*0\r\n',
      Flag.End,
      '+OK\r\n',
      '+OK\r\n',
    ]);
    expect(heads[1]!.extra!.prefix).toEqual(command('MULTI'));
    // A command without a key goes where the transaction is.
    expect(heads[3]!.get('key')).toBe('a');
    expect(heads[1]!.replaySafe || heads[2]!.replaySafe).toBe(false);
  });

  it('aborts a transaction that it could not take in whole', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('MULTI', 'SET a 1', 'SUBSCRIBE c', 'EXEC'));
    const heads = sink.heads as RedisRequest[];
    expect(rawText(heads[2]!.answer)).toContain('-ERR SUBSCRIBE inside MULTI');
    expect(heads[3]!.raw).toEqual(command('DISCARD'));
    expect(rawText(heads[3]!.extra!.substitute)).toContain('-EXECABORT');
  });

  it('aborts a transaction of which a command got lost', () => {
    const { sink, codec } = benchServer(redisFactory);
    feed(codec, commands('MULTI', 'SET a 1', 'SET b 1'));
    codec.reply(Status.unsupported, sink.heads[2]!);
    feed(codec, commands('EXEC', 'MULTI', 'SET a 1', 'EXEC'));
    expect((sink.heads as RedisRequest[]).map((head) => rawText(head.extra?.substitute) !== undefined)).toEqual([
      ...[false, false, false, true],
      ...[false, false, false],
    ]);
    // What follows its first command is never sent outside of it.
    expect((sink.heads as RedisRequest[]).map((head) => head.needsBinding)).toEqual([
      ...[false, false, true, true],
      ...[false, false, true],
    ]);
  });

  it('takes a transaction for no read: all of it goes one way, to mirrors too', () => {
    const caller = session('GET a', 'MULTI', 'GET a', 'GET a');
    expect([0, 1, 2, 3].map((index) => caller.at(index).get('read-only'))).toEqual(['true', 'false', 'false', 'false']);
  });

  it('answers the rest of a transaction whose first command reached nobody, as Redis does behind an error', () => {
    const first = () => {
      const caller = session('MULTI', 'SET a 1');
      expect(caller.fail()).toContain('-ERR no_route');
      return caller;
    };
    expect(first().say('SET b 1', 'EXEC', 'PING')).toEqual(['+QUEUED\r\n', ABORTED, '+PONG\r\n']);
    expect(first().say('DISCARD', 'PING')).toEqual(['+OK\r\n', '+PONG\r\n']);
    expect(first().say('RESET', 'PING')).toEqual(['+RESET\r\n', '+PONG\r\n']);
    // The next one is a new one.
    const caller = first();
    caller.say('EXEC', 'MULTI', 'SET b 1');
    expect(caller.at(-1).extra!.prefix).toEqual(command('MULTI'));
  });

  it('aborts a transaction that was lost when all of it was on its way', () => {
    const caller = session('MULTI', 'SET a 1', 'SET b 1', 'EXEC');
    expect(caller.fail(Status.connect_failure, 1)).toContain('-ERR connect_failure');
    expect(caller.fail(Status.upstream_reset, 2)).toContain('-ERR upstream_reset');
    expect(caller.fail(Status.upstream_reset, 3)).toBe(ABORTED);
    // EXEC alone: whether it ran nobody knows.
    const ran = session('MULTI', 'SET a 1', 'EXEC');
    expect(ran.fail(Status.upstream_reset, 2)).toContain('-ERR upstream_reset');
  });

  it('answers what ends a transaction or a binding even where no server does', () => {
    for (const [ending, answer] of [
      ['EXEC', ABORTED],
      ['DISCARD', '+OK\r\n'],
    ] as const) {
      const caller = session('MULTI', 'SET a 1', 'SET b 1');
      caller.fail(Status.unsupported);
      caller.say(ending);
      expect(caller.at(-1).raw).toEqual(command('DISCARD'));
      expect(caller.fail(Status.upstream_reset)).toBe(answer);
    }
    const caller = session('WATCH a', 'RESET');
    expect(caller.at(1).needsBinding).toBe(true);
    expect(caller.fail(Status.upstream_reset)).toBe('+RESET\r\n');
  });

  it('holds what follows RESET until all before it is answered, or it would be said in the state of their connection', () => {
    for (const before of [['EVAL x 0'], ['MULTI', 'SET a 1', 'EXEC'], ['WATCH a', 'UNWATCH'], ['WATCH a'], ['GET a']]) {
      expect(session(...before, 'RESET', 'GET b').at(-1).flags & Flag.Hold).toBe(Flag.Hold);
    }
  });

  it('has nothing bound for a command that reached nobody', () => {
    const noName = '$-1\r\n';
    for (const text of ['WATCH a', 'SUBSCRIBE a', 'MONITOR', 'CLIENT ID']) {
      const caller = session(text);
      caller.fail();
      expect(caller.say('PING', 'CLIENT GETNAME', 'MULTI')).toEqual(['+PONG\r\n', noName, '+OK\r\n']);
    }
    // What was bound before stays so.
    const bound = session('WATCH a', 'WATCH b');
    bound.fail(Status.unsupported);
    bound.say('UNWATCH');
    expect([bound.at(-1).flags, bound.at(-1).get('key')]).toEqual([Flag.End | Flag.Unbind, 'a']);
    // A MULTI that failed has begun nothing.
    const watched = session('WATCH a', 'MULTI');
    watched.fail(Status.fault);
    watched.say('SET a 1');
    expect(watched.at(-1).extra?.transaction).toBeUndefined();
  });
});
