/** A caller cannot tell runs from streams: whatever it pipelines is answered as if each command went alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MemoryWire } from '../../../test/harness/memory-wire.ts';
import type { MeshOptions } from '../../../test/harness/mesh.ts';
import type { RawPeer } from '../../../test/harness/raw-peer.ts';
import { FakeRedis, FakeStore } from '../../../test/harness/redis/fake-redis.ts';
import { command, pipeline, RedisMesh } from '../../../test/harness/redis/redis-mesh.ts';
import { type RouteDescription, weightedCluster } from '../../metaprotocol/description.ts';
import type { Filter } from '../../metaprotocol/filter.ts';
import { commandBytes } from './wire.ts';

/** By default the same cases are tried each time; CHAOS_RUNS=50000 searches anew. */
const { CHAOS_RUNS } = process.env;
const SEARCH = CHAOS_RUNS === undefined ? { numRuns: 400, seed: 20_261_122 } : { numRuns: Number(CHAOS_RUNS) };
const PATIENT = { timeout: 600_000 };

/** Counts streams. One that does not know runs makes each command a stream. */
class StreamCounter implements Filter {
  readonly knowsRuns: boolean;
  streams = 0;

  constructor(knowsRuns: boolean) {
    this.knowsRuns = knowsRuns;
  }

  onEnd(): void {
    this.streams++;
  }
}

/** Of keys that begin so, or of all others. */
function keys(value: string, invert: boolean): RouteDescription['match'] {
  const test = { kind: 'prefix', value, ignoreCase: false } as const;
  return [{ key: 'key', test, invert, absentIsEmpty: invert }];
}

const ROUTES: readonly Partial<RouteDescription>[] = [
  { match: keys('o', false), clusters: [weightedCluster('other')] },
  { match: keys('x', true), clusters: [weightedCluster('main')] },
];

interface Setting {
  readonly runs: boolean;
  readonly cuts?: readonly number[];
  readonly deathAt?: number;
  readonly options?: Partial<MeshOptions<RawPeer>>;
}

function start({ runs, cuts = [], deathAt = Number.POSITIVE_INFINITY, options = {} }: Setting) {
  const store = new FakeStore();
  const counter = new StreamCounter(runs);
  const mesh = new RedisMesh({
    clusters: { main: 1, other: 1 },
    routes: ROUTES,
    upstreamPeer: (wire) => new FakeRedis(wire, store),
    filters: [counter],
    ...options,
  });
  const warmer = mesh.newCaller();
  warmer.send(pipeline('GET warm', 'GET other'));
  mesh.settle();
  warmer.end();
  mesh.settle();
  store.commands.length = 0;
  counter.streams = 0;
  store.cuts = cuts;
  store.deathAt = store.writtenBytes + deathAt;
  return { mesh, store, counter, callers: [mesh.newCaller(), mesh.newCaller()] as const };
}

/** What a caller reads that sends this, and what of it reached an upstream. */
function exchange(setting: Setting, bytes: Buffer, sizes: readonly number[] = []) {
  const { mesh, store, counter, callers } = start(setting);
  const [caller] = callers;
  const logged = mesh.stat('upstream_requests_total');
  caller.send(bytes, sizes);
  mesh.settle();
  const seen = { text: caller.text, closed: caller.closed };
  const requests = mesh.stat('upstream_requests_total') - logged;
  caller.end();
  mesh.expectNoLeaks();
  return { seen: { ...seen, requests, commands: store.commands }, streams: counter.streams };
}

function expectAlike(bytes: Buffer, sizes: readonly number[] = []): string {
  const alone = exchange({ runs: false }, bytes, sizes);
  const together = exchange({ runs: true }, bytes, sizes);
  expect(together.seen).toEqual(alone.seen);
  expect(together.streams).toBeLessThan(alone.streams);
  return together.seen.text;
}

