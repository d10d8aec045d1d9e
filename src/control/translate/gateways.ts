/** Gateway (networking.istio.io) -> Gateway: the servers that routers open, and what is said of those that they do not. */
import { getCiphers } from 'node:tls';
import { describe } from '../../schema/describe.ts';
import type { GatewayServerSpec, GatewaySpec, ServerTlsSpec } from '../model/gateway.ts';
import { type FieldPath, type Finding, findingAt, type Resource } from '../model/resource.ts';
import type { Credentials } from './credentials.ts';
import type { Gateway, GatewayHost, GatewayServer, PortProtocol, ServerTls, TlsVersion } from './mesh.ts';
import type { ProtocolTable } from './protocols.ts';
import type { Compiled } from './translation-round.ts';

type Served = GatewayServer['protocol'];

const META_PROTOCOL = 'tcp-metaprotocol';
/** A server has so many certificates at most: one for each kind of key. */
const CERTIFICATES = 2;
const LEAST_VERSION: TlsVersion = 'TLSv1_2';
const VERSIONS: Readonly<Record<string, TlsVersion>> = {
  TLSV1_0: 'TLSv1_0',
  TLSV1_1: 'TLSv1_1',
  TLSV1_2: 'TLSv1_2',
  TLSV1_3: 'TLSv1_3',
};
/** Of which a server that leaves them out is another server than the one that is meant. */
const UNSERVED_MODES: ReadonlyMap<string, string> = new Map([
  ['MUTUAL', 'verifying the certificates of callers'],
  ['OPTIONAL_MUTUAL', 'verifying the certificates of callers'],
  ['ISTIO_MUTUAL', 'mutual TLS of the mesh'],
  ['AUTO_PASSTHROUGH', 'routing by the SNI names of clusters'],
]);

export function compileGateway(
  resource: Resource<GatewaySpec>,
  protocols: ProtocolTable,
  credentials: Credentials,
): Compiled<Gateway> {
  const compiler = new GatewayCompiler(resource, protocols, credentials);
  const { key: source, metadata, spec } = resource;
  const servers = spec.servers.flatMap((server, index) => compiler.server(server, index) ?? []);
  const selector = new Map(Object.entries(spec.selector ?? {}));
  const name = `${metadata.namespace}/${metadata.name}`;
  return {
    findings: compiler.findings,
    make: () => ({ source, name, namespace: metadata.namespace, selector, servers }),
  };
}

class GatewayCompiler {
  readonly findings: Finding[] = [];
  readonly #resource: Resource<GatewaySpec>;
  readonly #protocols: ProtocolTable;
  readonly #credentials: Credentials;

  constructor(resource: Resource<GatewaySpec>, protocols: ProtocolTable, credentials: Credentials) {
    this.#resource = resource;
    this.#protocols = protocols;
    this.#credentials = credentials;
  }

  /** null: it is not served, and a finding says why. */
  server(spec: GatewayServerSpec, index: number): GatewayServer | null {
    const path: FieldPath = ['servers', index];
    const protocol = this.#protocol(spec, [...path, 'port']);
    if (protocol === null) return null;
    const { port, tls: given } = spec;
    const encrypted = given && port.protocol.toUpperCase() !== 'HTTP' ? given : null;
    const mode = encrypted?.mode ?? 'PASSTHROUGH';
    const unserved = encrypted === null ? undefined : UNSERVED_MODES.get(mode);
    if (unserved !== undefined) {
      this.#report('notApplied', [...path, 'tls', 'mode'], `${unserved} is not built yet: the server gets no listener`);
      return null;
    }
    const passes = encrypted !== null && mode === 'PASSTHROUGH';
    const passed = passes ? this.#served(this.#protocols.ofPort('tcp', ''), [...path, 'port']) : protocol;
    if (passed === null) return null;
    if (passes) this.#reportUnused(encrypted, [...path, 'tls']);
    return {
      index,
      port: port.number,
      portName: port.name,
      bind: spec.bind || null,
      protocol: passed,
      hosts: spec.hosts.map((host) => this.#host(host)),
      tls: passes ? 'passthrough' : encrypted === null ? null : this.#tls(encrypted, [...path, 'tls']),
      // What is encrypted is where it shall be.
      httpsRedirect: given?.httpsRedirect === true && encrypted === null,
    };
  }

  #protocol({ port }: GatewayServerSpec, path: FieldPath): Served | null {
    const declared = port.protocol.toUpperCase();
    const own = port.name.toLowerCase().startsWith(META_PROTOCOL);
    // As in Istio the protocol decides; the name only where Aeraki's protocols hide behind TCP.
    if (declared === 'HTTP' || declared === 'HTTPS') return this.#served(this.#protocols.ofPort('http', ''), path);
    if (declared === 'TCP' || declared === 'TLS') {
      const found = this.#protocols.ofPort(own ? port.name : 'tcp', '');
      if (found !== null) return this.#served(found, path);
    } else {
      const found = this.#protocols.ofPort('', declared);
      if (found?.kind !== 'unsupported' || ['HTTP2', 'GRPC', 'GRPC-WEB', 'UDP'].includes(declared))
        return found && this.#served(found, path);
    }
    const names = ['HTTP', 'HTTPS', 'TCP', 'TLS', ...this.#protocols.names()];
    const [field, actual] = own ? ['name', port.name] : ['protocol', port.protocol];
    this.#report('error', [...path, field], `actual ${describe(actual)}, expected one of ${names.join(', ')}`);
    return null;
  }

  #served(protocol: PortProtocol | null, path: FieldPath): Served | null {
    if (protocol !== null && protocol.kind !== 'unsupported') return protocol;
    const message = `${protocol?.name ?? 'it'} is not built yet: the server gets no listener`;
    this.#report('notApplied', [...path, 'protocol'], message);
    return null;
  }

