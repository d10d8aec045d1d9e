/** Where runs are made, and where something depends on which command it is: limits, filters, routes, logs, defects. */
import { describe, expect, it } from 'vitest';
import { faulty } from '../../../test/harness/faulty-codec.ts';
import type { MeshOptions } from '../../../test/harness/mesh.ts';
import type { RawPeer } from '../../../test/harness/raw-peer.ts';
import { command, pipeline, RedisMesh } from '../../../test/harness/redis/redis-mesh.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { benchServer } from '../../conformance/codec-bench.ts';
import { feed } from '../../conformance/feed.ts';
import type { ClientCodec, CodecFactory, Output, ServerCodec, Sink } from '../../metaprotocol/codec.ts';
import { type RouteDescription, weightedCluster } from '../../metaprotocol/description.ts';
import { type Filter, FilterStatus } from '../../metaprotocol/filter.ts';
import { accessLogFilter, DEFAULT_FORMAT } from '../../metaprotocol/filters/access-log/access-log-filter.ts';
import { faultFilter } from '../../metaprotocol/filters/fault/fault-filter.ts';
import type { RequestMessage, ResponseMessage } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { RedisOptions } from './options.ts';
import { redisFactory } from './plugin.ts';
import { redisRouteFilter } from './strip-prefix-filter.ts';

type Options = Partial<MeshOptions<RawPeer>>;

const TEXTS = ['GET a', 'GET b', 'SET c 1', 'GET d'];
const ANSWERS = '+a\r\n+b\r\n+c\r\n+d\r\n';
const MUTATION = { set: [['key', 'other']] as const, add: [], remove: [] };
const log = (options: object) => ({ factory: accessLogFilter, options: { path: 'log', ...options } });

function start(options: Options = {}) {
  const mesh = watchLeaks(new RedisMesh(options));
  const upstream = mesh.warm();
  mesh.lines.length = 0;
  return { mesh, upstream, caller: mesh.newCaller() };
}

/** How many streams four commands are. */
function streamsOf(options: Options): number {
  const { mesh, upstream, caller } = start(options);
  caller.send(pipeline(...TEXTS));
  mesh.settle();
  const { streams, outstanding } = mesh.taken;
  expect(outstanding).toBe(4);
  upstream.send(ANSWERS);
  mesh.settle();
  expect(caller.text).toBe(ANSWERS);
  return streams;
}

