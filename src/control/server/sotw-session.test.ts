import { describe, expect, it } from 'vitest';
import { cluster, endpoints, listener, routes } from '../../../test/harness/xds-resources.ts';
import { Xds } from '../../xds/xds.ts';
import { CDS, EDS, FakeSotwClient, LDS, RDS } from './testing/fake-clients.ts';

const xds = Xds.load();
const web = listener('web', 'r');

describe('rule 1: versions are hashes of content', () => {
  it('are the same from another process, and change with the content', () => {
    const one = new FakeSotwClient(xds, cluster('a'), cluster('b'));
    const other = new FakeSotwClient(Xds.load(), cluster('b'), cluster('a'));
    for (const client of [one, other]) client.subscribe(CDS);
    const { versionInfo } = one.last(CDS);
    expect(other.last(CDS).versionInfo).toBe(versionInfo);
    one.ack(CDS);
    one.generate(cluster('a'));
    expect(one.last(CDS).versionInfo).not.toBe(versionInfo);
  });
});

describe('rule 2: one response in flight per type', () => {
  it('coalesces to the newest, and sends the same set once', () => {
    const client = new FakeSotwClient(xds, cluster('a'));
    client.subscribe(CDS);
    client.generate(cluster('a', '2s'));
    client.generate(cluster('a', '3s'), cluster('b'));
    expect(client.received()).toEqual(['Cluster a']);
    client.ack(CDS);
    client.ack(CDS);
    client.generate(cluster('a', '3s'), cluster('b'));
    expect(client.received()).toEqual(['Cluster a b']);
  });

  it('resends nothing after a NACK, not even when asked, until the content changes', () => {
    const client = new FakeSotwClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.nack(CDS, { a: 'bad' });
    client.generate(cluster('a'), cluster('b'));
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster a b']);
    client.generate(cluster('a', '2s'), cluster('b'));
    expect(client.received()).toEqual(['Cluster a b']);
  });
});

describe('rule 3: nonces and subscriptions', () => {
  it('ignores a request with an older nonce', () => {
    const client = new FakeSotwClient(xds, endpoints('a', 1), endpoints('b', 2));
    client.subscribe(EDS, 'a');
    const old = client.last(EDS).nonce;
    client.ack(EDS);
    client.generate(endpoints('a', 7), endpoints('b', 2));
    client.ack(EDS, old);
    expect(client.status(EDS, 'a').state).toBe('sent');
    expect(client.received()).toEqual(['ClusterLoadAssignment a', 'ClusterLoadAssignment a']);
  });

  it('answers a changed subscription, with an answer in the same request or without', () => {
    const client = new FakeSotwClient(xds, endpoints('a', 1), endpoints('b', 2), endpoints('c', 3));
    client.subscribe(EDS, 'a');
    client.subscribe(EDS, 'a', 'b');
    client.ack(EDS);
    client.subscribe(EDS, 'a', 'b', 'c');
    client.ack(EDS);
    expect(client.received()).toEqual([
      'ClusterLoadAssignment a',
      'ClusterLoadAssignment b',
      'ClusterLoadAssignment c',
    ]);
    // Dropped, and wanted again in the same version.
    client.subscribe(EDS, 'a');
    client.subscribe(EDS, 'a', 'b');
    expect(client.received()).toEqual(['ClusterLoadAssignment b']);
  });
});

describe('rule 4: subscriptions', () => {
  it('LDS and CDS are complete, RDS and EDS as far as they changed', () => {
    const client = new FakeSotwClient(xds, cluster('a'), cluster('b'), endpoints('a', 1), endpoints('b', 2));
    client.subscribe(CDS);
    client.subscribe(EDS, 'a', 'b');
    client.ack(CDS);
    client.ack(EDS);
    client.generate(cluster('a', '2s'), cluster('b'), endpoints('a', 7), endpoints('b', 2));
    expect(client.received()).toEqual([
      'Cluster a b',
      'ClusterLoadAssignment a b',
      'Cluster a b',
      'ClusterLoadAssignment a',
    ]);
    client.ack(CDS);
    client.ack(EDS);
    client.generate(cluster('b'), endpoints('b', 2));
    expect(client.received()).toEqual(['Cluster b']);
  });

  it('an empty first subscription of LDS and CDS means all, until names are given', () => {
    const client = new FakeSotwClient(xds, cluster('a'), cluster('b'), endpoints('a', 1));
    client.subscribe(CDS);
    client.subscribe(EDS);
    client.subscribe(CDS, 'a');
    client.ack(CDS);
    client.subscribe(CDS, '*');
    expect(client.received()).toEqual(['Cluster a b', 'ClusterLoadAssignment', 'Cluster a', 'Cluster a b']);
  });

  it('answers a type it does not serve, once', () => {
    const client = new FakeSotwClient(xds);
    client.subscribe('type.googleapis.com/envoy.extensions.Unknown', 'x');
    client.ack('type.googleapis.com/envoy.extensions.Unknown');
    expect(client.received()).toEqual(['Unknown']);
  });
});

