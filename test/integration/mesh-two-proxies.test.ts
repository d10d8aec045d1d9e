/** client -> outbound proxy -> inbound proxy -> server, both proxies driven by one control plane. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { freePort, HOST, MeshBench, proxyNode, until } from './mesh-fixture.ts';

const yaml = (ports: { service: number; inbound: number; workload: number }) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: wind, namespace: default }
spec:
  hosts: [${HOST}]
  addresses: [127.0.0.2]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ name: tcp-metaprotocol-thrift, number: ${ports.service}, protocol: TCP }]
  workloadSelector: { labels: { app: wind } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: wind-1, namespace: default }
spec:
  address: 127.0.0.1
  labels: { app: wind }
  ports: { tcp-metaprotocol-thrift: ${ports.inbound} }
---
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: wind, namespace: default }
spec:
  workloadSelector: { labels: { app: wind } }
  ingress:
    - port: { number: ${ports.inbound}, protocol: TCP, name: tcp-metaprotocol-thrift }
      bind: 127.0.0.1
      defaultEndpoint: 127.0.0.1:${ports.workload}
`;

describe('two proxies', () => {
  let bench: MeshBench;
  beforeEach(() => {
    bench = new MeshBench();
  });
  afterEach(() => bench.close());

  it('carry a call from the caller to the workload and back', async () => {
    const backend = await bench.backend('v1');
    const [service, inbound] = [await freePort(), await freePort()];
    const folder = await bench.folder({ 'mesh.yaml': yaml({ service, inbound, workload: backend.port }) });
    const control = await bench.controlPlane(folder);
    const { port } = control.xdsAddress;
    const client = await bench.proxy(port, { node: proxyNode('client') });
    const server = await bench.proxy(port, {
      // Both stand on this machine: without 127/8 the second one's outbound listeners get ports of their own.
      node: { ...proxyNode('server'), ips: ['127.0.0.1'], labels: { app: 'wind' }, localAddresses: ['127.0.0.1'] },
    });
    await until(() => control.status().proxies.every(({ resources }) => resources.live === resources.total));
    const { wind } = await bench.caller(service, '127.0.0.2');
    const answers = await Promise.all(Array.from({ length: 100 }, () => wind.forecast('Tinos')));
    expect(answers.every(({ servedBy }) => servedBy === 'v1')).toBe(true);
    await wind.observe('Tinos', 7);
    await until(() => backend.calls === 101);
    for (const [proxy, listener] of [
      [client, `outbound|${service}||${HOST}`],
      [server, `inbound|${inbound}||`],
    ] as const) {
      const stats = await fetch(`http://127.0.0.1:${proxy.adminAddress!.port}/stats/prometheus`);
      expect(await stats.text()).toMatch(
        new RegExp(`upstream_requests_total\\{cluster="${listener.replaceAll('|', '\\|')}"\\} 101`),
      );
    }
  });
});
