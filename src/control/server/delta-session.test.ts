import { describe, expect, it } from 'vitest';
import { cluster, endpoints, listener, routes } from '../../../test/harness/xds-resources.ts';
import { Xds } from '../../xds/xds.ts';
import { CDS, EDS, FakeDeltaClient, LDS, RDS } from './testing/fake-clients.ts';

const xds = Xds.load();
const web = listener('web', 'r');

function versionsOf(client: FakeDeltaClient, typeUrl: string): Record<string, string> {
  return Object.fromEntries(
    client.responses
      .filter((one) => one.typeUrl === typeUrl)
      .flatMap((one) => one.resources)
      .map(({ name, version }) => [name, version]),
  );
}

describe('rule 1: versions are hashes of content', () => {
  it('are the same from another process, in another order', () => {
    const one = new FakeDeltaClient(xds, cluster('a'), cluster('b'));
    const other = new FakeDeltaClient(Xds.load(), cluster('b'), cluster('a'));
    for (const client of [one, other]) client.subscribe(CDS);
    expect(versionsOf(other, CDS)).toEqual(versionsOf(one, CDS));
    expect(other.last(CDS).systemVersionInfo).toBe(one.last(CDS).systemVersionInfo);
    one.ack(CDS);
    one.generate(cluster('a', '2s'), cluster('b'));
    expect(one.last(CDS).systemVersionInfo).not.toBe(other.last(CDS).systemVersionInfo);
  });

  it('a client that reconnects gets an answer with nothing in it', () => {
    const before = new FakeDeltaClient(xds, cluster('a'), web);
    before.subscribe(CDS);
    before.subscribe(LDS);
    const after = new FakeDeltaClient(xds, cluster('a'), web);
    after.subscribe(CDS, [], versionsOf(before, CDS));
    after.subscribe(LDS, [], versionsOf(before, LDS));
    expect(after.received()).toEqual(['Cluster', 'Listener']);
    expect(after.status(CDS, 'a').state).toBe('acknowledged');
  });
});

describe('rule 2: one response in flight per type', () => {
  it('coalesces what changes meanwhile to the newest', () => {
    const client = new FakeDeltaClient(xds, cluster('a'));
    client.subscribe(CDS);
    client.generate(cluster('a', '2s'));
    client.generate(cluster('a', '3s'), cluster('b'));
    expect(client.received()).toEqual(['Cluster +a']);
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster +a +b']);
    client.ack(CDS);
    expect(client.received()).toEqual([]);
  });

  it('sends nothing for what came and went meanwhile', () => {
    const client = new FakeDeltaClient(xds, cluster('a'));
    client.subscribe(CDS);
    client.generate(cluster('a', '2s'));
    client.generate(cluster('a'));
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster +a']);
  });

  it('resends nothing after a NACK until the content changes', () => {
    const client = new FakeDeltaClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.nack(CDS, { a: 'bad' });
    client.generate(cluster('a'), cluster('b'));
    client.generate(cluster('a'), cluster('b', '2s'));
    client.ack(CDS);
    client.generate(cluster('a', '2s'), cluster('b', '2s'));
    expect(client.received()).toEqual(['Cluster +a +b', 'Cluster +b', 'Cluster +a']);
  });
});

describe('rule 3: nonces and subscriptions', () => {
  it('ignores the answer to an older response, but not the subscription in it', () => {
    const client = new FakeDeltaClient(xds, endpoints('a', 1), endpoints('b', 2));
    client.subscribe(EDS, ['a']);
    const old = client.last(EDS).nonce;
    client.ack(EDS);
    client.generate(endpoints('a', 7), endpoints('b', 2));
    client.ack(EDS, old);
    client.nack(EDS, { a: 'late' }, 'late', old);
    client.subscribe(EDS, ['b']);
    expect(client.status(EDS, 'a')).toMatchObject({ state: 'sent', rejection: null });
    expect(client.received()).toEqual(['ClusterLoadAssignment +a', 'ClusterLoadAssignment +a']);
    client.ack(EDS);
    expect(client.received()).toEqual(['ClusterLoadAssignment +b']);
  });

  it('answers a name that is subscribed again though its version is the same', () => {
    const client = new FakeDeltaClient(xds, endpoints('a', 1));
    client.subscribe(EDS, ['a']);
    client.ack(EDS);
    client.unsubscribe(EDS, 'a');
    client.subscribe(EDS, ['a']);
    client.ack(EDS);
    client.subscribe(EDS, ['a']);
    expect(client.received()).toEqual(Array.from({ length: 3 }, () => 'ClusterLoadAssignment +a'));
  });
});

