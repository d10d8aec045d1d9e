/** TLS contexts of transport sockets. Where certificates and keys come from is said here; reading them is somebody else's. */
import { ConfigError } from '../../metaprotocol/config-error.ts';
import type {
  DownstreamTlsDescription,
  SubjectAltNameMatch,
  TlsDescription,
  TlsVersion,
  UpstreamTlsDescription,
} from '../../metaprotocol/description.ts';
import { certificatesOf, readIdentity } from '../../metaprotocol/tls/secure-context.ts';
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import { messageNameOf } from './any.ts';
import { readTextTest } from './attribute-match.ts';
import type { Reader } from './reader.ts';

/** Where a PEM text is. */
export type PemSource =
  | { readonly file: string }
  /** `label` names it to people. */
  | { readonly inline: string; readonly label: string }
  /** The authorities that Node trusts by itself. */
  | { readonly system: true }
  /** A part of a Secret resource. */
  | { readonly secret: string; readonly part: SecretPart };

export type SecretPart = 'chain' | 'key' | 'trustedCa';

export interface CertificatePlan {
  readonly chain: PemSource;
  readonly key: PemSource;
}

export interface DownstreamTlsPlan extends Omit<DownstreamTlsDescription, 'certificates' | 'trustedCa'> {
  readonly certificates: readonly CertificatePlan[];
  readonly trustedCa: PemSource | null;
}

export interface UpstreamTlsPlan extends Omit<UpstreamTlsDescription, 'certificate' | 'trustedCa'> {
  readonly certificate: CertificatePlan | null;
  readonly trustedCa: PemSource | null;
}

export type TlsPlan = DownstreamTlsPlan | UpstreamTlsPlan;

/** A Secret resource; null: it has no such part. */
export type SecretPlan = Readonly<Record<SecretPart, PemSource | null>>;

const HANDSHAKE_TIMEOUT_MS = 10_000;
const RAW_BUFFER = 'envoy.extensions.transport_sockets.raw_buffer.v3.RawBuffer';

const VERSIONS: Readonly<Record<string, TlsVersion | null>> = {
  TLS_AUTO: null,
  TLSv1_0: 'TLSv1',
  TLSv1_1: 'TLSv1.1',
  TLSv1_2: 'TLSv1.2',
  TLSv1_3: 'TLSv1.3',
};

const NAME_TYPES: Readonly<Record<string, SubjectAltNameMatch['type']>> = {
  DNS: 'dns',
  URI: 'uri',
  IP_ADDRESS: 'ip',
  EMAIL: 'email',
};

/** Of a filter chain; null: in the clear. */
export function readDownstreamTls(chain: Reader): DownstreamTlsPlan | null {
  const handshakeTimeoutMs = chain.durationMs('transportSocketConnectTimeout', HANDSHAKE_TIMEOUT_MS);
  const context = readTransportSocket(chain, TypeUrl.DownstreamTlsContext);
  if (context === null) return null;
  const common = context.child('commonTlsContext');
  const plan: DownstreamTlsPlan = {
    ...readCommon(common),
    certificates: readCertificates(common),
    requireClientCertificate: context.flag('requireClientCertificate'),
    handshakeTimeoutMs,
  };
  if (plan.certificates.length === 0) context.error('has no certificate', 'commonTlsContext.tlsCertificates');
  if (plan.requireClientCertificate && plan.trustedCa === null) {
    context.error('expected commonTlsContext.validationContext.trustedCa too', 'requireClientCertificate');
  }
  common?.end('error');
  context.ignore('@type');
  context.end('note');
  return plan;
}

/** Of a cluster; null: in the clear. */
export function readUpstreamTls(cluster: Reader): UpstreamTlsPlan | null {
  // Which of them counts is told by endpoints, to whom the others may not be sent in the clear.
  for (const match of cluster.children('transportSocketMatches')) {
    match.error('only the transportSocket of the whole cluster is supported');
  }
  const context = readTransportSocket(cluster, TypeUrl.UpstreamTlsContext);
  if (context === null) return null;
  const common = context.child('commonTlsContext');
  const certificates = readCertificates(common);
  const serverName = context.string('sni');
  const plan: UpstreamTlsPlan = {
    ...readCommon(common),
    certificate: certificates[0] ?? null,
    serverName: serverName === '' ? null : serverName,
  };
  if (certificates.length > 1) {
    context.error(`${certificates.length} certificates, expected at most one`, 'commonTlsContext.tlsCertificates');
  }
  const at = 'commonTlsContext.validationContext';
  if (plan.trustedCa === null) {
    if (plan.subjectAltNames.length > 0) context.error('names count only with a trustedCa', at);
    context.note('the server is not verified: without trustedCa any certificate is accepted', at);
  } else if (plan.subjectAltNames.length === 0 && plan.serverName === null) {
    context.note('any certificate of this CA is accepted: there is neither matchTypedSubjectAltNames nor sni', at);
  }
  common?.end('error');
  // With `sni` and without names the certificate has to be for that name, always.
  context.ignore('@type', 'autoSniSanValidation', 'maxSessionKeys');
  context.end('note');
  return plan;
}

