import { describe, expect, it } from 'vitest';
import { benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import { RecordingOutput } from '../../conformance/recording-output.ts';
import { ownAnswer, type RedisRequest } from './message.ts';
import { redisFactory } from './plugin.ts';
import { commandBytes } from './wire.ts';

const requestOf = (...words: (string | Buffer)[]): RedisRequest => {
  const { sink, codec } = benchServer(redisFactory);
  feed(codec, commandBytes(words));
  return sink.heads[0] as RedisRequest;
};
const written = (request: RedisRequest): Buffer => {
  const out = new RecordingOutput();
  request.writeTo(out);
  return out.take();
};
/** Keys that begin alike belong to one endpoint. */
const byFirstLetter = (key: string): number => key.charCodeAt(0);

describe('redis requests', () => {
  it('are written byte for byte unless a key was changed, and then differ in that key only', () => {
    const value = Buffer.from([0, 255, 13, 10]);
    const set = requestOf('SET', 'a', value, 'EX', '10');
    const fork = set.fork();
    expect([set.set('key', 'longer:a'), set.set('command', 'DEL'), set.remove('key')]).toEqual([true, false, false]);
    expect([set.get('key'), fork.get('key')]).toEqual(['longer:a', 'a']);
    expect(written(set)).toEqual(commandBytes(['SET', 'longer:a', value, 'EX', '10']));
    expect(written(fork)).toEqual(set.raw);
    expect(requestOf('MGET', 'a', 'b').set('key', 'c')).toBe(false);
    expect(requestOf('FLUSHALL').set('key', 'c')).toBe(false);
  });

  it('that became a run are replayed only if each of them may be, and a fork is the same run', () => {
    const { sink, codec } = benchServer(redisFactory);
    const bytes = Buffer.concat(['GET', 'GET', 'SET'].map((name) => commandBytes([name, 'a'])));
    feed(codec, bytes);
    const [first, second, write] = sink.heads as RedisRequest[];
    const joined = second!.raw;
    first!.join(second!);
    expect([first!.replaySafe, first!.fork().replaySafe, first!.run!.calls]).toEqual([true, true, 2]);
    expect(written(first!)).toEqual(Buffer.concat([commandBytes(['GET', 'a']), joined!]));
    first!.join(write!);
    const fork = first!.fork();
    expect([first!.replaySafe, fork.replaySafe, fork.run === first!.run]).toEqual([false, false, true]);
    expect(written(fork)).toEqual(bytes);
    expect(fork.split(byFirstLetter)).toBeNull();
  });

  it('tell how their key begins without its text, where it stands as it came', () => {
    const set = requestOf('SET', 'user:1', 'x');
    expect(['', 'user:', 'user:1', 'user:12', 'x'].map((prefix) => set.beginsWith('key', prefix))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    // Text beyond ASCII, a key that was read or edited, and keys that stand elsewhere are left to `get`.
    expect(set.beginsWith('key', 'é')).toBeNull();
    set.set('key', 'other');
    expect(set.beginsWith('key', 'user:')).toBeNull();
    expect(requestOf('EVAL', 'return 1', '1', 'a').beginsWith('key', 'a')).toBeNull();
    expect(requestOf('SET', 'a', 'b').beginsWith('command', 'S')).toBeNull();
  });

  it('lose a prefix of every key that has it', () => {
    const mset = requestOf('MSET', 'p:a', 'p:1', 'q:b', '2', 'p:', '3');
    mset.stripPrefix(Buffer.from('p:'), false);
    expect(written(mset)).toEqual(commandBytes(['MSET', 'a', 'p:1', 'q:b', '2', '', '3']));
    mset.stripPrefix(Buffer.from('Q:'), true);
    expect(mset.word(3).toString()).toBe('b');
    const evaluated = requestOf('EVAL', 'return 1', '1', 'p:a', 'p:b');
    evaluated.stripPrefix(Buffer.from('p:'), false);
    expect(written(evaluated)).toEqual(commandBytes(['EVAL', 'return 1', '1', 'a', 'p:b']));
  });

  it.each([
    'COPY p:a p:b DB p:1',
    'SORT p:a BY p:w* LIMIT 0 1 GET p:# STORE p:d',
    'FCALL f 1 p:a p:x',
    'XREADGROUP GROUP p:g p:c COUNT 1 BLOCK 0 STREAMS p:a p:b > >',
    'ZUNIONSTORE p:d 2 p:a p:b WEIGHTS 1 2',
    'OBJECT ENCODING p:a',
    'MEMORY USAGE p:a SAMPLES 1',
    'BITOP AND p:d p:a p:b',
    'GEORADIUS p:a 1 2 3 m STORE p:d',
    'GEORADIUSBYMEMBER p:a p:m 3 m STOREDIST p:d',
    'MIGRATE h 1 p:a 0 5 COPY',
    'SINTERCARD 2 p:a p:b LIMIT 1',
    'LMPOP 2 p:a p:b LEFT',
    'BLMPOP 0 2 p:a p:b LEFT',
    'BLPOP p:a p:b 0',
    'RENAME p:a p:b',
    'MSETEX 2 p:a p:1 p:b p:2 EX 9',
    'XGROUP CREATE p:a p:g $',
    'PFMERGE p:d p:a',
    'SMOVE p:a p:b p:m',
    'LMOVE p:a p:b LEFT RIGHT',
    'SINTERSTORE p:d p:a p:b',
    'ZADD p:a 1 p:m',
    'SOMETHING.NEW p:a p:x',
    'PUBLISH p:ch p:m',
    // Messages tell the names of shard channels again.
    'SPUBLISH p:ch p:m',
    'SSUBSCRIBE p:ch',
  ])('lose a prefix of keys and of nothing else: %s', (text) => {
    const request = requestOf(...text.split(' '));
    request.stripPrefix(Buffer.from('p:'), false);
    const keys = request.command.channels ? [] : request.keyIndexes;
    const stripped = text.split(' ').map((word, index) => (keys.includes(index) ? word.slice(2) : word));
    expect(written(request)).toEqual(commandBytes(stripped));
    expect(stripped.join(' ')).not.toMatch(/p:[abd]\b/);
  });

  it('go out by reference where they are large and their own', () => {
    const large = requestOf('SET', 'a', Buffer.alloc(100_000, 7));
    expect(written(large)).toEqual(commandBytes(['SET', 'a', Buffer.alloc(100_000, 7)]));
  });

  it('show routes each of their keys', () => {
    expect(requestOf('GET', 'a').routeVariants()).toBeNull();
    expect(requestOf('MGET', 'a').routeVariants()).toBeNull();
    expect(requestOf('PING', 'a').routeVariants()).toBeNull();
    const seen = (...words: string[]) =>
      requestOf(...words)
        .routeVariants()!
        .map((variant) => variant.get('key'));
    expect(seen('MGET', 'a', 'b', 'c')).toEqual(['b', 'c']);
    expect(seen('RENAME', 'a', 'b')).toEqual(['b']);
    expect(seen('EVAL', 'x', '2', 'a', 'b')).toEqual(['b']);
  });
});

describe('split requests', () => {
  it('ask each endpoint for its keys and join the values in the order of the command', () => {
    const split = requestOf('MGET', 'a1', 'b1', 'a2', 'x{b}').split(byFirstLetter)!;
    expect(split.parts.map((part) => part.request.raw)).toEqual([
      commandBytes(['MGET', 'a1', 'a2']),
      commandBytes(['MGET', 'b1', 'x{b}']),
    ]);
    expect(split.parts.map((part) => part.request.get('key'))).toEqual(['a1', 'b1']);
    const joined = split.merge([ownAnswer('*2\r\n$1\r\n1\r\n$-1\r\n'), ownAnswer('*2\r\n$2\r\n22\r\n_\r\n')]);
    expect(joined.raw!.toString()).toBe('*4\r\n$1\r\n1\r\n$2\r\n22\r\n$-1\r\n_\r\n');
    const half = split.merge([ownAnswer('-ERR gone\r\n'), ownAnswer('*2\r\n$2\r\n22\r\n_\r\n')]);
    expect(half.raw!.toString()).toBe('*4\r\n-ERR gone\r\n$2\r\n22\r\n-ERR gone\r\n_\r\n');
  });

  it('add up counts, and say OK when all are', () => {
    const del = requestOf('DEL', 'a', 'b', 'c').split(byFirstLetter)!;
    expect(del.merge([':1', ':0', ':1'].map((text) => ownAnswer(`${text}\r\n`))).raw!.toString()).toBe(':2\r\n');
    expect(del.merge([':1', '-ERR x', ':1'].map((text) => ownAnswer(`${text}\r\n`))).outcome!.ok).toBe(false);
    const mset = requestOf('MSET', 'a', '1', 'b', '2').split(byFirstLetter)!;
    expect(mset.parts.map((part) => part.request.raw)).toEqual([
      commandBytes(['MSET', 'a', '1']),
      commandBytes(['MSET', 'b', '2']),
    ]);
    expect(mset.merge([ownAnswer('+OK\r\n'), ownAnswer('+OK\r\n')]).raw!.toString()).toBe('+OK\r\n');
  });

  it('join values of every type, and never what is no list of them', () => {
    const split = requestOf('MGET', 'a1', 'b1', 'a2').split(byFirstLetter)!;
    const join = (...texts: string[]) => split.merge(texts.map((text) => ownAnswer(text))).raw!.toString();
    const types = [
      '%1\r\n+k\r\n~1\r\n#t\r\n',
      ',1.5\r\n',
      '(12345678901234567890\r\n',
      '=5\r\ntxt:x\r\n',
      '!3\r\nERR\r\n',
    ];
    const nested = [...types, '|1\r\n+ttl\r\n:9\r\n$1\r\nx\r\n', '*?\r\n:1\r\n.\r\n', '$?\r\n;2\r\nab\r\n;0\r\n'];
    for (const value of nested) {
      const joined = `*3\r\n${value}$1\r\nb\r\n${value}`;
      expect(join(`*2\r\n${value}${value}`, '*1\r\n$1\r\nb\r\n')).toBe(joined);
      expect(join(`*?\r\n${value}${value}.\r\n`, '*1\r\n$1\r\nb\r\n')).toBe(joined);
    }
    const error = '-ERR upstream_malformed: an endpoint answered its part with something else\r\n';
    for (const odd of [
      '$1\r\nx\r\n',
      '*1\r\n$1\r\nx\r\n',
      '*3\r\n:1\r\n:2\r\n:3\r\n',
      '*-1\r\n',
      '%1\r\n:1\r\n:2\r\n',
    ]) {
      expect(join(odd, '*1\r\n$1\r\nb\r\n')).toBe(`*3\r\n${error}$1\r\nb\r\n${error}`);
    }
    const exists = requestOf('EXISTS', 'a', 'b').split(byFirstLetter)!;
    expect(exists.merge([ownAnswer(':1\r\n'), ownAnswer('$-1\r\n')]).raw!.toString()).toBe(error);
  });

  it('leave alone what one endpoint can answer, or the server has to refuse', () => {
    expect(requestOf('MGET', 'a1', 'a2').split(byFirstLetter)).toBeNull();
    expect(requestOf('GET', 'a').split(byFirstLetter)).toBeNull();
    expect(requestOf('MSET', 'a', '1', 'b').split(byFirstLetter)).toBeNull();
  });

  it('are refused where answers cannot be joined', () => {
    for (const words of [
      ['SINTER', 'a', 'b'],
      ['RENAME', 'a', 'b'],
      ['MSETNX', 'a', '1', 'b', '2'],
      ['WATCH', 'a', 'b'],
    ]) {
      const split = requestOf(...words).split(byFirstLetter)!;
      expect(split.parts).toEqual([]);
      expect(split.merge([]).raw!.toString()).toMatch(/^-CROSSSLOT /);
    }
  });
});