describe('rule 4: subscriptions', () => {
  it('an empty first subscription of LDS and CDS means all, of the others none', () => {
    const client = new FakeDeltaClient(xds, cluster('a'), endpoints('a', 1), web, routes('r', 'a'));
    for (const typeUrl of [CDS, EDS, LDS, RDS]) client.subscribe(typeUrl);
    expect(client.received()).toEqual(['Cluster +a', 'ClusterLoadAssignment', 'Listener +web', 'RouteConfiguration']);
  });

  it('`*` means all for every type, until it is unsubscribed', () => {
    const client = new FakeDeltaClient(xds, endpoints('a', 1), endpoints('b', 2));
    client.subscribe(EDS, ['*', 'a']);
    client.ack(EDS);
    client.unsubscribe(EDS, '*');
    client.generate(endpoints('a', 3), endpoints('b', 4));
    expect(client.received()).toEqual(['ClusterLoadAssignment +a +b', 'ClusterLoadAssignment +a']);
  });

  it('tells a name that does not exist as removed, and sends it when it does', () => {
    const client = new FakeDeltaClient(xds);
    client.subscribe(EDS, ['ghost']);
    client.ack(EDS);
    client.generate(endpoints('ghost', 1));
    client.ack(EDS);
    client.generate();
    expect(client.received()).toEqual([
      'ClusterLoadAssignment -ghost',
      'ClusterLoadAssignment +ghost',
      'ClusterLoadAssignment -ghost',
    ]);
  });

  it('sends what differs from the versions a client brings, and removes what is gone', () => {
    const client = new FakeDeltaClient(xds, web);
    client.subscribe(LDS, [], { web: 'old', gone: 'x' });
    expect(client.received()).toEqual(['Listener +web -gone']);
  });

  it('answers a type it does not serve instead of letting the client wait', () => {
    const client = new FakeDeltaClient(xds);
    client.subscribe('type.googleapis.com/envoy.extensions.Unknown', ['x']);
    client.ack('type.googleapis.com/envoy.extensions.Unknown');
    expect(client.received()).toEqual(['Unknown -x']);
  });
});

describe('rule 5: order', () => {
  const before = [cluster('v1'), endpoints('v1', 1), web, routes('r', 'v1')];
  const after = [cluster('v2'), endpoints('v2', 2), listener('new', 'n'), web, routes('r', 'v2')];

  it('sends clusters, endpoints, listeners, routes, and waits for no ACK', () => {
    const client = new FakeDeltaClient(xds, ...before);
    client.connect(['v1', 'v2'], ['r']);
    client.generate(...after);
    expect(client.received()).toEqual([
      'Cluster +v2',
      'ClusterLoadAssignment +v2',
      'Listener +new',
      'RouteConfiguration +r',
    ]);
  });

  it('holds routes back while the clusters they name cannot be sent', () => {
    const client = new FakeDeltaClient(xds, ...before);
    client.connect(['v1', 'v2'], ['r']);
    client.generate(cluster('v1', '9s'), ...before.slice(1));
    expect(client.received()).toEqual(['Cluster +v1', 'ClusterLoadAssignment +v1']);
    client.generate(cluster('v1', '9s'), ...after);
    // The cluster update is unanswered, so v2 is not on its way yet, and neither may r be.
    expect(client.received()).toEqual([]);
    client.ack(EDS);
    expect(client.received()).toEqual(['ClusterLoadAssignment +v2']);
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster +v2', 'Listener +new', 'RouteConfiguration +r']);
  });

  it('pushes the endpoints of a changed cluster again', () => {
    const client = new FakeDeltaClient(xds, ...before);
    client.connect(['v1'], ['r']);
    client.generate(cluster('v1', '5s'), ...before.slice(1));
    expect(client.received()).toEqual(['Cluster +v1', 'ClusterLoadAssignment +v1']);
  });
});

