/** Rule 3: what nobody edited goes out byte for byte but for its id; an edit re-encodes the head and leaves the body alone. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { IdMesh, OrderMesh, ScriptedFilter, StreamMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { Kind, toyIdFrame } from '../../../test/harness/toys/toy-id.ts';
import { toyStreamRequest, toyStreamResponse } from '../../../test/harness/toys/toy-stream-message.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { type MutationDescription, NO_MUTATION } from '../description.ts';
import { FilterStatus } from '../filter.ts';
import { Flag } from '../message.ts';

const mutation = (change: Partial<MutationDescription>): MutationDescription => ({ ...NO_MUTATION, ...change });
const to = (requestMutation: MutationDescription, responseMutation: MutationDescription) => [
  { cluster: 'main', weight: 1, requestMutation, responseMutation },
];

describe('rule 3: mutation', () => {
  it('passes any unedited call and answer byte for byte but for the id', () => {
    const text = fc.string({ maxLength: 30 }).map((value) => value.replaceAll('\n', ' '));
    const frame = fc.record({
      id: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      attributes: fc.dictionary(
        fc.string({ minLength: 1, maxLength: 8 }).filter((key) => !/[=\n]/.test(key)),
        text,
      ),
      body: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    });
    fc.assert(
      fc.property(fc.array(frame, { minLength: 1, maxLength: 5 }), fc.array(fc.nat(40)), (frames, sizes) => {
        const mesh = new IdMesh();
        const caller = mesh.newCaller();
        const calls = frames.map((one) => toyIdFrame({ kind: Kind.Request, ...one }));
        caller.send(
          Buffer.concat(calls),
          sizes.map((size) => size + 1),
        );
        mesh.settle();
        const { connection } = mesh.upstream();
        const withoutId = (one: Buffer) => Buffer.from(one).fill(0, 6, 14);
        expect(withoutIds(connection.received)).toEqual(Buffer.concat(calls.map(withoutId)));
        const answers = connection.frames.map((asked, index) => ({ asked, ...frames[index]! }));
        connection.take();
        for (const { asked, attributes, body } of answers) connection.answer(asked, { attributes, body });
        mesh.settle();
        const expected = frames.map((one) => toyIdFrame({ kind: Kind.Response, ...one }));
        expect(caller.received).toEqual(Buffer.concat(expected));
        mesh.expectNoLeaks();
      }),
      { numRuns: 50 },
    );
  });

  it('applies the mutations of the chosen cluster, then those of the route, and leaves the body alone', () => {
    const mesh = watchLeaks(
      new IdMesh({
        routes: [
          {
            requestMutation: mutation({ set: [['tenant', 'route']], add: [['seen', 'route']], remove: ['secret'] }),
            responseMutation: mutation({ set: [['via', 'route']] }),
            clusters: to(
              mutation({
                set: [
                  ['tenant', 'cluster'],
                  ['secret', 'x'],
                ],
                add: [['zone', 'cluster']],
              }),
              mutation({
                add: [
                  ['via', 'cluster'],
                  ['by', 'cluster'],
                ],
              }),
            ),
          },
        ],
      }),
    );
    const caller = mesh.newCaller();
    const body = Buffer.from([0, 1, 2, 255]).toString('latin1');
    caller.call(1n, body, { method: 'get', tenant: 'caller', secret: 'x' });
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.frames).toMatchObject([{ head: 'method=get\nzone=cluster\ntenant=route\nseen=route\n', body }]);
    connection.answer(connection.takeFrames()[0]!, { attributes: { via: 'server' } });
    mesh.settle();
    expect(caller.frames).toMatchObject([{ head: 'by=cluster\nvia=route\n', body }]);
  });

  it('carries what filters edit, both ways', () => {
    const filter = new ScriptedFilter();
    filter.request = (_stream, request) => {
      request.set('stamp', 'request');
      return FilterStatus.Continue;
    };
    filter.response = (_stream, response) => {
      response.set('stamp', 'response');
      return FilterStatus.Continue;
    };
    const mesh = watchLeaks(new StreamMesh({ filters: [filter] }));
    const caller = mesh.newCaller();
    caller.codec.encode(1, toyStreamRequest({ method: 'put' }));
    caller.codec.data(1, Buffer.from('body'), true, true);
    mesh.settle();
    const { connection } = mesh.upstream();
    expect(connection.sink.heads[0]!.get('stamp')).toBe('request');
    expect(connection.sink.dataOf(1).toString()).toBe('body');
    connection.codec.encode(1, toyStreamResponse({ status: '0' }, Flag.End), null);
    mesh.settle();
    expect(caller.sink.heads[0]!.get('stamp')).toBe('response');
  });

  it('counts a change that one message cannot carry, and sends the message as it is', () => {
    const mesh = watchLeaks(
      new OrderMesh({
        upstreamPeer: LinePeer.echo,
        routes: [{ requestMutation: mutation({ set: [['key', 'two words']] }) }],
      }),
    );
    const caller = mesh.newCaller();
    caller.sendLines('GET k');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+v-k']);
    expect(mesh.stat('route_mutations_refused_total')).toBe(1);
  });

  it('refuses a configuration whose mutations the protocol can never carry', () => {
    const mesh = watchLeaks(new OrderMesh());
    const refused = (change: object) => mesh.plane.apply(mesh.describe([change])).map((issue) => issue.path);
    expect(refused({ responseMutation: mutation({ set: [['text', 'x']] }) })).toEqual([
      expect.stringContaining('responseMutation'),
    ]);
    expect(refused({ requestMutation: mutation({ set: [['command', 'DEL']] }) })).toEqual([
      expect.stringContaining('requestMutation'),
    ]);
    expect(refused({ clusters: to(mutation({ remove: ['unknown'] }), NO_MUTATION) })).toEqual([
      expect.stringContaining('requestMutation'),
    ]);
    expect(refused({ requestMutation: mutation({ set: [['key', 'x']] }) })).toEqual([]);
  });
});

/** Frames with zeroes for their ids. */
function withoutIds(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  for (let at = 0; at < copy.length; at += copy.readUInt32BE(at) + 4) copy.fill(0, at + 6, at + 14);
  return copy;
}
