/** What becomes of connections before they have a codec, on a toy protocol and a clock of the test's. TLS itself needs real sockets. */
import { describe, expect, it } from 'vitest';
import { OrderMesh } from '../../../test/harness/toy-mesh.ts';
import { LinePeer } from '../../../test/harness/toy-peers.ts';
import { toyOrder } from '../../../test/harness/toys/toy-order.ts';
import { watchLeaks } from '../../../test/harness/watch-leaks.ts';
import type { CodecFactory } from '../codec.ts';
import {
  type ChainMatch,
  type InspectionDescription,
  type RuntimeDescription,
  weightedCluster,
} from '../description.ts';

const { name: codec } = toyOrder.manifest;
const DETECT = { detect: [{ codec, applicationProtocols: ['lines'] }], detectBytes: 16, timeoutMs: 500 };

/** Cluster v1 is where detected callers go, v2 where the others do. */
function bench(inspection: Partial<InspectionDescription> = {}, detect?: CodecFactory['detect']) {
  const found: CodecFactory['detect'] = (head) => (head[0] === 0x47 ? (head.length > 3 ? 'match' : 'more') : 'reject');
  const factory = { ...toyOrder, detect: detect ?? found } as typeof toyOrder;
  const mesh = watchLeaks(new OrderMesh({ factory, clusters: { v1: 1, v2: 1 }, upstreamPeer: LinePeer.echo }));
  const describeWith = (matches: Readonly<Record<string, Partial<ChainMatch>>>): RuntimeDescription => {
    const description = mesh.describe();
    const [listener] = description.listeners;
    const [chain] = listener!.chains;
    const chains = Object.entries(matches).map(([cluster, match]) => {
      const [route] = chain!.routes.virtualHosts[0]!.routes;
      const clusters = [weightedCluster(cluster)];
      const virtualHosts = [{ name: 'all', domains: ['*'], routes: [{ ...route!, clusters }] }];
      return {
        ...chain!,
        name: cluster,
        match: { ...chain!.match, ...match },
        routes: { name: cluster, virtualHosts },
      };
    });
    const inspected = { ...listener!.inspection, ...DETECT, ...inspection };
    return { ...description, listeners: [{ ...listener!, chains, inspection: inspected }] };
  };
  const apply = (matches: Readonly<Record<string, Partial<ChainMatch>>>) => mesh.apply(describeWith(matches));
  const cameTo = () => [1, 2].map((cluster) => mesh.upstream(0, cluster).connections.length);
  apply({ v1: { applicationProtocols: ['lines'] }, v2: {} });
  return { mesh, apply, cameTo, describeWith };
}

describe('a connection', () => {
  it('takes the chain of its protocol, else the one for any', () => {
    const { mesh, cameTo } = bench();
    const [known, other] = [mesh.newCaller(), mesh.newCaller()];
    known.send('GET a\n', [1, 1, 2]);
    other.sendLines('get b');
    mesh.settle();
    expect([known.takeLines(), other.takeLines(), cameTo()]).toEqual([['+v-a'], ['+v-b'], [1, 1]]);
    expect(mesh.stat('downstream_connections_total')).toBe(2);
  });

  it('that says nothing is closed in time, counted and logged', () => {
    const { mesh } = bench();
    const caller = mesh.newCaller();
    mesh.advance(400);
    expect(caller.closed).toBe(false);
    mesh.advance(200);
    expect([caller.closed, mesh.stat('downstream_not_admitted_total')]).toEqual([true, 1]);
    expect(mesh.log).toEqual(['warn connection closed by what its first bytes are']);
  });

  it('that says nothing goes on where servers may speak first', () => {
    const { mesh, cameTo } = bench({ continueOnTimeout: true });
    const caller = mesh.newCaller();
    mesh.advance(600);
    caller.sendLines('GET c');
    mesh.settle();
    expect([caller.takeLines(), cameTo(), mesh.log]).toEqual([['+v-c'], [0, 1], []]);
  });

  it('that no chain takes is closed, counted and logged', () => {
    const { mesh, apply } = bench();
    apply({ v1: { applicationProtocols: ['lines'] }, v2: { transport: 'tls' } });
    const caller = mesh.newCaller();
    caller.sendLines('get');
    mesh.settle();
    expect([caller.closed, mesh.stat('downstream_no_chain_total')]).toEqual([true, 1]);
    expect(mesh.log).toEqual(['warn no filter chain matches this connection']);
  });

  it('survives a codec whose detection throws', () => {
    const { mesh, cameTo } = bench({}, () => {
      throw new Error('defect');
    });
    const caller = mesh.newCaller();
    caller.sendLines('GET a');
    mesh.settle();
    expect([caller.takeLines(), cameTo()]).toEqual([['+v-a'], [0, 1]]);
    expect(mesh.log).toEqual(['error codec failed in detect: defect']);
  });
});

describe('while a connection is inspected', () => {
  it('the configuration may change: it takes the chain of when it came, and drains if that is no more', () => {
    const { mesh, apply } = bench();
    const caller = mesh.newCaller();
    caller.send('GE');
    mesh.settle();
    apply({ v2: {} });
    caller.send('T a\n');
    mesh.settle();
    expect(caller.takeLines()).toEqual(['+v-a']);
    mesh.advance(300);
    expect(caller.takeLines()).toEqual(['>goaway']);
    expect(caller.closed).toBe(true);
    caller.end();
  });

  it('a drain ends it soon', async () => {
    const { mesh } = bench();
    const caller = mesh.newCaller();
    caller.send('GE');
    mesh.settle();
    const drained = mesh.plane.drain(600);
    expect(caller.closed).toBe(false);
    for (let turn = 0; turn < 18; turn++) {
      mesh.advance(20);
      await Promise.resolve();
    }
    await drained;
    mesh.settle();
    expect([caller.closed, mesh.log]).toEqual([true, []]);
  });
});

it('what cannot be detected is a fault of the listener', () => {
  const { mesh, describeWith } = bench();
  const description = describeWith({ v1: {} });
  const [listener] = description.listeners;
  const detect = ['none', codec].map((name) => ({ codec: name, applicationProtocols: [] }));
  const inspection = { ...listener!.inspection, detect, detectBytes: 0 };
  expect(mesh.plane.apply({ ...description, listeners: [{ ...listener!, inspection }] })).toEqual([
    {
      kind: 'listener',
      name: 'listener',
      path: 'inspection.detectBytes',
      message: '0 is not a number of bytes from 1 to 65536',
    },
    {
      kind: 'listener',
      name: 'listener',
      path: 'inspection.detect[0]',
      message: '"none": this proxy has no such codec',
    },
  ]);
});