describe('a run is made', () => {
  it.each<[string, Options]>([
    ['where nothing is configured', {}],
    ['with the default access log', { builtIns: [log({})] }],
    [
      'with one endpoint, however it is chosen',
      { balancer: { policy: 'ring_hash', minimumRingSize: 8, maximumRingSize: 8 } },
    ],
    ['where a filter says that it knows runs', { filters: [{ knowsRuns: true, onEnd: () => {} }] }],
    ['where a route has a timeout and retries', { routes: [{ timeoutMs: 100, retry: { retries: 2 } }] }],
  ])('%s', (_where, options) => {
    expect(streamsOf(options)).toBe(1);
  });

  it.each<[string, Options]>([
    ['for a filter that looks at requests', { filters: [{ onRequest: () => FilterStatus.Continue }] }],
    ['for a filter that looks at answers', { filters: [{ onResponse: () => FilterStatus.Continue }] }],
    [
      'for a filter that says nothing of runs',
      { filters: [{ knowsRuns: true, onEnd: () => {} }, { onEnd: () => {} }] },
    ],
    ['for faults', { builtIns: [{ factory: faultFilter, options: {} }] }],
    ['for prefixes that are taken off', { builtIns: [{ factory: redisRouteFilter, options: {} }] }],
    ['for a log of attributes', { builtIns: [log({ format: '%REQ(key)% %CALLS%' })] }],
    ['for a log of attributes of answers', { builtIns: [log({ jsonFormat: { error: '%RESP(error)%' } })] }],
    ['for clusters by weight', { routes: [{ clusters: [weightedCluster('main'), weightedCluster('main')] }] }],
    ['for mirrors', { clusters: { main: 1, copy: 1 }, routes: [{ mirrors: [{ cluster: 'copy', fraction: 0 }] }] }],
    ['for mutations of a route', { routes: [{ requestMutation: MUTATION }] }],
    [
      'for mutations of a cluster',
      {
        routes: [{ clusters: [{ ...weightedCluster('main'), requestMutation: MUTATION }] }],
      },
    ],
    ['for limits of streams on a connection', { pool: { concurrency: 100 } }],
  ])('not %s', (_where, options) => {
    expect(streamsOf(options)).toBe(4);
  });

  it('not of what is changed on its way: each command is', () => {
    const { mesh, upstream, caller } = start({ routes: [{ requestMutation: MUTATION }] });
    caller.send(pipeline('GET a', 'GET b'));
    mesh.settle();
    expect(upstream.take()).toEqual(pipeline('GET other', 'GET other'));
    upstream.send('+a\r\n+b\r\n');
    mesh.settle();
  });

  it('not by key over two endpoints: each command goes to that of its key', () => {
    const mesh = watchLeaks(
      new RedisMesh({
        clusters: { main: 2 },
        routes: [{ hashOn: ['hash-key'] }],
        balancer: { policy: 'ring_hash', minimumRingSize: 64, maximumRingSize: 64 },
      }),
    );
    const caller = mesh.newCaller();
    const texts = Array.from({ length: 40 }, (_, index) => `GET k${index}`);
    const ask = (): string[] => {
      caller.send(pipeline(...texts));
      mesh.settle();
      return [0, 1].map((number) => {
        const { connection } = mesh.upstream(number);
        const asked = connection.take().toString();
        connection.send('+x\r\n'.repeat(asked.split('GET').length - 1));
        mesh.settle();
        return asked;
      });
    };
    const first = ask();
    const second = ask();
    expect(second).toEqual(first);
    expect(first.every((asked) => asked.length > 200)).toBe(true);
    expect(caller.text).toBe('+x\r\n'.repeat(80));
  });

  it('for each read over two endpoints in turn, and the order of a caller is kept', () => {
    const mesh = watchLeaks(new RedisMesh({ clusters: { main: 2 } }));
    const [warmer, caller] = [mesh.newCaller(), mesh.newCaller()];
    warmer.send(pipeline('GET w', 'GET w'));
    mesh.settle();
    const upstreams = [0, 1].map((number) => mesh.upstream(number).connection);
    for (const upstream of upstreams) {
      upstream.take();
      upstream.send('+w\r\n');
    }
    mesh.settle();
    caller.send(Buffer.concat([pipeline('SET a 1', 'SET b 1'), pipeline('SET c 1')]), [
      pipeline('SET a 1', 'SET b 1').length,
    ]);
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 2, outstanding: 3 });
    expect(upstreams.map(({ text }) => text.match(/SET/g)?.length)).toEqual([2, 1]);
    // The later ones are answered first.
    upstreams[1]!.send('+c\r\n');
    mesh.settle();
    expect(caller.text).toBe('');
    upstreams[0]!.send('+a\r\n+b\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n+c\r\n');
    warmer.end();
  });

  it('not for a caller that has a connection of its own', () => {
    const { mesh, upstream, caller } = start();
    caller.send(command('WATCH a'));
    mesh.settle();
    const own = mesh.upstream().connections.find((one) => one.received.length > 0)!;
    expect(own.take()).toEqual(command('WATCH a'));
    own.send('+OK\r\n');
    mesh.settle();
    caller.send(pipeline('GET a', 'GET b', 'GET c'));
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 3, outstanding: 3, bound: 1 });
    expect([own.take(), upstream.received.length]).toEqual([pipeline('GET a', 'GET b', 'GET c'), 0]);
    own.send('+a\r\n+b\r\n+c\r\n');
    mesh.settle();
    expect(caller.text).toBe('+OK\r\n+a\r\n+b\r\n+c\r\n');
    caller.end();
  });

  it('not of commands that wait for their connection', () => {
    const mesh = watchLeaks(new RedisMesh());
    const caller = mesh.newCaller();
    caller.send(pipeline(...TEXTS));
    mesh.settle();
    expect(mesh.taken.streams).toBe(4);
    expect(mesh.upstream().connection.take()).toEqual(pipeline(...TEXTS));
    mesh.upstream().connection.send(ANSWERS);
    mesh.settle();
    expect(caller.text).toBe(ANSWERS);
  });
});

