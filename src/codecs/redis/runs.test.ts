/** Pipelined commands of one route go as one stream: what the caller and the upstream see of it, and what is counted. */
import { describe, expect, it } from 'vitest';
import type { MeshOptions } from '../../../test/harness/mesh.ts';
import type { RawPeer } from '../../../test/harness/raw-peer.ts';
import { command, pipeline, RedisMesh } from '../../../test/harness/redis/redis-mesh.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { accessLogFilter } from '../../metaprotocol/filters/access-log/access-log-filter.ts';
import { LATENCY_BUCKETS_MS } from '../../metaprotocol/stats.ts';

const LOG = {
  factory: accessLogFilter,
  options: { path: 'log', format: '%STATUS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %CALLS%' },
};
const COUNTED = {
  route: ['route_requests_total', {}],
  requests: ['upstream_requests_total', {}],
  ok: ['upstream_responses_total', { outcome: 'ok' }],
  error: ['upstream_responses_total', { outcome: 'error' }],
  failures: ['upstream_failures_total', {}],
  callerOk: ['downstream_requests_total', { result: 'ok' }],
  callerError: ['downstream_requests_total', { result: 'error' }],
  received: ['downstream_request_bytes_total', {}],
  sent: ['downstream_response_bytes_total', {}],
} as const;

function start(options: Partial<MeshOptions<RawPeer>> = {}) {
  const mesh = watchLeaks(new RedisMesh({ builtIns: [LOG], ...options }));
  const upstream = mesh.warm();
  const caller = mesh.newCaller();
  mesh.lines.length = 0;
  const counts = () => Object.values(COUNTED).map(([name, labels]) => mesh.stat(name, labels));
  const before = counts();
  return {
    mesh,
    upstream,
    caller,
    /** What was counted since. */
    get counted(): Partial<Record<keyof typeof COUNTED, number>> {
      const names = Object.keys(COUNTED) as (keyof typeof COUNTED)[];
      const grown = counts().map((value, index) => value - before[index]!);
      return Object.fromEntries(
        names.map((name, index) => [name, grown[index]] as const).filter(([, one]) => one !== 0),
      );
    },
  };
}

function timesCounted(mesh: RedisMesh, name: string): number {
  const { cells, index } = mesh.stats.definitions.find((one) => one.name === name)!;
  return new Float64Array(cells)
    .subarray(index, index + LATENCY_BUCKETS_MS.length + 1)
    .reduce((sum, one) => sum + one, 0);
}

const GETS = ['GET a', 'GET bb', 'GET ccc', 'GET dddd'];
const ANSWERS = ['$1\r\n1\r\n', '$-1\r\n', ':7\r\n', '*2\r\n$1\r\nx\r\n+y\r\n'];