describe('in the midst of a pipeline', () => {
  const before = pipeline('INCR n', 'GET a', 'INCR n');
  const after = pipeline('INCR n', 'GET b', 'INCR n');
  const around = (...middle: Buffer[]): Buffer => Buffer.concat([before, ...middle, after]);

  it.each([
    ['a command of another route', ['GET o1', 'SET o1 x']],
    ['one of no route', ['GET x1', 'GET x2']],
    ['one of several keys', ['MGET a b', 'DEL a b c']],
    ['one whose keys take two routes', ['MGET a o', 'GET c']],
    ['a transaction', ['MULTI', 'INCR n', 'GET a', 'EXEC']],
    ['a transaction that is given up', ['MULTI', 'GET a', 'DISCARD']],
    ['WATCH', ['WATCH a', 'MULTI', 'INCR n', 'EXEC']],
    ['SELECT', ['SELECT 3', 'INCR n', 'GET a', 'SELECT 0']],
    ['AUTH', ['AUTH me secret', 'GET a', 'INCR n']],
    ['SUBSCRIBE and its end', ['SUBSCRIBE c d', 'UNSUBSCRIBE c d', 'GET a']],
    ['BLPOP', ['BLPOP l 0', 'GET a', 'BLPOP l 0']],
    ['what is answered here', ['PING', 'ECHO a', 'CLIENT SETNAME me', 'CLIENT GETNAME']],
    ['CLIENT REPLY OFF', ['CLIENT REPLY OFF', 'INCR n', 'GET a', 'CLIENT REPLY ON']],
    ['CLIENT REPLY SKIP', ['CLIENT REPLY SKIP', 'INCR n', 'GET a']],
    ['an error', ['SET a', 'GET bad', 'NOSUCH a']],
    ['RESET', ['RESET', 'GET a']],
    ['QUIT', ['GET a', 'QUIT']],
  ])('%s', (_what, middle) => {
    const text = expectAlike(around(pipeline(...middle)));
    expect(text.startsWith(`:1\r\n$3\r\n0:a\r\n:2\r\n`)).toBe(true);
  });

  it.each([
    ['an inline command', 'GET a\r\nINCR n\r\n'],
    ['an empty command', '*0\r\n\r\n'],
    ['a bad frame', '*1\r\n:5\r\n'],
    ['a bad length', '*1\r\n$x\r\n'],
    ['a word of HTTP', 'POST / HTTP/1.1\r\n'],
    ['unbalanced quotes', 'GET "a\r\n'],
  ])('%s', (_what, middle) => {
    const text = expectAlike(around(Buffer.from(middle)));
    expect(text.startsWith(`:1\r\n$3\r\n0:a\r\n:2\r\n`)).toBe(true);
  });

  it('binary keys and values', () => {
    const binary = Buffer.from([0, 13, 10, 255, 36]);
    const bytes = around(Buffer.concat([commandBytes(['SET', 'k', binary.toString('latin1')]), command('GET k')]));
    expectAlike(bytes);
    for (let at = 1; at < bytes.length; at += 3) expectAlike(bytes, [at]);
  });
});

const word = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('a', 'b', 'nil', 'bad', 'big', 'deep') },
  { weight: 1, arbitrary: fc.constantFrom('o1', 'o2', 'x1') },
);
const plain = fc.oneof(
  word.map((key) => `GET ${key}`),
  word.map((key) => `GET ${key}`),
  word.map((key) => `SET ${key} value`),
  word.map((key) => `SET ${key}`),
  word.map((key) => `INCR ${key}`),
  word.map((key) => `NOSUCH ${key}`),
);
const whole = fc.oneof(
  fc.array(word, { minLength: 1, maxLength: 3 }).map((keys) => `MGET ${keys.join(' ')}`),
  fc.array(word, { minLength: 1, maxLength: 3 }).map((keys) => `DEL ${keys.join(' ')}`),
  fc.constantFrom('PING', 'ECHO hi', 'CLIENT GETNAME'),
);
const states = fc.constantFrom('BLPOP l 0', 'SELECT 1', 'SELECT 0', 'CLIENT REPLY SKIP', 'AUTH me secret', 'WATCH a');
const transaction = fc
  .tuple(fc.array(plain, { maxLength: 3 }), fc.constantFrom('EXEC', 'DISCARD'))
  .map(([inside, end]) => ['MULTI', ...inside, end]);
/** Each is answered once, by whatever text, and takes no connection whose loss would end its caller. */
const answeredOnce = fc
  .array(
    fc.oneof(
      { weight: 12, arbitrary: fc.array(plain, { minLength: 1, maxLength: 8 }) },
      { weight: 2, arbitrary: whole.map((one) => [one]) },
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((groups) => groups.flat());
const anything = fc
  .array(
    fc.oneof(
      { weight: 10, arbitrary: fc.array(plain, { minLength: 1, maxLength: 8 }) },
      { weight: 2, arbitrary: whole.map((one) => [one]) },
      { weight: 1, arbitrary: states.map((one) => [one]) },
      { weight: 1, arbitrary: transaction },
    ),
    { minLength: 1, maxLength: 12 },
  )
  .map((groups) => groups.flat());
const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1, max: 300 })), { maxLength: 20 });
/** Mostly more than a few commands. */
const readSizes = fc.array(
  fc.oneof(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 30, max: 500 }), fc.integer({ min: 500, max: 5_000 })),
  { maxLength: 12 },
);
const limits = fc.record(
  {
    maxStreams: fc.integer({ min: 1, max: 9 }),
    pool: fc.record({ maxInFlightPerCaller: fc.integer({ min: 1, max: 9 }) }),
    codecOptions: fc.record({ heldLimitBytes: fc.integer({ min: 0, max: 300 }) }),
  },
  { requiredKeys: [] },
);

