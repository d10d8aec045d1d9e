/** ProtocolTable: every protocol name that a port may carry, and the codec with its options behind it. */
import type { OptionSchema, ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { describe } from '../../schema/describe.ts';
import { nearMissHint } from '../../schema/near-miss.ts';
import type { ApplicationProtocolSpec } from '../model/application-protocol.ts';
import { findingAt, type Resource } from '../model/resource.ts';
import type { CodecOptions, PortProtocol } from './mesh.ts';
import type { Compiled } from './translation-round.ts';

export interface RegisteredProtocol {
  /** Lower case, as port names carry it. */
  readonly name: string;
  readonly manifest: ProtocolManifest;
  readonly options: CodecOptions;
  /** Key of its ApplicationProtocol; null: built in. */
  readonly source: string | null;
}

/** Port names of Istio and Aeraki whose protocol has no codec here: their bytes pass as they are. */
const OPAQUE = ['https', 'tls', 'mongo', 'mysql', 'redis', 'dubbo', 'kafka', 'zookeeper'];
/** Ports of this name, or with it and a dash in front, tell what they speak by their first bytes. */
export const DETECTED = 'auto';
/** These share ports by what is inside, so opaque bytes would not do. */
const UNSUPPORTED = ['http', 'http2', 'grpc', 'grpc-web', 'udp'];

export class ProtocolTable {
  readonly #manifests: readonly ProtocolManifest[];
  readonly #names = new Map<string, RegisteredProtocol>();

  constructor(manifests: readonly ProtocolManifest[]) {
    this.#manifests = manifests;
    for (const manifest of manifests) {
      for (const name of portNames(manifest)) this.#names.set(name, { name, manifest, options: {}, source: null });
    }
  }

  names(): string[] {
    return [...this.#names.keys()].sort();
  }

  compile(resource: Resource<ApplicationProtocolSpec>): Compiled<RegisteredProtocol> {
    const { spec, document, key } = resource;
    const manifest = this.#codec(spec.codec);
    if (manifest === null) {
      const known = this.#manifests.flatMap((each) => [each.name, ...each.aliases]);
      const message = `actual ${describe(spec.codec)}, expected a codec that is built in or that a proxy has: ${known.join(', ')}`;
      return { findings: [findingAt(document, 'error', ['spec', 'codec'], message)], make: bug };
    }
    const options = spec.options ?? {};
    const findings = Object.entries(options).flatMap(([option, value]) => {
      const message =
        optionFault(option, value, manifest.options) ?? needFault(option, value, options, manifest.options);
      return message === null ? [] : [findingAt(document, 'error', ['spec', 'options', option], message)];
    });
    if (manifest.name === 'tcp' && Object.keys(spec.options ?? {}).length > 0) {
      const message = 'ports of opaque TCP take no options yet';
      findings.push(findingAt(document, 'notApplied', ['spec', 'options'], message));
    }
    if (spec.protocol === DETECTED || spec.protocol.startsWith(`${DETECTED}-`)) {
      const message = `ports called ${spec.protocol} detect what they speak: only tcp-metaprotocol-${spec.protocol} means this`;
      findings.push(findingAt(document, 'warning', ['spec', 'protocol'], message));
    }
    const taken = this.#names.get(spec.protocol);
    if (taken !== undefined && taken.source !== null) {
      findings.push(
        findingAt(
          document,
          'shadowed',
          ['spec', 'protocol'],
          `${taken.source} is older or sorts first and defines ${spec.protocol}`,
        ),
      );
    } else if (taken !== undefined && taken.manifest !== manifest) {
      findings.push(
        findingAt(
          document,
          'error',
          ['spec', 'protocol'],
          `${spec.protocol} is the built-in codec ${taken.manifest.name}, expected another name`,
        ),
      );
    }
    return { findings, make: () => ({ name: spec.protocol, manifest, options: spec.options ?? {}, source: key }) };
  }

  /** The first definition of a name stays; a built-in name may be given options, and with it each other name of its codec. */
  add(protocol: RegisteredProtocol): void {
    const codecs = portNames(protocol.manifest);
    for (const name of codecs.includes(protocol.name) ? codecs : [protocol.name]) {
      if ((this.#names.get(name)?.source ?? null) === null) this.#names.set(name, { ...protocol, name });
    }
  }

  /** By the port's name first, then its protocol. null: `tcp-metaprotocol-…` with a name that nobody registered. */
  ofPort(name: string, protocol: string): PortProtocol | null {
    const words = name.toLowerCase();
    if (words.startsWith('tcp-metaprotocol')) return this.#longest(words.slice('tcp-metaprotocol-'.length));
    const found = this.#longest(words.startsWith('tcp-') ? words.slice('tcp-'.length) : words);
    if (found !== null) return found;
    const declared = protocol.toLowerCase();
    const bare = words.startsWith('tcp-') ? words.slice('tcp-'.length) : words;
    const opaque = OPAQUE.find((known) => bare === known || bare.startsWith(`${known}-`));
    if (words === 'tcp' || words.startsWith('tcp-') || opaque !== undefined) return this.#opaque(opaque ?? '');
    const unsupported = UNSUPPORTED.find((known) => words === known || words.startsWith(`${known}-`));
    if (unsupported !== undefined) return { kind: 'unsupported', name: unsupported };
    const byProtocol = this.#longest(declared);
    if (byProtocol !== null) return byProtocol;
    if (declared === '' || declared === 'tcp') return this.#opaque('');
    return OPAQUE.includes(declared) ? this.#opaque(declared) : { kind: 'unsupported', name: declared };
  }

  /** What to do about a port that `ofPort` knows nothing of. */
  unknownPort(name: string): string {
    const known = this.names().join(', ');
    return `actual ${describe(name)}, expected tcp-metaprotocol-<protocol> with one of ${known}, or of a proxy's --plugin`;
  }

  #opaque(meant: string): PortProtocol {
    return this.#names.has('tcp') ? { kind: 'tcp', meant } : { kind: 'unsupported', name: meant || 'opaque TCP' };
  }

  /** `echo-rpc-main` is echo-rpc, not echo, where both are registered. */
  #longest(words: string): PortProtocol | null {
    let text = words;
    while (text !== '') {
      const found = this.#names.get(text);
      if (found !== undefined) {
        return found.manifest.name === 'tcp'
          ? { kind: 'tcp', meant: '' }
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

/** Aeraki's dotted names of codecs are no names of ports. */
function portNames({ name, aliases }: ProtocolManifest): string[] {
  return [name, ...aliases.filter((alias) => !alias.includes('.'))].map((each) => each.toLowerCase());
}

function optionFault(key: string, value: string | number | boolean, schemas: readonly OptionSchema[]): string | null {
  const schema = schemas.find((each) => each.key === key);
  if (schema === undefined) {
    const names = schemas.map((each) => each.key);
    if (names.length === 0) return 'actual an unknown option, expected none: the codec has no options';
    return `actual an unknown option, expected one of ${names.join(', ')}${nearMissHint(key, names)}`;
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

/** `value` fits by itself. */
function needFault(
  key: string,
  value: string | number | boolean,
  options: CodecOptions,
  schemas: readonly OptionSchema[],
): string | null {
  const schema = schemas.find((each) => each.key === key);
  if (schema?.needs === undefined || value === schema.default) return null;
  const { option, value: needed } = schema.needs;
  const other = options[option] ?? schemas.find((each) => each.key === option)?.default;
  return other === needed ? null : `actual ${describe(value)}, expected ${option}: ${needed} beside it`;
}

function bug(): never {
  throw new Error('made from a resource with errors');
}
