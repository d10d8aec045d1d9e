/** All rules at once: whatever happens in whatever order, every request is answered once, in order, with its own answer, and nothing leaks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import {
  toyStreamRequest,
  toyStreamResponse,
  toyStreamTrailers,
} from '../../../test/harness/toys/toy-stream-message.ts';
import type { Stream } from '../filter.ts';
import { FilterStatus } from '../filter.ts';
import { Flag } from '../message.ts';
import { Status } from '../status.ts';

/** By default the same cases are tried each time; CHAOS_RUNS=50000 searches anew. */
const { CHAOS_RUNS } = process.env;
const SEARCH = CHAOS_RUNS === undefined ? { numRuns: 300, seed: 20_261_121 } : { numRuns: Number(CHAOS_RUNS) };
const PATIENT = { timeout: 600_000 };

describe('lines in order', () => {
  const command = fc.constantFrom(
    ...['GET', 'GET', 'GET', 'SET', 'SET', 'BLOCK', 'SELECT', 'PING', 'MULTI', 'EXEC', 'SUBSCRIBE', 'UNSUBSCRIBE'],
  );
  const step = fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: fc.constant('send' as const), caller: fc.nat(2), command }) },
    {
      weight: 5,
      arbitrary: fc.record({
        do: fc.constant('answer' as const),
        pick: fc.nat(9),
        count: fc.integer({ min: 1, max: 4 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('break' as const, 'end' as const, 'goaway' as const),
        pick: fc.nat(9),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('close' as const), caller: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 10, max: 400 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('resume' as const), pick: fc.nat(5) }) },
  );

  it('each caller reads the answers to its own requests, in their order', PATIENT, () => {
    fc.assert(
      fc.property(
        fc.array(step, { minLength: 10, maxLength: 80 }),
        fc.integer({ min: 1, max: 3 }),
        fc.integer({ min: 1, max: 2 }),
        (steps, concurrency, endpoints) => {
          const filter = new ScriptedFilter();
          const paused: Stream[] = [];
          filter.request = (stream, request) => {
            if (!/[05]$/.test(request.get('key') ?? '')) return FilterStatus.Continue;
            paused.push(stream);
            return FilterStatus.Pause;
          };
          /** Every line in the order in which the upstreams read it. */
          const arrivals: string[] = [];
          const mesh = new OrderMesh({
            clusters: { main: endpoints },
            routes: [{ timeoutMs: 300, retry: { retries: 1 } }],
            pool: { concurrency, maxConnections: 3, maxBound: 2 },
            codecOptions: { heldLimitBytes: 40 },
            filters: [filter],
            upstreamPeer: (wire) => {
              const peer = new LinePeer(wire);
              peer.respond = (line) => {
                arrivals.push(line);
                return null;
              };
              return peer;
            },
          });
          let serial = 0;
          const callerOf = new Map<string, LinePeer>();
          const arrive = () => ({ peer: mesh.newCaller(), sent: [] as string[] });
          const callers = [arrive(), arrive(), arrive()];
          const answered = new Map<LinePeer, number>();
          const connections = () =>
            [...Array(endpoints).keys()]
              .flatMap((number) => mesh.upstream(number).connections)
              .filter((one) => !one.closed);
          const answer = (connection: LinePeer | undefined, count: number) => {
            for (let left = count; connection !== undefined && left > 0; left--) {
              const at = answered.get(connection) ?? 0;
              const line = connection.lines[at];
              if (line === undefined) return;
              answered.set(connection, at + 1);
              connection.sendLines(line.startsWith('UNSUBSCRIBE') ? '+unsubscribed' : `+${line}`);
            }
          };
          /** With several endpoints a retry elsewhere may come behind what was sent there before. */
          const checkOrder = () => {
            const last = new Map<LinePeer, number>();
            for (const line of arrivals) {
              // What may be replayed may also come twice.
              if (!line.startsWith('SET ') || endpoints > 1) continue;
              const caller = callerOf.get(line)!;
              const position = Number(line.slice(4));
              expect(position).toBeGreaterThan(last.get(caller) ?? -1);
              last.set(caller, position);
            }
          };
          const check = ({ peer, sent }: (typeof callers)[number]) => {
            const lines = peer.lines.filter((line) => line !== '>goaway');
            expect(lines.length).toBeLessThanOrEqual(sent.length);
            lines.forEach((line, index) => {
              const asked = sent[index]!;
              if (/^(GET|SET|BLOCK|SELECT|SUBSCRIBE) /.test(asked))
                expect(line).toMatch(new RegExp(`^(\\+${asked}$|-)`));
              else expect(line).not.toMatch(/\+(GET|SET|BLOCK|SELECT)/);
            });
          };
          for (const one of steps) {
            const open = connections();
            if (one.do === 'send') {
              const caller = callers[one.caller]!;
              const keyed = /^(GET|SET|BLOCK|SELECT|(UN)?SUBSCRIBE)$/.test(one.command);
              const line = keyed ? `${one.command} ${serial++}` : one.command;
              callerOf.set(line, caller.peer);
              if (!caller.peer.closed) {
                caller.sent.push(line);
                caller.peer.sendLines(line);
              }
            } else if (one.do === 'answer') {
              mesh.settle();
              answer(connections()[one.pick % Math.max(1, connections().length)], one.count);
            } else if (one.do === 'close') {
              check(callers[one.caller]!);
              callers[one.caller]!.peer.wire.break();
              callers[one.caller] = arrive();
            } else if (one.do === 'wait') {
              mesh.advance(one.ms);
            } else if (one.do === 'settle') {
              mesh.settle();
            } else if (one.do === 'resume') {
              paused.splice(one.pick % Math.max(1, paused.length), 1)[0]?.resume();
            } else {
              const connection = open[one.pick % Math.max(1, open.length)];
              if (one.do === 'break') connection?.wire.break();
              else if (one.do === 'end') connection?.end();
              else connection?.sendLines('>goaway');
            }
            callers.forEach(check);
          }
          // Everything still asked is answered or times out; MULTI without EXEC keeps its caller bound, so that caller leaves.
          for (let round = 0; round < 40; round++) {
            for (const stream of paused.splice(0)) stream.resume();
            mesh.advance(20);
            for (const connection of connections()) answer(connection, 100);
          }
          mesh.advance(1_000);
          checkOrder();
          for (const caller of callers) {
            check(caller);
            const answers = caller.peer.lines.filter((line) => line !== '>goaway').length;
            if (!caller.peer.closed) expect(answers).toBe(caller.sent.length);
            caller.peer.wire.break();
          }
          mesh.settle();
          mesh.expectNoLeaks();
        },
      ),
      SEARCH,
    );
  });
});

