/** Rule 1: the core believes only ids it allocated; a caller never gets another caller's answer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdMesh } from '../../../test/harness/toy-mesh.ts';
import { Kind, toyIdFrame } from '../../../test/harness/toys/toy-id.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';

let mesh: IdMesh;
const start = (options: ConstructorParameters<typeof IdMesh>[0] = {}) => {
  mesh = watchLeaks(new IdMesh({ pool: { maxConnections: 1 }, ...options }));
};
const caller = () => mesh.newCaller();

describe('rule 1: ids', () => {
  it('gives each caller its own answer under its own id, though all use the same ids on one connection', () => {
    start();
    const callers = [caller(), caller(), caller()];
    const id = 2n ** 64n - 2n;
    callers.forEach((one, index) => {
      one.call(id, `from ${index}`);
    });
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames.map((frame) => frame.body)).toEqual(['from 0', 'from 1', 'from 2']);
    expect(new Set(connection.frames.map((frame) => frame.id)).size).toBe(3);
    for (const frame of connection.takeFrames().reverse()) connection.answer(frame, { body: `to ${frame.body}` });
    mesh.settle();
    expect(callers.map((one) => one.takeTexts())).toEqual([0, 1, 2].map((index) => [`${id} to from ${index}`]));
  });

  it('pairs repeated ids of one caller in any order of answers', () => {
    start();
    const one = caller();
    for (const body of ['a', 'b', 'c']) one.call(7n, body);
    mesh.settle();
    const { connection } = mesh.upstream();
    const [a, b, c] = connection.takeFrames();
    connection.answer(c!);
    connection.answer(a!);
    mesh.settle();
    connection.answer(b!);
    mesh.settle();
    expect(one.takeTexts()).toEqual(['7 c', '7 a', '7 b']);
  });

  it('drops and counts answers under ids that nobody asked with', () => {
    start();
    const one = caller();
    one.call(7n, 'a');
    mesh.settle();
    const { connection } = mesh.upstream();
    const [asked] = connection.takeFrames();
    for (const id of [asked!.id + 1n, 0n, 2n ** 31n, 2n ** 32n + asked!.id, 2n ** 63n]) {
      connection.send(toyIdFrame({ kind: Kind.Response, id, body: 'not yours' }));
    }
    mesh.settle();
    expect(one.takeTexts()).toEqual([]);
    connection.answer(asked!);
    connection.answer(asked!, { body: 'twice' });
    mesh.settle();
    expect(one.takeTexts()).toEqual(['7 a']);
    expect(mesh.stat('upstream_unknown_answers_total')).toBe(6);
  });

  it('drops the late answer of a call that timed out, and keeps its slot until then', () => {
    start({ routes: [{ timeoutMs: 100 }], pool: { maxConnections: 1, concurrency: 1 } });
    const one = caller();
    const other = caller();
    one.call(1n, 'slow');
    mesh.settle();
    const { connection } = mesh.upstream();
    const [slow] = connection.takeFrames();
    mesh.advance(90);
    other.call(1n, 'next');
    mesh.advance(40);
    expect(one.takeFrames()).toMatchObject([{ id: 1n, head: expect.stringContaining('error=timeout') }]);
    // The slot is owed: the next call may not take the connection before the late answer came.
    expect(connection.frames).toEqual([]);
    connection.answer(slow!, { body: 'too late' });
    mesh.settle();
    expect([one.takeTexts(), other.takeTexts()]).toEqual([[], []]);
    const [next] = connection.takeFrames();
    connection.answer(next!);
    mesh.settle();
    expect([one.takeTexts(), other.takeTexts()]).toEqual([[], ['1 next']]);
  });

  it('closes a connection whose owed answer never comes', () => {
    start({ routes: [{ timeoutMs: 100 }], pool: { maxConnections: 1, concurrency: 1 } });
    const one = caller();
    one.call(1n, 'lost');
    mesh.advance(200);
    expect(one.takeFrames()).toMatchObject([{ head: expect.stringContaining('error=timeout') }]);
    expect(mesh.upstream().connection.closed).toBe(false);
    mesh.advance(120_000);
    expect(mesh.upstream().connections[0]!.closed).toBe(true);
    mesh.upstream().connections.length = 0;
    one.call(2n, 'again');
    mesh.settle();
    const { connection } = mesh.upstream();
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(one.takeTexts()).toEqual(['2 again']);
  });

  it('drops the answer of a caller that closed, whoever calls next', () => {
    start();
    const gone = caller();
    gone.call(5n, 'secret');
    mesh.settle();
    const { connection } = mesh.upstream();
    const [secret] = connection.takeFrames();
    gone.wire.break();
    mesh.settle();
    mesh.expectQuiet();
    const next = caller();
    next.call(5n, 'mine');
    mesh.settle();
    connection.answer(secret!);
    connection.answer(connection.takeFrames()[0]!);
    mesh.settle();
    expect(next.takeTexts()).toEqual(['5 mine']);
    expect(gone.takeTexts()).toEqual([]);
  });

  it('under random order, loss, repetition and invention of answers no caller sees what is not its own', () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant('call' as const), caller: fc.nat(3), id: fc.integer({ min: 0, max: 2 }) }),
      fc.record({ do: fc.constant('answer' as const), pick: fc.nat(20) }),
      fc.record({ do: fc.constant('repeat' as const), pick: fc.nat(20) }),
      fc.record({ do: fc.constant('invent' as const), id: fc.bigInt({ min: 0n, max: 40n }) }),
      fc.record({ do: fc.constant('close' as const), caller: fc.nat(3) }),
      fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        mesh = new IdMesh({ routes: [{ timeoutMs: 200 }], pool: { maxConnections: 2, concurrency: 3 } });
        let named = 0;
        const arrive = () => ({ name: `caller-${named++}`, peer: caller() });
        const callers = Array.from({ length: 4 }, arrive);
        const check = ({ name, peer }: (typeof callers)[number]) => {
          // An empty body is a local error; all else must be what this caller asked.
          for (const text of peer.takeTexts()) expect(text).toMatch(new RegExp(`^\\d ($|${name} )`));
        };
        const answered: (() => void)[] = [];
        let calls = 0;
        for (const one of steps) {
          const { connections } = mesh.upstream();
          if (one.do === 'call') {
            const { name, peer } = callers[one.caller]!;
            peer.call(BigInt(one.id), `${name} call ${calls++}`);
          } else if (one.do === 'wait') {
            mesh.advance(one.ms);
          } else if (one.do === 'close') {
            callers[one.caller]!.peer.wire.break();
            mesh.settle();
            check(callers[one.caller]!);
            callers[one.caller] = arrive();
          } else if (one.do === 'invent') {
            for (const connection of connections) {
              const asked = connection.frames.some((frame) => frame.id === one.id);
              if (!asked) connection.send(toyIdFrame({ kind: Kind.Response, id: one.id, body: 'invented' }));
            }
          } else if (one.do === 'repeat') {
            answered[one.pick % Math.max(1, answered.length)]?.();
          } else {
            const open = connections.flatMap((connection) => connection.frames.map((frame) => ({ connection, frame })));
            const chosen = open[one.pick % Math.max(1, open.length)];
            if (chosen !== undefined) {
              chosen.connection.frames.splice(chosen.connection.frames.indexOf(chosen.frame), 1);
              answered.push(() => chosen.connection.answer(chosen.frame));
              answered.at(-1)!();
            }
          }
          mesh.settle();
        }
        callers.forEach(check);
        mesh.advance(300);
        mesh.expectNoLeaks();
      }),
      { numRuns: 200 },
    );
  });
});