describe('a limit', () => {
  it.each<[string, Options]>([
    ['maxStreams', { maxStreams: 3 }],
    ['maxInFlightPerCaller', { pool: { maxInFlightPerCaller: 3 } }],
  ])('%s counts calls, and holds their caller back until a run is answered', (_name, options) => {
    const { mesh, upstream, caller } = start(options);
    const texts = Array.from({ length: 8 }, (_, index) => `SET k${index} 1`);
    caller.send(pipeline(...texts));
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 1, outstanding: 3 });
    for (const [from, to] of [
      [0, 3],
      [3, 6],
      [6, 8],
    ]) {
      expect(upstream.take()).toEqual(pipeline(...texts.slice(from, to)));
      upstream.send('+OK\r\n');
      mesh.settle();
      expect(upstream.text).toBe('');
      upstream.send('+OK\r\n'.repeat(to! - from! - 1));
      mesh.settle();
    }
    expect(caller.text).toBe('+OK\r\n'.repeat(8));
    // All of its room is back.
    caller.send(pipeline(...texts.slice(0, 3)));
    mesh.settle();
    expect(upstream.take()).toEqual(pipeline(...texts.slice(0, 3)));
    upstream.send('+OK\r\n'.repeat(3));
    mesh.settle();
  });

  it('of one cluster is given back by a run that fails', () => {
    const { mesh, upstream, caller } = start({ pool: { maxInFlightPerCaller: 3 } });
    caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1', 'SET d 1'));
    mesh.settle();
    upstream.send('+a\r\n');
    mesh.settle();
    upstream.wire.break();
    mesh.settle();
    const next = mesh.upstream().connections[1]!;
    expect(next.take()).toEqual(command('SET d 1'));
    next.send('+d\r\n');
    mesh.settle();
    expect(caller.text).toMatch(/^\+a\r\n(-ERR upstream_reset[^\r]*\r\n){2}\+d\r\n$/);
  });
});

describe('the access log', () => {
  const FIELDS = '%STATUS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %UPSTREAM_HOST% %ATTEMPTS%';
  const small = command('GET a').length;
  const large = command('GET long').length;

  function linesOf(options: object, answers: string, then: (upstream: RawPeer) => void = () => {}): string[] {
    const { mesh, upstream, caller } = start({ builtIns: [log(options)] });
    caller.send(pipeline('GET a', 'GET b', 'GET c', 'GET long', 'GET d', 'GET e'));
    mesh.settle();
    upstream.send(answers);
    mesh.settle();
    then(upstream);
    mesh.settle();
    return mesh.lines;
  }

  it('has a line for calls that are alike, and says how many', () => {
    expect(linesOf({ format: `${FIELDS} %CALLS%` }, '+1\r\n+2\r\n+33\r\n+4\r\n+5\r\n-E\r\n')).toEqual([
      `no_error 0 ${small} 4 10.1.1.1:80 1 2`,
      `no_error 0 ${small} 5 10.1.1.1:80 1 1`,
      `no_error 0 ${large} 4 10.1.1.1:80 1 1`,
      `no_error 0 ${small} 4 10.1.1.1:80 1 1`,
      `no_error 1 ${small} 4 10.1.1.1:80 1 1`,
    ]);
  });

  it('has a line for each call where it does not say how many', () => {
    expect(linesOf({ format: FIELDS }, '+1\r\n+2\r\n+33\r\n+4\r\n+5\r\n+6\r\n')).toEqual([
      `no_error 0 ${small} 4 10.1.1.1:80 1`,
      `no_error 0 ${small} 4 10.1.1.1:80 1`,
      `no_error 0 ${small} 5 10.1.1.1:80 1`,
      `no_error 0 ${large} 4 10.1.1.1:80 1`,
      `no_error 0 ${small} 4 10.1.1.1:80 1`,
      `no_error 0 ${small} 4 10.1.1.1:80 1`,
    ]);
  });

  it('tells errors of different words apart', () => {
    const lines = linesOf(
      { format: '%RESPONSE_CODE% %CALLS%' },
      '-ERR 123456\r\n-WRONGTYPE\r\n-WRONGTYPE\r\n-ERR 123456\r\n+abcdefgh\r\n+abcdefgh\r\n',
    );
    expect(lines.map((line) => line.split(' ')[1])).toEqual(['1', '2', '1', '2']);
    expect(new Set(lines.map((line) => line.split(' ')[0])).size).toBe(3);
  });

  it('is JSON as well', () => {
    const jsonFormat = { status: '%STATUS%', calls: '%CALLS%', sent: '%BYTES_SENT%' };
    const counted = linesOf({ jsonFormat }, '+1\r\n'.repeat(6)).map((line) => JSON.parse(line));
    expect(counted).toEqual([
      { status: 'no_error', calls: '3', sent: '4' },
      { status: 'no_error', calls: '1', sent: '4' },
      { status: 'no_error', calls: '2', sent: '4' },
    ]);
    const each = linesOf({ jsonFormat: { status: '%STATUS%' } }, '+1\r\n'.repeat(6));
    expect(each).toEqual(Array(6).fill('{"status":"no_error"}'));
  });

  it('says by default how many', () => {
    expect(DEFAULT_FORMAT.endsWith(' %CALLS%')).toBe(true);
    const lines = linesOf({}, '+1\r\n'.repeat(6));
    expect(lines.map((line) => line.split(' ').at(-1))).toEqual(['3', '1', '2']);
    expect(lines[0]).toContain('"10.1.1.1:80" "-" 3');
  });

  it('says of those that the upstream did not answer what the caller was told', () => {
    const format = '%STATUS% %RESPONSE_CODE% %BYTES_SENT% %CALLS% %RESPONSE_DETAILS%';
    const lines = linesOf({ format }, '+1\r\n+2\r\n-E\r\n', (upstream) => upstream.wire.break());
    const told = `-ERR upstream_reset: ${Status.upstream_reset.detail}: ECONNRESET\r\n`.length;
    expect(lines).toEqual([
      'no_error 0 4 2 -',
      'no_error 1 4 1 -',
      // Of two sizes.
      `upstream_reset 1 ${told} 1 ${Status.upstream_reset.detail}: ECONNRESET`,
      `upstream_reset 1 ${told} 2 ${Status.upstream_reset.detail}: ECONNRESET`,
    ]);
  });

  it('tells an upstream that says the same from what we say', () => {
    const answer = `-ERR upstream_reset: ${Status.upstream_reset.detail}: ECONNRESET\r\n`;
    const lines = linesOf({ format: '%STATUS% %CALLS%' }, answer.repeat(2), (upstream) => upstream.wire.break());
    expect(lines).toEqual(['no_error 2', 'upstream_reset 1', 'upstream_reset 1', 'upstream_reset 2']);
  });

  it('has each command’s attributes where it is asked for them', () => {
    const lines = linesOf({ format: '%REQ(command)% %REQ(key)% %CALLS%' }, '+1\r\n'.repeat(6));
    expect(lines).toEqual(['a', 'b', 'c', 'long', 'd', 'e'].map((key) => `GET ${key} 1`));
  });
});