describe('streams', () => {
  const size = fc.constantFrom(0, 1, 500, 5_000, 30_000);
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ do: fc.constant('open' as const), caller: fc.nat(1), end: fc.boolean() }) },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('upload' as const),
        caller: fc.nat(1),
        pick: fc.nat(9),
        size,
        end: fc.boolean(),
      }),
    },
    {
      weight: 4,
      arbitrary: fc.record({
        do: fc.constant('respond' as const),
        pick: fc.nat(9),
        size,
        how: fc.constantFrom('head', 'data', 'end', 'trailers', 'reset'),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('cancel' as const), caller: fc.nat(1), pick: fc.nat(9) }) },
    {
      weight: 1,
      arbitrary: fc.record({
        do: fc.constantFrom('break' as const, 'goaway' as const, 'deaf' as const),
        pick: fc.nat(9),
      }),
    },
    { weight: 1, arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 10, max: 600 }) }) },
    { weight: 2, arbitrary: fc.record({ do: fc.constant('settle' as const) }) },
  );

  it('bodies arrive whole and in order at the right stream, and every slot comes back', PATIENT, () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 10, maxLength: 80 }), (steps) => {
        const mesh = new StreamMesh({
          clusters: { main: 2 },
          routes: [{ timeoutMs: 500, retry: { retries: 1 } }],
          pool: { concurrency: 3, maxConnections: 2 },
        });
        const callers = [mesh.newCaller(), mesh.newCaller()].map((peer, index) => ({
          peer,
          index,
          next: 1,
          /** Streams whose request is open, with what was uploaded so far. */
          open: new Map<number, number>(),
        }));
        const upstreams = () =>
          [0, 1].flatMap((number) => mesh.upstream(number).connections).filter((one) => !one.closed);
        const served = () =>
          upstreams().flatMap((connection) => {
            const gone = new Set(connection.sink.events.flatMap((event) => (event.kind === 'reset' ? [event.id] : [])));
            return connection.sink.headIds.filter((id) => !gone.has(id)).map((id) => ({ connection, id }));
          });
        const state = new WeakMap<object, Map<number, 'head' | 'done'>>();
        const body = (who: string, from: number, bytes: number) =>
          Buffer.from(
            Array.from(
              { length: bytes },
              (_, at) => (who.length * 31 + who.charCodeAt(who.length - 1) + from + at) & 0xff,
            ),
          );
        for (const one of steps) {
          if (one.do === 'open') {
            const caller = callers[one.caller]!;
            const id = caller.next++;
            const who = `${caller.index}-${id}`;
            caller.peer.codec.encode(id, toyStreamRequest({ method: 'getPut', who }, one.end ? Flag.End : 0));
            if (!one.end) caller.open.set(id, 0);
          } else if (one.do === 'upload') {
            const caller = callers[one.caller]!;
            const ids = [...caller.open.keys()];
            const id = ids[one.pick % Math.max(1, ids.length)];
            if (id === undefined) continue;
            const from = caller.open.get(id)!;
            caller.peer.codec.data(id, body(`${caller.index}-${id}`, from, one.size), one.end, true);
            caller.open.set(id, from + one.size);
            if (one.end) caller.open.delete(id);
          } else if (one.do === 'respond') {
            mesh.settle();
            const all = served();
            const chosen = all[one.pick % Math.max(1, all.length)];
            if (chosen === undefined) continue;
            const { connection, id } = chosen;
            const states = state.get(connection) ?? new Map<number, 'head' | 'done'>();
            state.set(connection, states);
            if (states.get(id) === 'done') continue;
            const who = connection.sink.events.find((event) => event.kind === 'head' && event.id === id);
            const name = who?.kind === 'head' ? who.head.get('who')! : '';
            if (one.how === 'reset') {
              connection.codec.reset(id, Status.refused);
              states.set(id, 'done');
              continue;
            }
            if (states.get(id) === undefined) {
              connection.codec.encode(id, toyStreamResponse({ who: name }), null);
              states.set(id, 'head');
            }
            if (one.how === 'head') continue;
            const ends = one.how === 'end';
            connection.codec.data(id, body(name, 0, one.size), ends, true);
            if (one.how === 'trailers') connection.codec.trailers(id, toyStreamTrailers({ status: '0' }));
            // One chunk for each stream keeps what it must be easy to say.
            if (one.how === 'data') connection.codec.data(id, Buffer.alloc(0), true, true);
            states.set(id, 'done');
          } else if (one.do === 'cancel') {
            const caller = callers[one.caller]!;
            const id = 1 + (one.pick % Math.max(1, caller.next - 1));
            caller.peer.codec.reset(id, Status.downstream_reset);
            caller.open.delete(id);
          } else if (one.do === 'wait') {
            mesh.advance(one.ms);
          } else if (one.do === 'settle') {
            mesh.settle();
          } else {
            const connection = upstreams()[one.pick % Math.max(1, upstreams().length)];
            if (one.do === 'break') connection?.wire.break();
            else if (one.do === 'goaway') connection?.codec.goAway();
            else if (connection !== undefined) connection.reading = !connection.reading;
          }
        }
        for (const connection of upstreams()) connection.reading = true;
        // Uploads that never end have no timeout: their callers give them up.
        for (const { peer, open } of callers)
          for (const id of open.keys()) peer.codec.reset(id, Status.downstream_reset);
        mesh.advance(2_000);
        for (const { connection, id } of served()) {
          const head = connection.sink.events.find((event) => event.kind === 'head' && event.id === id);
          const name = head?.kind === 'head' ? head.head.get('who')! : '';
          const received = connection.sink.dataOf(id);
          expect(received.equals(body(name, 0, received.length))).toBe(true);
        }
        for (const { peer, index } of callers) {
          expect(peer.sink.error).toBeNull();
          for (const event of peer.sink.events) {
            if (event.kind !== 'head' || event.head.get('error') !== undefined) continue;
            expect(event.head.get('who')).toBe(`${index}-${event.id}`);
            const received = peer.sink.dataOf(event.id);
            expect(received.equals(body(`${index}-${event.id}`, 0, received.length))).toBe(true);
          }
        }
        mesh.expectNoLeaks();
      }),
      SEARCH,
    );
  });
});