describe('rule 5: order', () => {
  const before = [cluster('v1'), endpoints('v1', 1), web, routes('r', 'v1')];
  const after = [cluster('v1'), cluster('v2'), endpoints('v2', 2), listener('new', 'n'), web, routes('r', 'v2')];

  it('sends clusters, endpoints, listeners, routes, and waits for no ACK', () => {
    const client = new FakeSotwClient(xds, ...before);
    client.connect(['v1', 'v2'], ['r']);
    client.generate(...after);
    expect(client.received()).toEqual([
      'Cluster v1 v2',
      'ClusterLoadAssignment v2',
      'Listener new web',
      'RouteConfiguration r',
    ]);
  });

  it('holds routes back while the clusters they name cannot be sent', () => {
    const client = new FakeSotwClient(xds, ...before);
    client.connect(['v1', 'v2'], ['r']);
    client.generate(cluster('v1', '9s'), ...before.slice(1));
    client.generate(...after);
    expect(client.received()).toEqual(['Cluster v1', 'ClusterLoadAssignment v2']);
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster v1 v2', 'Listener new web', 'RouteConfiguration r']);
  });

  it('answers a client that asks for endpoints again after a cluster changed', () => {
    const client = new FakeSotwClient(xds, ...before);
    client.connect(['v1'], ['r']);
    client.generate(cluster('v1', '5s'), ...before.slice(1));
    client.subscribe(EDS, 'v1');
    expect(client.received()).toEqual(['Cluster v1', 'ClusterLoadAssignment v1']);
    // Its ACK is not one more question.
    client.ack(EDS);
    expect(client.received()).toEqual([]);
  });
});

describe('rule 6: make before break', () => {
  const both = [cluster('v1'), endpoints('v1', 1), cluster('v2'), endpoints('v2', 2), web, routes('r', 'v1')];
  const only2 = [cluster('v2'), endpoints('v2', 2), web, routes('r', 'v2')];

  function connected(): FakeSotwClient {
    const client = new FakeSotwClient(xds, ...both);
    client.connect(['v1', 'v2'], ['r']);
    return client;
  }

  it('drops a cluster only when the route that named it is replaced and acknowledged', () => {
    const client = connected();
    client.generate(...only2);
    expect(client.received()).toEqual(['RouteConfiguration r']);
    client.ack(RDS);
    expect(client.received()).toEqual(['Cluster v2']);
  });

  it('keeps it while the client refuses the new route', () => {
    const client = connected();
    client.generate(...only2);
    client.nack(RDS, { r: 'no such method' });
    client.generate(...only2, cluster('v3'));
    expect(client.received()).toEqual(['RouteConfiguration r', 'Cluster v2 v3 v1']);
  });

  it('takes a whole service away from the outside in', () => {
    const client = connected();
    client.generate(cluster('v2'), endpoints('v2', 2));
    expect(client.received()).toEqual(['Listener']);
    client.ack(LDS);
    // Nothing says that the route is gone, but no listener names it any more.
    expect(client.received()).toEqual(['Cluster v2']);
    expect(client.session.resources.status(() => null).map(({ name }) => name)).toEqual(['v2', 'v2', 'v1']);
    client.ack(CDS);
    expect(client.session.resources.status(() => null).map(({ name }) => name)).toEqual(['v2', 'v2']);
    client.generate(...both);
    client.ack(CDS);
    expect(client.received()).toEqual([
      'Cluster v1 v2',
      'ClusterLoadAssignment v1',
      'Listener web',
      'RouteConfiguration r',
    ]);
  });
});

describe('rule 8: validity per resource', () => {
  it('takes what a NACK does not name as acknowledged, and hears one behind the ACK', () => {
    const client = new FakeSotwClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.nack(CDS, { b: 'bad' });
    expect(client.status(CDS, 'a').state).toBe('acknowledged');
    expect(client.status(CDS, 'b')).toMatchObject({ state: 'rejected', acknowledgedVersion: null });
    client.generate(cluster('a'), cluster('b', '2s'));
    client.ack(CDS);
    const good = client.status(CDS, 'b').version;
    client.generate(cluster('a'), cluster('b', '3s'));
    client.ack(CDS);
    client.nack(CDS, { b: 'bad after all' });
    expect(client.status(CDS, 'b')).toMatchObject({ state: 'rejected', acknowledgedVersion: good });
  });

  it('does not doubt what was acknowledged before, though LDS and CDS are sent whole', () => {
    const client = new FakeSotwClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.ack(CDS);
    client.generate(cluster('a'), cluster('b', '2s'));
    client.nack(CDS, {}, 'out of memory');
    expect(client.status(CDS, 'a').state).toBe('acknowledged');
    expect(client.status(CDS, 'b')).toMatchObject({ state: 'rejected', rejection: { message: 'out of memory' } });
  });
});