/** What is wrong with its texts is said of the secret, whose last good version then goes on, and not of whoever names it. */
export function readSecret(secret: Reader): SecretPlan {
  const label = `secret ${secret.string('name')}`;
  const certificate = secret.child('tlsCertificate');
  const validation = secret.child('validationContext');
  const plan = {
    chain: certificate === null ? null : readPem(certificate, 'certificateChain', label),
    key: certificate === null ? null : readPem(certificate, 'privateKey', label),
    trustedCa: validation === null ? null : readAuthorities(validation, label),
  };
  const [chain, key, trustedCa] = [plan.chain, plan.key, plan.trustedCa].map((source) => inlineText(source, secret));
  if (chain && key) checkTexts(secret, () => readIdentity({ chain, key }));
  if (trustedCa) checkTexts(secret, () => certificatesOf(trustedCa));
  certificate?.end('note');
  // What else it asks of certificates would not be asked.
  validation?.end('error');
  if (certificate === null && validation === null) secret.error('expected tlsCertificate or validationContext');
  secret.end('note');
  return plan;
}

function inlineText(source: PemSource | null, secret: Reader): string | null {
  if (source === null || 'system' in source) return null;
  if ('inline' in source) return source.inline;
  secret.error('expected inlineString or inlineBytes: files are named where they are used');
  return null;
}

function checkTexts(secret: Reader, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    for (const { path, message } of error.issues) secret.error(message, path);
  }
}

/** What is usable together only: a certificate and its key; a CA. */
export type PemUnit = readonly PemSource[];
/** The texts of a unit. */
export type TextsOf = (unit: PemUnit) => readonly string[];

export function pemUnitsOf(plan: TlsPlan): PemUnit[] {
  const certificates = 'certificates' in plan ? plan.certificates : plan.certificate === null ? [] : [plan.certificate];
  const pairs = certificates.map(({ chain, key }) => [chain, key]);
  return plan.trustedCa === null ? pairs : [...pairs, [plan.trustedCa]];
}

/** The same plan with other sources. */
export function mapSources<P extends TlsPlan>(plan: P, map: (source: PemSource) => PemSource): P {
  return replaced(plan, (unit) => unit.map(map)) as P;
}

/** Of a plan without secrets. */
export function fillTls(plan: DownstreamTlsPlan, textsOf: TextsOf): DownstreamTlsDescription;
export function fillTls(plan: UpstreamTlsPlan, textsOf: TextsOf): UpstreamTlsDescription;
export function fillTls(plan: TlsPlan, textsOf: TextsOf): unknown {
  return replaced(plan, textsOf);
}

function replaced(plan: TlsPlan, replace: (unit: PemUnit) => readonly unknown[]): unknown {
  const pair = (certificate: CertificatePlan) => {
    const [chain, key] = replace([certificate.chain, certificate.key]);
    return { chain, key };
  };
  const trustedCa = plan.trustedCa === null ? null : replace([plan.trustedCa])[0];
  if ('certificates' in plan) return { ...plan, trustedCa, certificates: plan.certificates.map(pair) };
  return { ...plan, trustedCa, certificate: plan.certificate === null ? null : pair(plan.certificate) };
}

function readTransportSocket(owner: Reader, wanted: string): Reader | null {
  const socket = owner.child('transportSocket');
  if (socket === null) return null;
  const config = socket.child('typedConfig');
  const kind = config === null ? socket.string('name') : messageNameOf(config);
  socket.ignore('name');
  socket.end('error');
  if (config !== null && kind === messageName(wanted)) return config;
  // Sending in the clear what shall be encrypted is worse than not sending it.
  if (kind !== RAW_BUFFER && kind !== 'envoy.transport_sockets.raw_buffer') {
    socket.error(`${JSON.stringify(kind)} is not supported; expected ${messageName(wanted)} or RawBuffer`);
  }
  return null;
}