describe('a pipeline', () => {
  it('reaches the upstream in one write, as it came, and is one stream of as many calls', () => {
    const { mesh, upstream, caller } = start();
    const { writes } = upstream.wire;
    caller.send(pipeline(...GETS));
    mesh.settle();
    expect(upstream.take()).toEqual(pipeline(...GETS));
    expect(upstream.wire.writes - writes).toBe(1);
    expect(mesh.taken).toEqual({ streams: 1, outstanding: 4, pending: 0, bound: 0 });
    upstream.send(ANSWERS.join(''));
    mesh.settle();
    expect(caller.text).toBe(ANSWERS.join(''));
    expect(caller.wire.writes).toBe(1);
    mesh.expectQuiet();
  });

  it('is counted by call', () => {
    const run = start();
    const { mesh, upstream, caller } = run;
    const timed = ['upstream_request_time_ms', 'downstream_request_time_ms'] as const;
    const before = timed.map((name) => timesCounted(mesh, name));
    caller.send(pipeline(...GETS, 'SET a'));
    mesh.settle();
    expect(run.counted).toEqual({ route: 5, requests: 5 });
    const answers = `${ANSWERS.join('')}-ERR wrong number\r\n`;
    upstream.send(answers);
    mesh.settle();
    expect(run.counted).toEqual({
      route: 5,
      requests: 5,
      ok: 4,
      error: 1,
      callerOk: 4,
      callerError: 1,
      received: pipeline(...GETS, 'SET a').length,
      sent: answers.length,
    });
    expect(timed.map((name, index) => timesCounted(mesh, name) - before[index]!)).toEqual([5, 5]);
    expect(caller.text).toBe(answers);
    const sizes = GETS.map((text) => command(text).length);
    expect(mesh.lines).toEqual([
      ...ANSWERS.map((answer, index) => `no_error 0 ${sizes[index]} ${answer.length} 1`),
      `no_error 1 ${command('SET a').length} ${'-ERR wrong number\r\n'.length} 1`,
    ]);
  });

  it('is answered whole wherever its answers are cut', () => {
    const answers = `${ANSWERS.join('')}-ERR no\r\n|1\r\n+a\r\n+b\r\n,1.5\r\n`;
    const asked = pipeline(...GETS, 'GET e', 'GET f');
    const run = start();
    const { mesh, upstream, caller } = run;
    for (let at = 0; at <= answers.length; at++) {
      caller.send(asked);
      mesh.settle();
      upstream.send(answers.slice(0, at));
      mesh.settle();
      // No answer is held back by those that come behind it.
      expect(answers.startsWith(caller.text)).toBe(true);
      expect(at - caller.received.length).toBeLessThan('|1\r\n+a\r\n+b\r\n,1.5\r\n'.length);
      upstream.send(answers.slice(at));
      mesh.settle();
      expect(caller.take().toString(), `cut at ${at}`).toBe(answers);
      mesh.expectQuiet();
    }
    const times = answers.length + 1;
    expect(run.counted).toMatchObject({ route: 6 * times, requests: 6 * times, ok: 5 * times, error: times });
    caller.send(asked);
    mesh.settle();
    upstream.send(answers, Array(answers.length).fill(1));
    mesh.settle();
    expect(caller.text).toBe(answers);
  });

  it('may be cut between reads: what was whole goes at once', () => {
    const asked = pipeline(...GETS);
    const { mesh, upstream, caller } = start();
    for (let at = 0; at <= asked.length; at++) {
      caller.send(asked, at === 0 ? [] : [at]);
      mesh.settle();
      expect(upstream.take(), `cut at ${at}`).toEqual(asked);
      upstream.send(ANSWERS.join(''));
      mesh.settle();
      expect(caller.take().toString()).toBe(ANSWERS.join(''));
    }
  });

  it('of more commands than a run takes is several, in order', () => {
    const run = start();
    const { mesh, upstream, caller } = run;
    const texts = Array.from({ length: 200 }, (_, index) => `SET k${index} ${index}`);
    caller.send(pipeline(...texts));
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 4, outstanding: 200 });
    expect(upstream.take()).toEqual(pipeline(...texts));
    const answers = texts.map((_, index) => `:${index}\r\n`).join('');
    upstream.send(answers, [100, 500]);
    mesh.settle();
    expect(caller.text).toBe(answers);
    expect(run.counted).toMatchObject({ route: 200, requests: 200, ok: 200, callerOk: 200 });
  });

  it('shares its connection with others, and each gets its own', () => {
    const { mesh, upstream, caller } = start();
    const other = mesh.newCaller();
    caller.send(pipeline('GET a', 'GET b'));
    other.send(pipeline('GET x', 'GET y'));
    caller.send(command('GET c'));
    mesh.settle();
    expect(upstream.text).toBe(pipeline('GET a', 'GET b', 'GET c', 'GET x', 'GET y').toString());
    upstream.send('+a\r\n+b\r\n+c\r\n+x\r\n+', [6, 7]);
    mesh.settle();
    expect([caller.text, other.text]).toEqual(['+a\r\n+b\r\n+c\r\n', '+x\r\n']);
    upstream.send('y\r\n');
    mesh.settle();
    expect(other.text).toBe('+x\r\n+y\r\n');
  });

  it('has what a server pushes in between left out', () => {
    const { mesh, upstream, caller } = start();
    caller.send(pipeline('GET a', 'GET b', 'GET c'));
    mesh.settle();
    upstream.send('+a\r\n>2\r\n+x\r\n+y\r\n+b\r\n>1\r\n+z\r\n+c\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n+c\r\n');
    expect(mesh.stat('upstream_unknown_answers_total')).toBe(2);
  });

  it('of a slow caller stops nobody else on the connection', () => {
    const { mesh, upstream, caller } = start();
    const other = mesh.newCaller();
    caller.reading = false;
    caller.wire.capacityBytes = 100_000;
    caller.send(pipeline('GET a', 'GET b', 'GET c'));
    mesh.settle();
    other.send(pipeline('GET x', 'GET y'));
    mesh.settle();
    const large = `$2000000\r\n${'z'.repeat(2_000_000)}\r\n`;
    upstream.send(`+a\r\n${large}+c\r\n+x\r\n+y\r\n`, [4, 1_000_000]);
    mesh.settle();
    expect(upstream.wire.paused).toBe(false);
    expect(other.text).toBe('+x\r\n+y\r\n');
    // Nor does it ask for more.
    caller.send(command('GET d'));
    mesh.settle();
    expect(mesh.taken.outstanding).toBe(0);
    caller.reading = true;
    mesh.settle();
    expect(caller.text).toBe(`+a\r\n${large}+c\r\n`);
    upstream.send('+d\r\n');
    mesh.settle();
  });
});