  #host(text: string): GatewayHost {
    const [host = '', namespace = '*'] = text.toLowerCase().split('/').reverse();
    return { host, namespace: namespace === '.' ? this.#resource.metadata.namespace : namespace };
  }

  #tls(spec: ServerTlsSpec, path: FieldPath): ServerTls {
    const one = { serverCertificate: spec.serverCertificate ?? '', privateKey: spec.privateKey ?? '' };
    const files = spec.tlsCertificates?.length ? spec.tlsCertificates : spec.serverCertificate ? [one] : [];
    const names = spec.credentialNames?.length
      ? spec.credentialNames
      : spec.credentialName
        ? [spec.credentialName]
        : [];
    const field = spec.credentialNames?.length ? 'credentialNames' : 'credentialName';
    for (const name of names) this.#checkCredential(name, [...path, field]);
    if (Math.max(files.length, names.length) > CERTIFICATES)
      this.#report('warning', path, `only the first ${CERTIFICATES} certificates are used`);
    for (const field of ['caCertificates', 'caCertCredentialName', 'subjectAltNames'] as const)
      if (spec[field]) this.#report('notApplied', [...path, field], 'mode SIMPLE does not verify callers');
    for (const field of ['verifyCertificateSpki', 'verifyCertificateHash', 'insecureSkipVerify'] as const)
      if (spec[field]) this.#report('notApplied', [...path, field], 'verifying callers is not built yet');
    return {
      certificates: files
        .slice(0, CERTIFICATES)
        .map((pair) => ({ certificateFile: pair.serverCertificate, keyFile: pair.privateKey })),
      credentials: names.slice(0, CERTIFICATES),
      minimumVersion: VERSIONS[spec.minProtocolVersion ?? ''] ?? LEAST_VERSION,
      maximumVersion: VERSIONS[spec.maxProtocolVersion ?? ''] ?? null,
      cipherSuites: this.#cipherSuites(spec.cipherSuites ?? [], [...path, 'cipherSuites']),
    };
  }

  #cipherSuites(names: readonly string[], path: FieldPath): string[] {
    const known = new Set(getCiphers());
    return names.filter((name, index) => {
      if (known.has(name.toLowerCase())) return names.indexOf(name) === index;
      this.#report('warning', [...path, index], `${name} is no cipher suite that is known here: left out`);
      return false;
    });
  }

  #checkCredential(name: string, path: FieldPath): void {
    const namespaces = this.#credentials.namespacesOf(name);
    const lack = this.#credentials.lackOfAny(name);
    const message =
      lack !== null
        ? `${lack}: callers get no answer until the namespace of the router has it`
        : namespaces.every((namespace) => this.#credentials.find(namespace, name)?.pair === null)
          ? `Secret ${namespaces.map((namespace) => `${namespace}/${name}`).join(', ')} has no tls.crt and tls.key in PEM`
          : null;
    if (message !== null) this.#report('warning', path, message);
  }

  #reportUnused(tls: ServerTlsSpec, path: FieldPath): void {
    for (const [field, value] of Object.entries(tls)) {
      if (field === 'mode' || !value || (Array.isArray(value) && value.length === 0)) continue;
      this.#report('warning', [...path, field], 'no effect: with mode PASSTHROUGH TLS ends at the server behind');
    }
  }

  #report(level: Finding['level'], path: FieldPath, message: string): void {
    this.findings.push(findingAt(this.#resource.document, level, ['spec', ...path], message));
  }
}