describe('a defect', () => {
  /** Throws once, when it has written half of what it was asked to. */
  function failingJoin(after: number) {
    let calls = 0;
    return faulty(redisFactory, {
      client: (codec: ClientCodec, out: Output) => ({
        join(id: number, request: RequestMessage, next: RequestMessage): void {
          if (calls++ !== after) {
            codec.join!(id, request, next);
            return;
          }
          out.append(Buffer.from('half'), 0, 4);
          throw new Error('join is broken');
        },
      }),
    });
  }

  it.each([0, 1])('in `join` of call %i: what it wrote is taken back, and the call goes alone', (after) => {
    const { mesh, upstream, caller } = start({ factory: failingJoin(after) });
    caller.send(pipeline('GET a', 'GET b', 'GET c', 'GET d'));
    mesh.settle();
    const asked = upstream.take().toString();
    expect(asked).toBe(pipeline(...['GET a', 'GET b', 'GET c'].slice(0, 1 + after)).toString());
    expect(mesh.log.filter((line) => line.includes('join is broken')).length).toBe(1);
    expect(mesh.stat('upstream_codec_errors_total')).toBe(1);
    upstream.send('+x\r\n'.repeat(1 + after));
    mesh.settle();
    // The connection is not to be trusted with more.
    expect(upstream.closed).toBe(true);
    const next = mesh.upstream().connections[1]!;
    expect(next.take()).toEqual(pipeline(...['GET b', 'GET c', 'GET d'].slice(after)));
    next.send('+y\r\n'.repeat(3 - after));
    mesh.settle();
    expect(caller.text).toBe('+x\r\n'.repeat(1 + after) + '+y\r\n'.repeat(3 - after));
    // One is not counted twice.
    expect(mesh.stat('upstream_requests_total')).toBe(5);
    expect(mesh.stat('route_requests_total')).toBe(5);
    upstream.end();
  });

  it('of a codec that offers a call when others were sent behind: it is not taken', () => {
    const sinks: Sink<RequestMessage>[] = [];
    const factory: CodecFactory<RedisOptions> = {
      ...redisFactory,
      createServerCodec(sink, out, options, maxStreams) {
        sinks.push(sink);
        return redisFactory.createServerCodec(sink, out, options, maxStreams);
      },
    };
    const { mesh, upstream, caller } = start({ factory: factory as CodecFactory });
    const other = mesh.newCaller();
    caller.send(command('GET a'));
    mesh.settle();
    const offer = (): boolean => {
      const { codec, sink } = benchServer(redisFactory);
      feed(codec, command('GET late'));
      return sinks.at(-2)!.join!(1, sink.heads[0]!);
    };
    other.send(command('GET x'));
    mesh.settle();
    expect(offer()).toBe(false);
    upstream.send('+a\r\n+x\r\n');
    mesh.settle();
    expect([caller.text, other.text]).toEqual(['+a\r\n', '+x\r\n']);
    // Nor when all was answered.
    expect(offer()).toBe(false);
    expect(upstream.text).toBe(pipeline('GET a', 'GET x').toString());
  });

  const server = (methods: (codec: ServerCodec) => Partial<ServerCodec>) => faulty(redisFactory, { server: methods });

  it('in `replyRest` closes the caller’s connection, and no other', () => {
    const factory = server(() => ({
      replyRest() {
        throw new Error('replyRest is broken');
      },
    }));
    const { mesh, upstream, caller } = start({ factory });
    const other = mesh.newCaller();
    caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1'));
    mesh.settle();
    other.send(command('SET x 1'));
    mesh.settle();
    upstream.send('+a\r\n');
    mesh.settle();
    upstream.wire.break();
    mesh.settle();
    expect(mesh.log.filter((line) => line.includes('replyRest is broken')).length).toBe(1);
    expect([caller.text, caller.closed]).toEqual(['+a\r\n', true]);
    expect(other.text).toMatch(/^-ERR upstream_reset/);
    expect(other.closed).toBe(false);
  });

  it('in `encode` of a run’s first answers: all of its calls are told', () => {
    let broken = true;
    const factory = server((codec) => ({
      encode(id: number, response: ResponseMessage, request: RequestMessage | null) {
        if (broken && request?.run) {
          broken = false;
          throw new Error('encode is broken');
        }
        codec.encode(id, response, request);
      },
    }));
    const { mesh, upstream, caller } = start({ factory, builtIns: [log({ format: '%STATUS% %CALLS%' })] });
    caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1'));
    mesh.settle();
    upstream.send('+a\r\n+b\r\n');
    mesh.settle();
    expect(caller.text).toMatch(/^(-ERR internal_error: [^\r]*\r\n){3}$/);
    expect(mesh.lines).toEqual(['internal_error 3']);
    expect(mesh.stat('downstream_requests_total', { result: 'internal_error' })).toBe(3);
    upstream.send('+c\r\n');
    mesh.settle();
    caller.end();
  });

  it('of a filter that says that it knows runs and looks at attempts: none is made', () => {
    const filter: Filter = { knowsRuns: true, onAttempt: () => {} };
    expect(streamsOf({ filters: [filter] })).toBe(4);
  });
});