/** Sends both pipelines, in turns; each of their pieces is a read, and now and then everything settles. */
function play(setting: Setting, pipelines: readonly Buffer[], reads: readonly number[], pauses: readonly boolean[]) {
  const { mesh, counter, callers } = start(setting);
  const at = pipelines.map(() => 0);
  for (let step = 0; pipelines.some((bytes, index) => at[index]! < bytes.length); step++) {
    const who = step % pipelines.length;
    const size = reads.length === 0 ? 10_000 : reads[step % reads.length]!;
    callers[who]!.send(pipelines[who]!.subarray(at[who], at[who]! + size));
    at[who]! += size;
    if (pauses.length > 0 && pauses[step % pauses.length]) mesh.settle();
  }
  mesh.settle();
  const texts = pipelines.map((_, index) => callers[index]!.text);
  const counted = {
    requests: mesh.stat('upstream_requests_total'),
    answers: mesh.stat('upstream_responses_total'),
    failures: mesh.stat('upstream_failures_total'),
    results: mesh.stat('downstream_requests_total'),
    routed: mesh.stat('route_requests_total'),
    received: mesh.stat('downstream_request_bytes_total'),
    sent: mesh.stat('downstream_response_bytes_total'),
  };
  for (const caller of callers) caller.end();
  mesh.expectNoLeaks();
  return { seen: { texts, counted }, streams: counter.streams };
}

/** The answers that stand here, and nothing else. */
function answersIn(text: string): string[] {
  let at = 0;
  const skip = (): void => {
    const end = text.indexOf('\r\n', at);
    expect(end, `no line end behind ${at} of ${JSON.stringify(text)}`).toBeGreaterThan(at);
    const type = text[at]!;
    expect('+-:$*').toContain(type);
    const size = Number(text.slice(at + 1, end));
    at = end + 2;
    if (type === '$' && size >= 0) {
      at += size + 2;
      expect(text.slice(at - 2, at)).toBe('\r\n');
    }
    if (type === '*') for (let left = size; left > 0; left--) skip();
  };
  const answers: string[] = [];
  while (at < text.length) {
    const from = at;
    skip();
    answers.push(text.slice(from, at));
  }
  return answers;
}

/** What FakeRedis says to a plain command. */
function rightAnswer(text: string): string {
  const answers: string[] = [];
  const wire = new MemoryWire();
  const server = new FakeRedis(wire, new FakeStore());
  wire.open({
    onOpen: () => {},
    onBytes: (bytes) => answers.push(bytes.toString()),
    onEnd: () => {},
    onDrain: () => {},
    onClose: () => {},
  });
  wire.write([command(text)]);
  while (server.pump() || wire.pump());
  return answers.join('');
}

/** Each is the right one, or an error instead; numbers depend on what was done before. */
function expectRightOrError(answers: readonly string[], right: readonly string[]): void {
  answers.forEach((answer, index) => {
    if (answer.startsWith('-') || answer === right[index]) return;
    expect([index, answer, right[index]![0]]).toEqual([index, expect.stringMatching(/^:/), ':']);
  });
}