describe('an upstream that fails', () => {
  it.each([0, 1, 2, 3])('after %i of four answers: the rest are told so, and nobody goes', (answered) => {
    const run = start();
    const { mesh, upstream, caller } = run;
    const texts = ['SET a 1', 'SET b 2', 'SET c 3', 'GET d'];
    caller.send(pipeline(...texts));
    mesh.settle();
    upstream.send(`${'+OK\r\n'.repeat(answered)}+O`);
    mesh.settle();
    expect(caller.text).toBe('+OK\r\n'.repeat(answered));
    upstream.wire.break();
    mesh.settle();
    const lines = caller.text.split('\r\n');
    expect(lines.length).toBe(5);
    expect(lines.slice(0, answered)).toEqual(Array(answered).fill('+OK'));
    for (const line of lines.slice(answered, 4)) expect(line).toMatch(/^-ERR upstream_reset: /);
    expect(caller.closed).toBe(false);
    mesh.expectQuiet();
    expect(run.counted).toMatchObject({ route: 4, requests: 4, failures: 4 - answered });
    expect(run.counted.ok ?? 0).toBe(answered);
    expect(run.counted.callerOk ?? 0).toBe(answered);
    expect(mesh.stat('downstream_requests_total', { result: 'upstream_reset' })).toBe(4 - answered);
    const calls = mesh.lines.map((line) => line.split(' '));
    expect(calls.reduce((sum, fields) => sum + Number(fields[4]), 0)).toBe(4);
    expect(calls.filter(([status]) => status === 'no_error').reduce((sum, [, , , , n]) => sum + Number(n), 0)).toBe(
      answered,
    );
    // The caller's connection is as before.
    caller.take();
    caller.send(pipeline('GET x', 'GET y'));
    mesh.settle();
    const next = mesh.upstream().connections[1]!;
    next.send('+x\r\n+y\r\n');
    mesh.settle();
    expect(caller.text).toBe('+x\r\n+y\r\n');
  });

  it('counts and times those that were answered, as they come', () => {
    const run = start();
    const { mesh, upstream, caller } = run;
    const before = timesCounted(mesh, 'upstream_request_time_ms');
    caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1'));
    mesh.settle();
    for (const answer of ['+OK\r\n', '-ERR no\r\n']) {
      upstream.send(answer);
      mesh.settle();
    }
    upstream.wire.break();
    mesh.settle();
    expect(timesCounted(mesh, 'upstream_request_time_ms') - before).toBe(2);
    expect(run.counted).toMatchObject({ ok: 1, error: 1, failures: 1 });
  });

  it.each([
    ['what is no answer', '!x\r\n', 'upstream_malformed'],
    ['its FIN', '', 'upstream_reset'],
  ])('with %s behind good answers of the same read: these are the caller’s', (_what, bad, status) => {
    const run = start({ routes: [{ retry: { retries: 3 } }] });
    const { mesh, upstream, caller } = run;
    caller.send(pipeline('GET a', 'GET b', 'GET c', 'GET d'));
    mesh.settle();
    upstream.send(`+a\r\n-ERR b\r\n${bad}`);
    upstream.end();
    mesh.settle();
    const lines = caller.text.split('\r\n');
    expect(lines.slice(0, 2)).toEqual(['+a', '-ERR b']);
    expect(lines.length).toBe(5);
    for (const line of lines.slice(2, 4)) expect(line).toContain(`-ERR ${status}: redis: `);
    if (bad === '') expect(lines[2]).toContain('ended with 2 answers to come');
    expect(run.counted).toMatchObject({ ok: 1, error: 1, failures: 2, callerOk: 1, callerError: 1 });
    upstream.end();
    mesh.settle();
  });

  it('with a push that is too large: what came before it is given', () => {
    const { mesh, upstream, caller } = start({ codecOptions: { frameLimitBytes: 1_024 } });
    caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1'));
    mesh.settle();
    upstream.send(`+a\r\n+b\r\n>2\r\n+x\r\n$2000\r\n${'z'.repeat(2_000)}\r\n`);
    mesh.settle();
    expect(caller.text).toMatch(/^\+a\r\n\+b\r\n-ERR upstream_malformed: [^\r]*\r\n$/);
    upstream.end();
    mesh.settle();
  });

  it('while others wait on the same connection: each is told for itself', () => {
    const { mesh, upstream, caller } = start();
    const other = mesh.newCaller();
    caller.send(pipeline('SET a 1', 'SET b 1'));
    mesh.settle();
    other.send(pipeline('SET x 1', 'SET y 1', 'SET z 1'));
    mesh.settle();
    upstream.send('+a\r\n+b\r\n+x\r\n');
    mesh.settle();
    upstream.wire.break();
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n');
    expect(other.text).toMatch(/^\+x\r\n-ERR upstream_reset[^\r]*\r\n-ERR upstream_reset[^\r]*\r\n$/);
  });
});