function readCommon(common: Reader | null): Omit<TlsDescription, 'trustedCa'> & { trustedCa: PemSource | null } {
  const params = common?.child('tlsParams') ?? null;
  const combined = common?.child('combinedValidationContext') ?? null;
  const validation = combined?.child('defaultValidationContext') ?? common?.child('validationContext') ?? null;
  const secret = (combined ?? common)?.child('validationContextSdsSecretConfig') ?? null;
  const read = {
    minVersion: readVersion(params, 'tlsMinimumProtocolVersion'),
    maxVersion: readVersion(params, 'tlsMaximumProtocolVersion'),
    // BoringSSL takes [a|b] for ciphers of equal rank; OpenSSL has none.
    ciphers: params?.strings('cipherSuites').flatMap((suite) => suite.replace(/[[\]]/g, '').split('|')) ?? [],
    applicationProtocols: common?.strings('alpnProtocols') ?? [],
    trustedCa:
      (secret === null ? null : ({ secret: readSecretName(secret), part: 'trustedCa' } as const)) ??
      (validation === null ? null : readAuthorities(validation, 'trustedCa')),
    subjectAltNames: validation?.children('matchTypedSubjectAltNames').flatMap(readNameMatch) ?? [],
  };
  params?.end('note');
  // A test of certificates that nobody makes would let more peers in than it says.
  validation?.end('error');
  combined?.end('error');
  return read;
}

function readAuthorities(validation: Reader, label: string): PemSource | null {
  const system = validation.child('systemRootCerts');
  if (system === null) return validation.has('trustedCa') ? readPem(validation, 'trustedCa', label) : null;
  system.end('error');
  return { system: true };
}

function readVersion(params: Reader | null, field: string): TlsVersion | null {
  const text = params?.string(field, 'TLS_AUTO') ?? 'TLS_AUTO';
  const version = VERSIONS[text];
  if (version === undefined) params?.error(`${JSON.stringify(text)} is no TLS version`, field);
  return version ?? null;
}

function readCertificates(common: Reader | null): CertificatePlan[] {
  if (common === null) return [];
  const named = common.children('tlsCertificateSdsSecretConfigs').map((config): CertificatePlan => {
    const secret = readSecretName(config);
    return { chain: { secret, part: 'chain' }, key: { secret, part: 'key' } };
  });
  const own = common.children('tlsCertificates').flatMap((certificate, index): CertificatePlan[] => {
    const chain = readPem(certificate, 'certificateChain', `tlsCertificates[${index}].certificateChain`);
    const key = readPem(certificate, 'privateKey', `tlsCertificates[${index}].privateKey`);
    certificate.end('error');
    return chain === null || key === null ? [] : [{ chain, key }];
  });
  return [...own, ...named];
}

/** Secrets come over the one ADS stream, whatever source is written here. */
function readSecretName(config: Reader): string {
  const name = config.string('name');
  if (name === '') config.error('names no secret', 'name');
  config.ignore('sdsConfig');
  config.end('note');
  return name;
}

function readPem(owner: Reader, field: string, label: string): PemSource | null {
  const source = owner.child(field);
  if (source === null) {
    owner.error('expected filename, inlineString or inlineBytes', field);
    return null;
  }
  const file = source.string('filename');
  const text = source.string('inlineString');
  const bytes = source.string('inlineBytes');
  source.ignore('watchedDirectory');
  source.end('error');
  if (file !== '') return { file };
  if (text === '' && bytes === '') source.error('expected filename, inlineString or inlineBytes');
  return { inline: text === '' ? Buffer.from(bytes, 'base64').toString() : text, label };
}

function readNameMatch(match: Reader): SubjectAltNameMatch[] {
  const text = match.string('sanType');
  const type = NAME_TYPES[text];
  const matcher = match.child('matcher');
  const test = matcher === null ? null : readTextTest(matcher);
  match.end('error');
  if (type === undefined) match.error(`${JSON.stringify(text)} is not DNS, URI, IP_ADDRESS or EMAIL`, 'sanType');
  if (matcher === null) match.error('expected a matcher', 'matcher');
  return type === undefined || test === null ? [] : [{ type, test }];
}