describe('rule 6: make before break', () => {
  const both = [cluster('v1'), endpoints('v1', 1), cluster('v2'), endpoints('v2', 2), web, routes('r', 'v1')];
  const only2 = [cluster('v2'), endpoints('v2', 2), web, routes('r', 'v2')];

  function connected(): FakeDeltaClient {
    const client = new FakeDeltaClient(xds, ...both);
    client.connect(['v1', 'v2'], ['r']);
    return client;
  }

  it('drops a cluster, then its endpoints, only when the route that named it is replaced and acknowledged', () => {
    const client = connected();
    client.generate(...only2);
    expect(client.received()).toEqual(['RouteConfiguration +r']);
    client.ack(RDS);
    expect(client.received()).toEqual(['Cluster -v1']);
    client.ack(CDS);
    expect(client.received()).toEqual(['ClusterLoadAssignment -v1']);
  });

  it('keeps it while the client refuses the new route', () => {
    const client = connected();
    client.generate(...only2);
    client.nack(RDS, { r: 'no such method' });
    expect(client.received()).toEqual(['RouteConfiguration +r']);
    expect(client.status(CDS, 'v1')).toMatchObject({ version: null, state: 'acknowledged' });
    // Another change of the same save's rest is not held up by it.
    client.generate(...only2, cluster('v3'));
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster +v3']);
    client.generate(cluster('v2'), endpoints('v2', 2), web, routes('r', 'v2', 'v2'));
    client.ack(RDS);
    client.ack(CDS);
    expect(client.received()).toEqual(['Cluster -v3', 'RouteConfiguration +r', 'Cluster -v1']);
  });

  it('keeps a cluster that a route on its way names, though no acknowledged one does', () => {
    const client = connected();
    client.generate(...both.slice(0, 5), routes('r', 'v2'));
    // r with v2 is in flight: the client may already use v2.
    client.generate(cluster('v1'), endpoints('v1', 1), web, routes('r', 'v1'));
    expect(client.received()).toEqual(['RouteConfiguration +r']);
    client.ack(RDS);
    expect(client.received()).toEqual(['RouteConfiguration +r']);
    client.ack(RDS);
    expect(client.received()).toEqual(['Cluster -v2']);
  });

  it('takes a whole service away from the outside in', () => {
    const client = connected();
    client.generate(cluster('v2'), endpoints('v2', 2));
    expect(client.received()).toEqual(['Listener -web']);
    client.ack(LDS);
    // A route that no listener names any more takes its cluster along.
    expect(client.received()).toEqual(['Cluster -v1', 'RouteConfiguration -r']);
  });

  it('takes nothing from a client that reconnects before it acknowledged routes of this process', () => {
    const before = connected();
    const versions = (typeUrl: string) => versionsOf(before, typeUrl);
    const client = new FakeDeltaClient(xds, ...only2);
    client.subscribe(CDS, [], versions(CDS));
    client.subscribe(LDS, [], versions(LDS));
    client.subscribe(EDS, ['v1', 'v2'], versions(EDS));
    client.subscribe(RDS, ['r'], versions(RDS));
    expect(client.received()).toEqual(['Cluster', 'Listener', 'ClusterLoadAssignment', 'RouteConfiguration +r']);
    for (const typeUrl of [CDS, LDS, EDS]) client.ack(typeUrl);
    expect(client.received()).toEqual([]);
    client.ack(RDS);
    expect(client.received()).toEqual(['Cluster -v1']);
    client.ack(CDS);
    expect(client.received()).toEqual(['ClusterLoadAssignment -v1']);
  });
});

