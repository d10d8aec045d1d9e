import { expect, it } from 'vitest';
import { testNode } from '../../test/harness/xds-resources.ts';
import type { JsonObject } from './json.ts';
import { nodeFromJson, nodeToJson } from './node.ts';
import { Xds } from './xds.ts';

const nodeType = 'envoy.config.core.v3.Node';

it('comes back from the wire as it was', () => {
  const xds = Xds.load();
  const node = testNode('p1');
  const bytes = xds.encodeMessage(nodeType, nodeToJson(node));
  expect(nodeFromJson(xds.decodeMessage(nodeType, bytes) as JsonObject)).toEqual(node);
});

it('takes other clients for plain sidecars, with what Istio puts into metadata', () => {
  expect(
    nodeFromJson({
      id: 'sidecar~10.0.0.1~pod.ns',
      userAgentName: 'envoy',
      metadata: { NAMESPACE: 'ns', LABELS: { app: 'web', bad: 7 }, SERVICE_ACCOUNT: 'sa' },
      locality: { zone: 'b' },
    }),
  ).toEqual({
    ...testNode('sidecar~10.0.0.1~pod.ns'),
    agent: 'envoy',
    agentVersion: '',
    namespace: 'ns',
    ips: [],
    labels: { app: 'web' },
    serviceAccount: 'sa',
    locality: { region: '', zone: 'b', subZone: '' },
    localAddresses: [],
    manifests: [],
  });
});
