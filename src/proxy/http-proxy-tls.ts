/** TLS of an HTTP proxy in a program's own process: what the program says of it, as plans like those of xDS. */
import { isIP } from 'node:net';
import type { ConfigIssue } from '../metaprotocol/config-error.ts';
import type { SubjectAltNameMatch, TlsVersion } from '../metaprotocol/description.ts';
import type { CertificatePlan, DownstreamTlsPlan, PemSource, UpstreamTlsPlan } from './describe/tls.ts';

/** PEM, or a file of it that is read again when it changes. */
export type Pem = string | Buffer | { readonly file: string };

export interface HttpCertificate {
  /** With those of its issuers behind it. */
  readonly cert: Pem;
  readonly key: Pem;
}

export interface HttpProxyTls {
  /** The first that is for the server name is shown, else the first. */
  readonly certificates: readonly HttpCertificate[];
  /** Callers without a certificate of this CA are refused. */
  readonly clientCa?: Pem;
  /** Default: TLS 1.2. */
  readonly minVersion?: TlsVersion;
}

/** Of an upstream whose endpoints are `https://`. */
export interface HttpUpstreamTls {
  /** SNI, and what the certificate has to be for. Default: the endpoints' addresses. */
  readonly serverName?: string;
  /** Default: the authorities that Node trusts. */
  readonly ca?: Pem;
  /** Shown where the server asks for one. */
  readonly certificate?: HttpCertificate;
  /** Any certificate is good: for tests. */
  readonly verify?: false;
}

const HANDSHAKE_TIMEOUT_MS = 10_000;
const HTTP_1 = 'http/1.1';

export function planCallersTls(tls: HttpProxyTls, issues: ConfigIssue[]): DownstreamTlsPlan {
  if (tls.certificates.length === 0) issues.push({ path: 'tls.certificates', message: 'expected at least one' });
  return {
    minVersion: tls.minVersion ?? null,
    maxVersion: null,
    ciphers: [],
    applicationProtocols: [HTTP_1],
    subjectAltNames: [],
    certificates: tls.certificates.map((one, index) => certificateOf(one, `tls.certificates[${index}]`)),
    trustedCa: tls.clientCa === undefined ? null : sourceOf(tls.clientCa, 'tls.clientCa'),
    requireClientCertificate: tls.clientCa !== undefined,
    handshakeTimeoutMs: HANDSHAKE_TIMEOUT_MS,
  };
}

/** `hosts`: of its endpoints. */
export function planUpstreamTls(tls: HttpUpstreamTls, path: string, hosts: readonly string[]): UpstreamTlsPlan {
  const { serverName, ca, certificate, verify } = tls;
  const trustedCa: PemSource = ca === undefined ? { system: true } : sourceOf(ca, `${path}.ca`);
  const isVerified = verify !== false;
  return {
    minVersion: null,
    maxVersion: null,
    ciphers: [],
    applicationProtocols: [HTTP_1],
    trustedCa: isVerified ? trustedCa : null,
    subjectAltNames: isVerified && serverName === undefined ? hosts.map(addressMatch) : [],
    certificate: certificate === undefined ? null : certificateOf(certificate, `${path}.certificate`),
    serverName: serverName ?? null,
  };
}

function addressMatch(host: string): SubjectAltNameMatch {
  const type = isIP(host) === 0 ? 'dns' : 'ip';
  return { type, test: { kind: 'exact', value: host, ignoreCase: false } };
}

function certificateOf({ cert, key }: HttpCertificate, path: string): CertificatePlan {
  return { chain: sourceOf(cert, `${path}.cert`), key: sourceOf(key, `${path}.key`) };
}

function sourceOf(pem: Pem, label: string): PemSource {
  if (typeof pem === 'object' && 'file' in pem) return { file: pem.file };
  return { inline: pem.toString(), label };
}
