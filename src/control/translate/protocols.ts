/** ProtocolTable: every protocol name that a port may carry, and the codec with its options behind it. */
import type { OptionSchema, ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { ApplicationProtocolSpec } from '../model/application-protocol.ts';
import { nearMiss } from '../model/near-miss.ts';
import { type Finding, findingAt, type Resource } from '../model/resource.ts';
import { describe } from '../sources/yaml-documents.ts';
import type { CodecOptions, PortProtocol } from './mesh.ts';

interface Registered {
  readonly manifest: ProtocolManifest;
  readonly options: CodecOptions;
  readonly source: string | null;
}

/** Names of Istio's ports that are no codec of ours yet: such a port gets no listener, and its resource says so. */
const KNOWN_WITHOUT_CODEC = [
  'http',
  'http2',
  'https',
  'grpc',
  'grpc-web',
  'tls',
  'mongo',
  'mysql',
  'redis',
  'dubbo',
  'kafka',
  'zookeeper',
  'udp',
];

export class ProtocolTable {
  readonly #manifests: readonly ProtocolManifest[];
  readonly #names = new Map<string, Registered>();

  constructor(manifests: readonly ProtocolManifest[]) {
    this.#manifests = manifests;
    for (const manifest of manifests)
      this.#names.set(manifest.name.toLowerCase(), { manifest, options: {}, source: null });
  }

  names(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** The resource that defines a protocol's name or options; null: built in. */
  sourceOf(name: string): string | null {
    return this.#names.get(name)?.source ?? null;
  }

  check(resource: Resource<ApplicationProtocolSpec>): Finding[] {
    const { spec, document } = resource;
    const manifest = this.#codec(spec.codec);
    if (manifest === null) {
      const known = this.#manifests.flatMap((each) => [each.name, ...each.aliases]);
      return [
        findingAt(
          document,
          'error',
          ['spec', 'codec'],
          `actual ${describe(spec.codec)}, expected a codec that is built in or that a proxy has: ${known.join(', ')}`,
        ),
      ];
    }
    const taken = this.#names.get(spec.protocol);
    if (taken !== undefined && (taken.source !== null || taken.manifest !== manifest)) {
      const owner = taken.source ?? `the built-in codec ${taken.manifest.name}`;
      return [
        findingAt(
          document,
          taken.source === null ? 'error' : 'shadowed',
          ['spec', 'protocol'],
          `${spec.protocol} is already defined by ${owner}`,
        ),
      ];
    }
    return Object.entries(spec.options ?? {}).flatMap(([key, value]) => {
      const message = optionFault(key, value, manifest.options);
      return message === null ? [] : [findingAt(document, 'error', ['spec', 'options', key], message)];
    });
  }

  /** `resource` passed check(). */
  add(resource: Resource<ApplicationProtocolSpec>): void {
    const { spec, key } = resource;
    if ((this.#names.get(spec.protocol)?.source ?? null) !== null) return;
    this.#names.set(spec.protocol, { manifest: this.#codec(spec.codec)!, options: spec.options ?? {}, source: key });
  }

  /** By the port's name first, then its protocol. null: `tcp-metaprotocol-…` with a name that nobody registered. */
  ofPort(name: string, protocol: string): PortProtocol | null {
    const words = name.toLowerCase();
    if (words.startsWith('tcp-metaprotocol')) return this.#longest(words.slice('tcp-metaprotocol-'.length));
    const found = this.#longest(words.startsWith('tcp-') ? words.slice('tcp-'.length) : words);
    if (found !== null) return found;
    const declared = protocol.toLowerCase();
    if (words === 'tcp' || words.startsWith('tcp-')) return { kind: 'tcp' };
    const byName = KNOWN_WITHOUT_CODEC.find((known) => words === known || words.startsWith(`${known}-`));
    if (byName !== undefined) return { kind: 'unsupported', name: byName };
    const byProtocol = this.#longest(declared);
    if (byProtocol !== null) return byProtocol;
    return declared === '' || declared === 'tcp' ? { kind: 'tcp' } : { kind: 'unsupported', name: declared };
  }

  /** `echo-rpc-main` is echo-rpc, not echo, where both are registered. */
  #longest(words: string): PortProtocol | null {
    let text = words;
    while (text !== '') {
      const found = this.#names.get(text);
      if (found !== undefined) {
        return found.manifest.name === 'tcp'
          ? { kind: 'tcp' }
          : { kind: 'codec', name: text, manifest: found.manifest, options: found.options };
      }
      text = text.slice(0, Math.max(0, text.lastIndexOf('-')));
    }
    return null;
  }

  #codec(name: string): ProtocolManifest | null {
    return this.#manifests.find((manifest) => manifest.name === name || manifest.aliases.includes(name)) ?? null;
  }
}

function optionFault(key: string, value: string | number | boolean, schemas: readonly OptionSchema[]): string | null {
  const schema = schemas.find((each) => each.key === key);
  if (schema === undefined) {
    const names = schemas.map((each) => each.key);
    const meant = nearMiss(key, names);
    return `actual an unknown option, expected one of ${names.join(', ')}${meant === null ? '' : ` (did you mean ${meant}?)`}`;
  }
  if (schema.type === 'integer') {
    const [least, most] = [schema.minimum ?? Number.MIN_SAFE_INTEGER, schema.maximum ?? Number.MAX_SAFE_INTEGER];
    const fits = Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most;
    return fits ? null : `actual ${describe(value)}, expected an integer from ${least} to ${most}`;
  }
  if (typeof value !== schema.type) return `actual ${describe(value)}, expected a ${schema.type}`;
  const allowed = schema.values;
  return allowed === undefined || allowed.includes(String(value))
    ? null
    : `actual ${describe(value)}, expected one of ${allowed.join(', ')}`;
}
