import { expect, it } from 'vitest';
import type { JsonObject } from '../xds/json.ts';
import { TypeUrl } from '../xds/type-urls.ts';
import { configDump } from './config-dump.ts';
import { Fixtures, resources, wired } from './testing/resources.ts';

it('shows what runs, and beside it why something newer does not', () => {
  const fixtures = new Fixtures();
  const running = fixtures.cluster('C');
  const newer = fixtures.cluster('C', { lbPolicy: 'MAGLEV' });
  const waiting = fixtures.listener('L', 1, 'R');
  const { configs } = configDump({
    wanted: resources(newer, waiting),
    used: resources(running),
    refused: [{ typeUrl: TypeUrl.Cluster, name: 'C', message: 'lbPolicy: MAGLEV is not supported' }],
    notes: [{ typeUrl: TypeUrl.Cluster, name: 'C', message: 'a note' }],
  }) as { configs: Record<string, unknown>[] };
  expect(configs.map((section) => section['@type'])).toEqual([
    'type.googleapis.com/envoy.admin.v3.ClustersConfigDump',
    'type.googleapis.com/envoy.admin.v3.EndpointsConfigDump',
    'type.googleapis.com/envoy.admin.v3.ListenersConfigDump',
    'type.googleapis.com/envoy.admin.v3.RoutesConfigDump',
    'type.googleapis.com/envoy.admin.v3.SecretsConfigDump',
  ]);
  expect(configs[0]!.dynamicActiveClusters).toEqual([
    {
      versionInfo: running.version,
      errorState: { details: 'lbPolicy: MAGLEV is not supported', versionInfo: newer.version },
      notes: ['a note'],
      cluster: { '@type': TypeUrl.Cluster, ...running.value },
    },
  ]);
  expect(configs[2]!.dynamicListeners).toEqual([{ name: 'L' }]);
});

it('hides passwords', () => {
  const fixtures = new Fixtures();
  const value = {
    '@type': TypeUrl.TypedStruct,
    typeUrl: 't',
    value: { upstreamUsername: 'u', upstreamPassword: 'pw' },
  };
  const cluster = fixtures.cluster('C', { typedExtensionProtocolOptions: { 'meltemi.codec': value } });
  const text = JSON.stringify(configDump({ wanted: resources(), used: resources(cluster), refused: [], notes: [] }));
  expect(text).toContain('"upstreamPassword":"[redacted]","upstreamUsername":"u"');
});

it('hides private keys, and says in which file one is', () => {
  const { xds } = new Fixtures();
  const secret = (name: string, privateKey: JsonObject) =>
    wired(xds, TypeUrl.Secret, { name, tlsCertificate: { certificateChain: { inlineString: 'public' }, privateKey } });
  const secrets = [secret('a', { inlineString: 'mine' }), secret('b', { filename: '/etc/key.pem' })];
  const text = JSON.stringify(configDump({ wanted: resources(), used: resources(...secrets), refused: [], notes: [] }));
  expect(text).toContain('"certificateChain":{"inlineString":"public"},"privateKey":"[redacted]"');
  expect(text).toContain('"privateKey":{"filename":"/etc/key.pem"}');
  expect(text).not.toContain('mine');
});