describe('whatever is pipelined', () => {
  it('is answered as without runs, and counted as without', PATIENT, () => {
    let [streams, streamsAlone] = [0, 0];
    fc.assert(
      fc.property(
        fc.tuple(anything, anything),
        readSizes,
        sizes,
        fc.array(fc.boolean(), { maxLength: 6 }),
        fc.oneof({ weight: 3, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: limits }),
        (texts, reads, cuts, pauses, options) => {
          // Whose INCR comes first is nobody's promise: each caller has its own numbers.
          const pipelines = texts.map((one, who) =>
            pipeline(...one.map((text) => text.replace('INCR ', `INCR ${who}`))),
          );
          const setting = { cuts, options: options as Partial<MeshOptions<RawPeer>> };
          const alone = play({ ...setting, runs: false }, pipelines, reads, pauses);
          const together = play({ ...setting, runs: true }, pipelines, reads, pauses);
          expect(together.seen).toEqual(alone.seen);
          streams += together.streams;
          streamsAlone += alone.streams;
        },
      ),
      SEARCH,
    );
    expect(streams).toBeLessThan(streamsAlone * 0.6);
  });

  it('has as many answers as commands when the upstream dies, and all are counted', PATIENT, () => {
    fc.assert(
      fc.property(
        fc.tuple(answeredOnce, answeredOnce),
        readSizes,
        sizes,
        fc.array(fc.boolean(), { maxLength: 6 }),
        fc.integer({ min: 0, max: 800 }),
        (texts, reads, cuts, pauses, deathAt) => {
          const pipelines = texts.map((one) => pipeline(...one));
          const { seen } = play({ runs: true, cuts, deathAt }, pipelines, reads, pauses);
          const right = play({ runs: true }, pipelines, reads, pauses).seen.texts.map(answersIn);
          const answers = seen.texts.map(answersIn);
          expect(answers.map(({ length }) => length)).toEqual(texts.map(({ length }) => length));
          for (const [who, one] of answers.entries()) expectRightOrError(one, right[who]!);
          const { counted } = seen;
          expect(counted.answers + counted.failures).toBe(counted.requests);
          // The first two opened the connections.
          expect(counted.results).toBe(texts.flat().length + 2);
        },
      ),
      SEARCH,
    );
  });

  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({
        do: fc.constant('send' as const),
        caller: fc.nat(2),
        texts: fc.array(plain, { minLength: 1, maxLength: 9 }),
      }),
    },
    {
      weight: 8,
      arbitrary: fc.record({ do: fc.constant('answer' as const), bytes: fc.integer({ min: 1, max: 60 }) }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('break' as const, 'end' as const), pick: fc.nat(9) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), caller: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 10, max: 400 }) }) },
    { weight: 4, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  );

  it('is answered in order whatever happens to others, upstreams and time, and nothing leaks', PATIENT, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 5, maxLength: 60 }), sizes, (steps, cuts) => {
        const routes = ROUTES.map((route) => ({ ...route, timeoutMs: 300, retry: { retries: 1 } }));
        const { mesh, store, callers } = start({ runs: true, cuts, options: { routes } });
        store.writableBytes = store.writtenBytes;
        const living = [...callers, mesh.newCaller()].map((peer) => ({ peer, sent: [] as string[], left: false }));
        const check = ({ peer, sent, left }: (typeof living)[number]): void => {
          if (left) return;
          expect(peer.closed).toBe(false);
          const answers = answersIn(peer.text);
          expect(answers.length).toBeLessThanOrEqual(sent.length);
          expectRightOrError(answers, sent.map(rightAnswer));
        };
        for (const one of steps) {
          const open = [1, 2]
            .flatMap((cluster) => mesh.upstream(0, cluster).connections)
            .filter(({ wire }) => !wire.destroyed);
          switch (one.do) {
            case 'send': {
              const caller = living[one.caller]!;
              if (caller.left) break;
              caller.peer.send(pipeline(...one.texts));
              caller.sent.push(...one.texts);
              break;
            }
            case 'answer':
              store.writableBytes += one.bytes;
              break;
            case 'break':
              open[one.pick % open.length]?.wire.break();
              break;
            case 'end':
              open[one.pick % open.length]?.end();
              break;
            case 'leave':
              mesh.settle();
              check(living[one.caller]!);
              living[one.caller]!.left = true;
              living[one.caller]!.peer.wire.break();
              break;
            case 'wait':
              mesh.advance(one.ms);
              break;
            case 'settle':
              mesh.settle();
          }
          for (const caller of living) check(caller);
        }
        store.writableBytes = Number.POSITIVE_INFINITY;
        mesh.advance(1_000);
        for (const caller of living) {
          check(caller);
          if (!caller.left) expect(answersIn(caller.peer.text).length).toBe(caller.sent.length);
          caller.peer.end();
        }
        // The first two opened the connections.
        const total = living.reduce((sum, { sent }) => sum + sent.length, 2);
        expect(mesh.stat('downstream_requests_total')).toBe(total);
        expect(mesh.stat('upstream_unknown_answers_total')).toBe(0);
        mesh.expectNoLeaks();
      }),
      SEARCH,
    );
  });
});
