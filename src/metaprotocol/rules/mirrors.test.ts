/** Rule 8, mirrors of protocols that place requests by key: in parts, and on connections that callers are bound to. */
import { describe, expect, it } from 'vitest';
import { OrderMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import type { ClusterDescription } from '../description.ts';

const ring: ClusterDescription['balancer'] = { policy: 'ring_hash', minimumRingSize: 64, maximumRingSize: 1_024 };
const all = (cluster: string, fraction = 1_000_000) => ({ cluster, fraction });
const KEYS = ['k1', 'k2', 'k3', 'k4', 'k5', 'k6'];

class MirrorMesh extends OrderMesh {
  constructor(endpoints: { main: number; shadow: number; second?: number }, mirrors = [all('shadow')]) {
    super({
      clusters: endpoints,
      balancer: ring,
      routes: [{ hashOn: ['key'], mirrors }],
      upstreamPeer: LinePeer.echo,
    });
  }

  /** What each endpoint of the cluster was told since. */
  told(cluster: number, endpoints: number): string[][] {
    return Array.from({ length: endpoints }, (_, number) =>
      this.upstream(number, cluster).connections.flatMap((connection) => connection.takeLines()),
    );
  }
}

describe('rule 8: mirrors of requests with keys', () => {
  it('gets each part of a split request where its keys are', () => {
    const mesh = watchLeaks(new MirrorMesh({ main: 1, shadow: 3 }));
    const caller = mesh.newCaller();
    for (const key of KEYS) caller.sendLines(`GET ${key}`);
    mesh.settle();
    const owned = mesh.told(2, 3).map((lines) => lines.map((line) => line.slice('GET '.length)));
    expect(owned.filter((keys) => keys.length > 0).length).toBeGreaterThan(1);
    caller.sendLines(`MGET ${KEYS.join(' ')}`);
    mesh.settle();
    expect(mesh.told(2, 3)).toEqual(owned.map((keys) => (keys.length > 0 ? [`MGET ${keys.join(' ')}`] : [])));
    expect(caller.takeLines().length).toBe(KEYS.length + 1);
  });

  it('runs a transaction whole or not at all', () => {
    const mesh = watchLeaks(new MirrorMesh({ main: 1, shadow: 3 }));
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET k1 1', 'SET k1 2', 'EXEC');
    mesh.settle();
    expect(mesh.told(2, 3).flat()).toEqual(['MULTI', 'SET k1 1', 'SET k1 2', 'EXEC']);
    caller.sendLines('MULTI');
    for (const key of KEYS) caller.sendLines(`SET ${key} 1`);
    caller.sendLines('EXEC', 'GET k1');
    mesh.settle();
    const told = mesh.told(2, 3).flat();
    expect(told).not.toContain('EXEC');
    expect(told.at(-1)).toBe('GET k1');
    // One behind the other, at different endpoints.
    for (const key of KEYS) caller.sendLines('MULTI', `SET ${key} 1`, 'EXEC');
    mesh.settle();
    expect(
      mesh
        .told(2, 3)
        .flat()
        .filter((line) => line === 'EXEC').length,
    ).toBe(KEYS.length);
    expect(caller.takeLines().length).toBe(4 + KEYS.length + 3 + 3 * KEYS.length);
  });

  it('draws a transaction once', () => {
    for (const [draws, expected] of [
      [
        [0.1, 0.9, 0.9, 0.9],
        ['MULTI', 'SET a 1', 'SET b 1', 'EXEC'],
      ],
      [[0.9, 0.1, 0.1, 0.1], []],
    ] as const) {
      const mesh = watchLeaks(new MirrorMesh({ main: 1, shadow: 1 }, [all('shadow', 500_000)]));
      const caller = mesh.newCaller();
      for (const [index, line] of ['MULTI', 'SET a 1', 'SET b 1', 'EXEC'].entries()) {
        mesh.random = draws[Math.max(0, index - 1)]!;
        caller.sendLines(line);
        mesh.settle();
      }
      expect(mesh.told(2, 1).flat()).toEqual(expected);
      expect(caller.takeLines().length).toBe(4);
    }
  });

  it('gives the caller a connection of its own at each of several mirrors', () => {
    const mesh = watchLeaks(new MirrorMesh({ main: 1, shadow: 1, second: 1 }, [all('shadow'), all('second')]));
    const caller = mesh.newCaller();
    caller.sendLines('MULTI', 'SET a 1', 'EXEC');
    mesh.settle();
    for (const cluster of [2, 3]) expect(mesh.told(cluster, 1)).toEqual([['MULTI', 'SET a 1', 'EXEC']]);
    expect(caller.takeLines()).toEqual(['+OK', '+v-a v-1', '+']);
  });
});