describe('routes', () => {
  const to = (prefix: string): Partial<RouteDescription> => ({
    name: `to-${prefix}`,
    match: [
      { key: 'key', test: { kind: 'prefix', value: prefix, ignoreCase: false }, invert: false, absentIsEmpty: false },
    ],
    clusters: [weightedCluster(prefix)],
  });

  it('divide a pipeline into runs, and its answers come in its order', () => {
    const mesh = watchLeaks(new RedisMesh({ clusters: { a: 1, b: 1 }, routes: [to('a'), to('b')] }));
    const caller = mesh.newCaller();
    caller.send(pipeline('GET a', 'GET b'));
    mesh.settle();
    const [a, b] = [mesh.upstream(0, 1).connection, mesh.upstream(0, 2).connection];
    for (const upstream of [a, b]) {
      upstream.take();
      upstream.send('+warm\r\n');
    }
    mesh.settle();
    caller.take();
    caller.send(pipeline('GET a1', 'GET a2', 'GET b1', 'GET b2', 'GET a3', 'GET a4'));
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 3, outstanding: 6 });
    expect(a.take()).toEqual(pipeline('GET a1', 'GET a2', 'GET a3', 'GET a4'));
    expect(b.take()).toEqual(pipeline('GET b1', 'GET b2'));
    b.send('+b1\r\n+b2\r\n');
    a.send('+a1\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a1\r\n');
    a.send('+a2\r\n+a3\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a1\r\n+a2\r\n+b1\r\n+b2\r\n+a3\r\n');
    a.send('+a4\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a1\r\n+a2\r\n+b1\r\n+b2\r\n+a3\r\n+a4\r\n');
    expect(mesh.stat('route_requests_total', { route: 'to-a' })).toBe(5);
    expect(mesh.stat('route_requests_total', { route: 'to-b' })).toBe(3);
  });
});