describe('an answer over the limit', () => {
  it.each([
    ['first', 0],
    ['midst', 1],
    ['end', 3],
  ])('at the %s of a run is refused alone', (_where, at) => {
    const run = start({ codecOptions: { frameLimitBytes: 1_024 } });
    const { mesh, upstream, caller } = run;
    caller.send(pipeline(...GETS));
    mesh.settle();
    const answers = ['+a\r\n', '+b\r\n', '+c\r\n', '+d\r\n'];
    answers[at] = `$5000\r\n${'z'.repeat(5_000)}\r\n`;
    const bytes = answers.join('');
    upstream.send(bytes, [700, 2_000]);
    mesh.settle();
    answers[at] = '-ERR too_large: an answer of 5009 bytes > frameLimitBytes 1024\r\n';
    expect(caller.text).toBe(answers.join(''));
    expect(run.counted).toMatchObject({ ok: 3, error: 1, callerOk: 3, callerError: 1 });
  });
});

describe('a route’s timeout', () => {
  it.each([0, 2])('when %i of a run were answered: the rest are told, and late answers are nobody’s', (answered) => {
    const run = start({ routes: [{ timeoutMs: 100 }] });
    const { mesh, upstream, caller } = run;
    const other = mesh.newCaller();
    caller.send(pipeline('SET a 1', 'SET b 2', 'SET c 3', 'SET d 4', 'SET e 5'));
    mesh.settle();
    upstream.send('+OK\r\n'.repeat(answered));
    mesh.advance(90);
    other.send(pipeline('GET x', 'GET y'));
    mesh.advance(60);
    const lines = caller.take().toString().split('\r\n');
    expect(lines.length).toBe(6);
    expect(lines.slice(0, answered)).toEqual(Array(answered).fill('+OK'));
    for (const line of lines.slice(answered, 5)) expect(line).toBe('-ERR timeout: no complete answer within 100 ms');
    expect(mesh.stat('downstream_requests_total', { result: 'timeout' })).toBe(5 - answered);
    expect(run.counted.ok ?? 0).toBe(answered);
    expect(run.counted.callerOk ?? 0).toBe(answered);
    caller.send(pipeline('GET p', 'GET q'));
    mesh.settle();
    // One by one, and together with those of others.
    upstream.send('+late\r\n');
    mesh.settle();
    upstream.send(`${'+late\r\n'.repeat(4 - answered)}+x\r\n+y\r\n+p\r\n`);
    mesh.settle();
    expect([other.text, caller.text]).toEqual(['+x\r\n+y\r\n', '+p\r\n']);
    upstream.send('+q\r\n');
    mesh.settle();
    expect(caller.text).toBe('+p\r\n+q\r\n');
    mesh.expectQuiet();
    const total = mesh.lines.reduce((sum, line) => sum + Number(line.split(' ')[4]), 0);
    expect(total).toBe(9);
  });
});

describe('a caller that leaves', () => {
  it('in the midst of its answers shifts nobody’s', () => {
    const run = start();
    const { mesh, upstream, caller } = run;
    const other = mesh.newCaller();
    caller.send(pipeline('SET a 1', 'SET b 2', 'SET c 3'));
    mesh.settle();
    other.send(pipeline('GET x', 'GET y'));
    mesh.settle();
    upstream.send('+a\r\n');
    mesh.settle();
    caller.wire.break();
    mesh.settle();
    expect(mesh.taken).toMatchObject({ streams: 1, outstanding: 2 });
    expect(mesh.lines.map((line) => line.split(' ').at(-1))).toEqual(['1', '2']);
    upstream.send('+b\r\n+c\r\n+x\r\n+y\r\n', [2, 9]);
    mesh.settle();
    expect(other.text).toBe('+x\r\n+y\r\n');
    expect(run.counted).toMatchObject({ ok: 3, callerOk: 3 });
    expect(run.counted.failures).toBeUndefined();
    expect(mesh.stat('downstream_requests_total', { result: 'downstream_reset' })).toBe(2);
  });

  it('with its FIN behind the pipeline hears all answers', () => {
    const { mesh, upstream, caller } = start();
    caller.send(pipeline(...GETS));
    caller.end();
    mesh.settle();
    expect(caller.closed).toBe(false);
    upstream.send('+a\r\n+b\r\n');
    mesh.settle();
    upstream.send('+c\r\n+d\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n+c\r\n+d\r\n');
    expect(caller.closed).toBe(true);
  });
});

