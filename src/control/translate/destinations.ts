/** DestinationResolver: the host, subset and port that a route names, checked against the services that there are. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import { nearMiss } from '../../schema/near-miss.ts';
import type { FieldPath, Finding } from '../model/resource.ts';
import { blocksOf, codecsOf, type Destination, isEncrypted, type ServicePort } from './mesh.ts';
import type { MeshIndex } from './mesh-index.ts';

/** `path` is inside the resource's spec. */
export type Report = (level: Finding['level'], path: FieldPath, message: string) => void;

export interface DestinationSpec {
  readonly host: string;
  readonly subset?: string | null | undefined;
  readonly port?: { readonly number?: number | null | undefined } | null | undefined;
}

export class DestinationResolver {
  readonly #port: number;
  readonly #manifest: ProtocolManifest | null;
  readonly #namespace: string;
  readonly #index: MeshIndex;
  readonly #report: Report;

  /**
   * `port`: of the listener, for a destination that names none and has several. `manifest`: what destinations must speak; null:
   * anything, since bytes pass as they are. `namespace`: of the resource, for names without a dot.
   */
  constructor(port: number, manifest: ProtocolManifest | null, namespace: string, index: MeshIndex, report: Report) {
    this.#port = port;
    this.#manifest = manifest;
    this.#namespace = namespace;
    this.#index = index;
    this.#report = report;
  }

  resolve(spec: DestinationSpec, path: FieldPath): Destination {
    const host = this.#index.fullHost(spec.host.toLowerCase(), this.#namespace);
    const subset = spec.subset ?? '';
    const found = this.#index.services(host);
    const ports = found.flatMap((service) => service.ports);
    const number = spec.port?.number ?? (ports.length === 1 ? ports[0]!.number : this.#port);
    const destination = { host, subset, port: number };
    if (found.length === 0) {
      this.#report('error', [...path, 'host'], `no service has the host ${host}${hostHint(host, this.#index)}`);
      return destination;
    }
    const port = ports.find((each) => each.number === number);
    if (port === undefined) {
      this.#report(
        'error',
        [...path, 'port'],
        `${host} has no port ${number}, expected one of ${ports.map((each) => each.number).join(', ')}`,
      );
      return destination;
    }
    this.#checkProtocol(host, port, path);
    if (subset !== '') this.#checkSubset(host, subset, path);
    return destination;
  }

  #checkProtocol(host: string, port: ServicePort, path: FieldPath): void {
    const actual = codecsOf(port.protocol).map(({ manifest }) => manifest);
    const wanted = this.#manifest;
    if (wanted === null || actual.some(({ family }) => family === wanted.family)) return;
    if (isEncrypted(port.protocol)) {
      // What is inside of the TLS, which the proxy begins.
      if (!this.#beginsTls(host, port.number))
        this.#report(
          'warning',
          path,
          `port ${port.number} of ${host} expects TLS, and no DestinationRule of it begins TLS there`,
        );
      return;
    }
    const names = actual.map(({ name }) => name).join(' or ');
    const speaks = names || (port.protocol.kind === 'unsupported' ? port.protocol.name : 'opaque tcp');
    this.#report('error', path, `port ${port.number} of ${host} speaks ${speaks}, expected ${wanted.name}`);
  }

  #beginsTls(host: string, port: number): boolean {
    return this.#index.policies(host).some(({ policy, subsets }) =>
      [policy, ...[...subsets.values()].map((subset) => subset.policy)].some((level) => {
        return blocksOf(level, port).tls?.mode === 'simple';
      }),
    );
  }

  #checkSubset(host: string, subset: string, path: FieldPath): void {
    const names = [...new Set(this.#index.policies(host).flatMap((policy) => [...policy.subsets.keys()]))].sort();
    if (names.includes(subset)) return;
    const exist =
      names.length > 0 ? `expected one of ${names.join(', ')}` : 'no DestinationRule defines subsets of this host';
    this.#report('error', [...path, 'subset'], `${host} has no subset ${subset}, ${exist}`);
  }
}

/** Behind a message about a host that no service has. */
export function hostHint(host: string, index: MeshIndex): string {
  const hosts = index.hosts();
  const meant = nearMiss(host, hosts);
  if (meant !== null) return `; did you mean ${meant}?`;
  if (hosts.length === 0) return '; there are none';
  return `; there are ${hosts.slice(0, 5).join(', ')}${hosts.length > 5 ? ', …' : ''}`;
}