describe('rule 6 after a restart', () => {
  it('takes nothing from a client that refuses the routes of this process', () => {
    const client = new FakeDeltaClient(xds, cluster('v2'), web, routes('r', 'v2'));
    client.subscribe(CDS, [], { v1: 'x' });
    client.subscribe(LDS, [], { web: 'y' });
    client.subscribe(RDS, ['r'], { r: 'z' });
    client.ack(CDS);
    client.ack(LDS);
    client.nack(RDS, { r: 'no such method' });
    expect(client.received()).toEqual(['Cluster +v2', 'Listener +web', 'RouteConfiguration +r']);
    client.generate(cluster('v2'), web, routes('r', 'v2', 'v2'));
    client.ack(RDS);
    expect(client.received()).toEqual(['RouteConfiguration +r', 'Cluster -v1']);
  });
});

describe('rule 8: validity per resource', () => {
  it('takes what a NACK does not name as acknowledged', () => {
    const client = new FakeDeltaClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.nack(CDS, { b: 'lbPolicy is not supported' });
    expect(client.status(CDS, 'a').state).toBe('acknowledged');
    expect(client.status(CDS, 'b')).toMatchObject({
      state: 'rejected',
      acknowledgedVersion: null,
      rejection: { message: 'lbPolicy is not supported' },
    });
  });

  it('keeps the last acknowledged version, and forgets the refusal with the next good one', () => {
    const client = new FakeDeltaClient(xds, cluster('a'));
    client.subscribe(CDS);
    client.ack(CDS);
    const good = client.status(CDS, 'a').version;
    client.generate(cluster('a', '2s'));
    client.nack(CDS, { a: 'bad' });
    expect(client.status(CDS, 'a')).toMatchObject({ state: 'rejected', acknowledgedVersion: good });
    client.generate(cluster('a', '3s'));
    client.ack(CDS);
    expect(client.status(CDS, 'a')).toMatchObject({ state: 'acknowledged', rejection: null });
  });

  it('hears a NACK behind the ACK of the same response', () => {
    const client = new FakeDeltaClient(xds, cluster('a'), cluster('b'));
    client.subscribe(CDS);
    client.ack(CDS);
    const good = client.status(CDS, 'a').version;
    client.generate(cluster('a', '2s'), cluster('b', '2s'));
    client.ack(CDS);
    client.nack(CDS, { a: 'bad after all' });
    expect(client.status(CDS, 'a')).toMatchObject({ state: 'rejected', acknowledgedVersion: good });
    expect(client.status(CDS, 'b').state).toBe('acknowledged');
  });

  it('finds the names in the text of a client without details, as whole names', () => {
    const client = new FakeDeltaClient(xds, cluster('outbound|80||web'), cluster('outbound|80||web.eu'), cluster('c'));
    client.subscribe(CDS);
    client.nack(CDS, {}, 'Error adding/updating cluster(s) outbound|80||web.eu: unsupported. c.');
    expect(client.status(CDS, 'outbound|80||web').state).toBe('acknowledged');
    expect(client.status(CDS, 'outbound|80||web.eu').state).toBe('rejected');
    expect(client.status(CDS, 'c').state).toBe('rejected');
  });

  it('marks all that changed when the text names none', () => {
    const client = new FakeDeltaClient(xds, cluster('a'), cluster('b'), cluster('c'));
    client.subscribe(CDS);
    client.ack(CDS);
    client.generate(cluster('a', '2s'), cluster('b', '2s'), cluster('c'));
    client.nack(CDS, {}, 'out of memory');
    expect(client.status(CDS, 'a')).toMatchObject({
      state: 'rejected',
      rejection: { message: 'one of 2 that changed: out of memory' },
    });
    expect(client.status(CDS, 'b').state).toBe('rejected');
    expect(client.status(CDS, 'c').state).toBe('acknowledged');
  });
});