describe('a connection that had gone stale', () => {
  const die = (texts: readonly string[], flushed: boolean, routes: MeshOptions<RawPeer>['routes'] = [{}]) => {
    const run = start({ routes });
    const { mesh, upstream, caller } = run;
    caller.send(pipeline(...texts));
    if (flushed) mesh.settle();
    else while (caller.wire.pump());
    upstream.wire.break();
    mesh.settle();
    return { ...run, next: mesh.upstream().connections[1] };
  };

  it.each([
    ['reads', ['GET a', 'GET b', 'TTL c'], true],
    ['a write that never left', ['GET a', 'SET b 1', 'GET c'], false],
  ])('a run of %s is sent again, whole and once', (_what, texts, flushed) => {
    const run = die(texts, flushed);
    const { mesh, caller, next } = run;
    expect(next?.take()).toEqual(pipeline(...texts));
    expect(mesh.stat('upstream_retries_total')).toBe(1);
    next!.send('+1\r\n+2\r\n');
    mesh.settle();
    expect(caller.text).toBe('+1\r\n+2\r\n');
    next!.wire.break();
    mesh.settle();
    expect(caller.text).toMatch(/^\+1\r\n\+2\r\n-ERR upstream_reset[^\r]*\r\n$/);
    expect(mesh.upstream().connections.length).toBe(2);
    mesh.expectQuiet();
  });

  it.each([
    ['first', ['SET a 1', 'GET b', 'GET c']],
    ['last', ['GET a', 'GET b', 'SET c 1']],
  ])('a run with a write at its %s is not', (_where, texts) => {
    const { caller, next } = die(texts, true, [{ retry: { retries: 5 } }]);
    expect(next).toBeUndefined();
    expect(caller.text.match(/-ERR upstream_reset[^\r]*\r\n/g)?.length).toBe(3);
  });

  it.each([1, 2])(
    'others behind a run of which %i were answered are sent again, as behind a single one',
    (answered) => {
      const { mesh, upstream, caller } = start();
      const other = mesh.newCaller();
      caller.send(pipeline('SET a 1', 'SET b 1', 'SET c 1'));
      mesh.settle();
      other.send(pipeline('GET x', 'GET y'));
      mesh.settle();
      for (let left = answered; left > 0; left--) {
        upstream.send('+OK\r\n');
        mesh.settle();
      }
      upstream.wire.break();
      mesh.settle();
      expect(caller.text.split('\r\n').filter((line) => line.startsWith('-ERR upstream_reset')).length).toBe(
        3 - answered,
      );
      const next = mesh.upstream().connections[1]!;
      expect(next.take()).toEqual(pipeline('GET x', 'GET y'));
      next.send('+x\r\n+y\r\n');
      mesh.settle();
      expect(other.text).toBe('+x\r\n+y\r\n');
    },
  );

  it('a run with an empty command in its midst is sent again without that', () => {
    const { mesh, upstream, caller } = start();
    caller.send(Buffer.concat([command('GET a'), Buffer.from('*0\r\n'), pipeline('GET b', 'GET c')]));
    mesh.settle();
    expect(upstream.take()).toEqual(pipeline('GET a', 'GET b', 'GET c'));
    upstream.wire.break();
    mesh.settle();
    const next = mesh.upstream().connections[1]!;
    expect(next.take()).toEqual(pipeline('GET a', 'GET b', 'GET c'));
    next.send('+a\r\n+b\r\n+c\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n+c\r\n');
  });

  it('dies again: the second time only what the policy allows', () => {
    const { mesh, caller, next } = die(['GET a', 'GET b'], true, [{ retry: { retries: 2 } }]);
    next!.wire.break();
    mesh.settle();
    const third = mesh.upstream().connections[2]!;
    expect(third.take()).toEqual(pipeline('GET a', 'GET b'));
    third.send('+a\r\n+b\r\n');
    mesh.settle();
    expect(caller.text).toBe('+a\r\n+b\r\n');
  });
});
