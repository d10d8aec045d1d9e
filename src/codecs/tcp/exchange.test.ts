import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Mesh, type MeshOptions } from '../../../test/harness/mesh.ts';
import { RawPeer } from '../../../test/harness/raw-peer.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import { ConfigError } from '../../metaprotocol/config-error.ts';
import { parseTcpOptions } from './options.ts';
import { tcpFactory, tcpManifest } from './plugin.ts';

function start(options: Partial<MeshOptions<RawPeer>> = {}) {
  const mesh = watchLeaks(new Mesh({ factory: tcpFactory, upstreamPeer: (wire) => new RawPeer(wire), ...options }));
  const newCaller = () => mesh.caller((wire) => new RawPeer(wire));
  return { mesh, newCaller };
}

describe('opaque TCP', () => {
  it('passes bytes both ways, over a connection of its own for each caller', () => {
    const { mesh, newCaller } = start();
    const [a, b] = [newCaller(), newCaller()];
    a.send('from a');
    b.send('from b');
    mesh.settle();
    const [first, second] = mesh.upstream().connections;
    expect([first!.text, second!.text]).toEqual(['from a', 'from b']);
    second!.send('to b');
    first!.send('to a');
    mesh.settle();
    expect([a.text, b.text]).toEqual(['to a', 'to b']);
    for (const peer of [a, b, first!, second!]) peer.end();
    mesh.settle();
    const third = newCaller();
    mesh.settle();
    expect(mesh.upstream().connections.length).toBe(3);
    third.end();
    mesh.upstream().connections[2]!.end();
    mesh.settle();
  });

  it('connects before the caller says anything: the server may speak first', () => {
    const { mesh, newCaller } = start();
    const caller = newCaller();
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.send('220 ready');
    mesh.settle();
    expect(caller.take().toString()).toBe('220 ready');
    caller.send('HELO');
    mesh.settle();
    expect(upstream.text).toBe('HELO');
    caller.end();
    upstream.end();
    mesh.settle();
  });

  it.each(['caller', 'upstream'] as const)('keeps one direction open when the %s ended the other', (first) => {
    const { mesh, newCaller } = start();
    const caller = newCaller();
    mesh.settle();
    const upstream = mesh.upstream().connection;
    const [one, other] = first === 'caller' ? [caller, upstream] : [upstream, caller];
    one.send('last words');
    one.end();
    mesh.settle();
    expect(other.text).toBe('last words');
    expect(other.wire.ended).toBe(true);
    expect(one.wire.destroyed).toBe(false);
    other.send('answer');
    mesh.settle();
    expect(one.text).toBe('answer');
    other.end();
    mesh.settle();
    expect([caller.closed, upstream.closed]).toEqual([true, true]);
  });

  it('ends with either side, and where there is no upstream', () => {
    const { mesh, newCaller } = start();
    const [a, b] = [newCaller(), newCaller()];
    mesh.settle();
    const [first, second] = mesh.upstream().connections;
    a.wire.break();
    second!.send('x');
    mesh.settle();
    second!.wire.break();
    mesh.settle();
    expect([first!.wire.destroyed, b.closed]).toEqual([true, true]);
    mesh.upstream().mode = 'refuse';
    const c = newCaller();
    mesh.settle();
    expect([c.closed, c.text, c.wire.resetSent]).toEqual([true, '', true]);
    for (const peer of [b, c]) peer.end();
    mesh.settle();
  });

  it('passes a reset on as one: a FIN would say that all was sent', () => {
    const { mesh, newCaller } = start();
    const [a, b, c] = [newCaller(), newCaller(), newCaller()];
    mesh.settle();
    const [first, second, third] = mesh.upstream().connections;
    for (const upstream of [first!, second!, third!]) upstream.send('half of i');
    for (const caller of [a, b, c]) caller.send('half of i');
    mesh.settle();
    first!.wire.break();
    b.wire.break();
    third!.end();
    mesh.settle();
    expect([a.text, a.wire.resetSent, second!.wire.resetSent]).toEqual(['half of i', true, true]);
    expect([c.wire.ended, c.wire.resetSent]).toEqual([true, false]);
    c.end();
    mesh.settle();
    expect([third!.wire.ended, third!.wire.resetSent]).toEqual([true, false]);
  });

  it('stops reading what the other side does not take', () => {
    const { mesh, newCaller } = start({ codecOptions: { windowBytes: 2_048 } });
    const caller = newCaller();
    mesh.settle();
    const upstream = mesh.upstream().connection;
    upstream.reading = false;
    upstream.wire.capacityBytes = 1_000;
    let sent = 0;
    for (; sent < 4_000_000 && !caller.wire.paused; sent += 20_000) {
      caller.send(Buffer.alloc(20_000, 'x'));
      mesh.settle();
    }
    expect(sent).toBeLessThan(600_000);
    upstream.reading = true;
    upstream.wire.capacityBytes = Number.POSITIVE_INFINITY;
    mesh.settle();
    expect([caller.wire.paused, upstream.received.length]).toEqual([false, sent]);
    caller.end();
    upstream.end();
    mesh.settle();
  });
});

describe('the TCP plugin', () => {
  it('is described, and checks its options', () => {
    const page = readFileSync(new URL('../../../docs/codecs/tcp.md', import.meta.url), 'utf8');
    for (const { key, default: value } of tcpManifest.options) expect(page).toContain(`| \`${key}\` | ${value} |`);
    expect(parseTcpOptions({ windowBytes: 4_096 })).toEqual({ windowBytes: 4_096 });
    for (const raw of ['x', { windowBytes: 1 }, { x: 1 }]) expect(() => parseTcpOptions(raw)).toThrow(ConfigError);
  });
});
