/** What the control plane's tests share: a manifest with every kind of restriction, nodes, YAML in one call. */

import { type Inventory, ResourceStore } from '../../src/control/model/resource-store.ts';
import { readYamlDocuments } from '../../src/control/sources/yaml-documents.ts';
import { type Translation, Translator } from '../../src/control/translate/translator.ts';
import type { ProtocolManifest } from '../../src/metaprotocol/manifest.ts';
import type { NodeInfo } from '../../src/xds/node.ts';

export function testManifest(overrides: Partial<ProtocolManifest> = {}): ProtocolManifest {
  return {
    name: 'thrift',
    version: '1.0.0',
    aliases: ['aeraki.meta_protocol.codec.thrift'],
    family: 'thrift',
    attributes: {
      fixed: [
        { key: 'service', description: 'service of a multiplexed call', mutable: false },
        { key: 'method', description: 'method name', mutable: false },
      ],
      open: { description: 'a THeader header', mutable: true },
      keyCase: 'sensitive',
      hostKey: null,
    },
    codes: [],
    options: [
      { key: 'transport', type: 'string', values: ['auto', 'framed', 'header'], default: 'auto', description: '' },
      { key: 'frameLimitBytes', type: 'integer', minimum: 1_024, default: 16_384_000, description: '' },
    ],
    capabilities: {
      requestMutation: { option: 'transport', always: ['header'], sometimes: ['auto'] },
      responseMutation: { option: 'transport', always: ['header'], sometimes: ['auto'] },
      oneway: true,
      streaming: false,
      errorReply: true,
      idempotencyHint: false,
      serverFirst: false,
      multiplexing: true,
    },
    ...overrides,
  };
}

/** A protocol whose attributes are all known and fixed. */
export function closedManifest(name: string): ProtocolManifest {
  const base = testManifest();
  return {
    ...base,
    name,
    family: name,
    aliases: [],
    options: [],
    attributes: { ...base.attributes, open: null, fixed: [{ key: 'command', description: '', mutable: false }] },
    capabilities: { ...base.capabilities, requestMutation: false, responseMutation: false },
  };
}

export function tcpManifest(): ProtocolManifest {
  const base = closedManifest('tcp');
  const options = [{ key: 'windowBytes', type: 'integer', default: 65_536, description: '' }] as const;
  return { ...base, options, attributes: { ...base.attributes, fixed: [] } };
}

/** Enough of HTTP's for routes. */
export function httpManifest(): ProtocolManifest {
  const base = testManifest();
  const own = [':method', ':pathname', 'content-length'].map((key) => ({ key, description: '', mutable: false }));
  return {
    ...base,
    name: 'http1',
    aliases: ['http'],
    family: 'http',
    options: [],
    attributes: {
      fixed: [...own, { key: ':authority', description: '', mutable: true }],
      open: { description: 'a header', mutable: true },
      keyCase: 'insensitive',
      hostKey: ':authority',
    },
    capabilities: { ...base.capabilities, requestMutation: true, responseMutation: true },
  };
}

export function testNode(overrides: Partial<NodeInfo> = {}): NodeInfo {
  return {
    id: 'proxy-1',
    agent: 'meltemi',
    agentVersion: '0.1.0',
    type: 'sidecar',
    namespace: 'default',
    ips: ['192.0.2.7'],
    labels: {},
    serviceAccount: '',
    locality: { region: '', zone: '', subZone: '' },
    bind: 'direct',
    localAddresses: ['127.0.0.0/8', '192.0.2.7'],
    workers: 1,
    manifests: [{ name: 'thrift' }, { name: 'tcp' }],
    ...overrides,
  };
}

/** One control plane's memory: applies a folder's whole content again and again, as saves do. */
export class TestMesh {
  readonly #store = new ResourceStore();
  readonly #translator = new Translator('istio-system');
  readonly #manifests: readonly ProtocolManifest[];

  constructor(manifests: readonly ProtocolManifest[] = [testManifest(), tcpManifest()]) {
    this.#manifests = manifests;
  }

  inventory(files: Readonly<Record<string, string>>): Inventory {
    return this.#store.update(
      new Map(Object.entries(files).map(([file, text]) => [file, readYamlDocuments(file, text, 1_000)])),
    );
  }

  apply(files: Readonly<Record<string, string>>): Translation {
    return this.#translator.translate(this.inventory(files), this.#manifests);
  }
}

/** `level file:line path: message` of every finding. */
export function findingsOf(translation: Translation): string[] {
  const findings = [
    ...translation.faults,
    ...[...translation.verdicts.values()].flatMap((verdict) => verdict.findings),
  ];
  return findings.map(({ level, place, path, message }) => `${level} ${place.file}:${place.line} ${path}: ${message}`);
}

export const HOST = 'echo.shop.svc.cluster.local';

export const SERVICE = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: echo, namespace: shop }
spec:
  hosts: [${HOST}]
  addresses: [127.0.10.1]
  ports:
    - { number: 9090, name: tcp-metaprotocol-thrift, protocol: TCP }
  resolution: STATIC
  endpoints:
    - { address: 127.0.0.1, ports: { tcp-metaprotocol-thrift: 7001 }, labels: { version: v1 } }
    - { address: 127.0.0.1, ports: { tcp-metaprotocol-thrift: 7002 }, labels: { version: v2 }, weight: 3, locality: eu/a }
`;

export const RULE = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo, namespace: shop }
spec:
  host: ${HOST}
  subsets:
    - { name: v1, labels: { version: v1 } }
    - { name: v2, labels: { version: v2 } }
`;

/** A MetaRouter for the service above; `routes` is a YAML list in flow style. */
export function router(routes: string, name = 'echo', extra = ''): string {
  return `
apiVersion: metaprotocol.aeraki.io/v1alpha1
kind: MetaRouter
metadata: { name: ${name}, namespace: shop }
spec:
  hosts: [${HOST}]
  routes: ${routes}
${extra}`;
}

export function to(subset: string): string {
  return `route: [{ destination: { host: ${HOST}, subset: ${subset} } }]`;
}
