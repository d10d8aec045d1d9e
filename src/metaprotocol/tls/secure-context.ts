/** Descriptions of TLS into Node's contexts. Checked here are the things that OpenSSL would take in silence, or name by numbers. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { ConfigError, type ConfigIssue } from '../config-error.ts';
import { type CertificateDescription, SYSTEM_CA, type TlsDescription } from '../description.ts';
import { textOf } from '../error-text.ts';
import { collect } from '../router/route-table.ts';

/** A certificate with its key; `leaf` is its first certificate. */
export interface Identity {
  readonly leaf: X509Certificate;
  readonly description: CertificateDescription;
}

/** Throws ConfigError with every fault. */
export function readIdentity(description: CertificateDescription): Identity {
  const issues: ConfigIssue[] = [];
  const leaf = parsed(issues, 'chain', () => certificatesOf(description.chain)[0]!);
  const key = parsed(issues, 'key', () => privateKeyOf(description.key));
  if (leaf !== null && key !== null && !leaf.checkPrivateKey(key)) {
    issues.push({ path: 'key', message: `is not the key of the certificate of ${nameOf(leaf)}` });
  }
  if (issues.length > 0 || leaf === null) throw new ConfigError(issues);
  return { leaf, description };
}

/** Throws ConfigError with every fault. */
export function secureContextOf(
  tls: TlsDescription,
  identity: Identity | null,
  server: Pick<SecureContextOptions, 'sessionIdContext' | 'ticketKeys'> = {},
): SecureContext {
  const { minVersion, maxVersion, ciphers, trustedCa } = tls;
  const issues: ConfigIssue[] = [];
  const ca = trustedCa === SYSTEM_CA ? null : trustedCa;
  if (ca !== null) collect(issues, 'trustedCa', () => void certificatesOf(ca));
  if (issues.length > 0) throw new ConfigError(issues);
  try {
    return createSecureContext({
      ...server,
      ...(identity === null ? {} : { cert: identity.description.chain, key: identity.description.key }),
      // Named none, Node takes its own.
      ...(trustedCa === SYSTEM_CA ? {} : { ca: ca ?? [] }),
      ...(minVersion === null ? {} : { minVersion }),
      ...(maxVersion === null ? {} : { maxVersion }),
      ...(ciphers.length === 0 ? {} : { ciphers: ciphers.join(':') }),
    });
  } catch (error) {
    const reason = tlsErrorText(error);
    const message = reason === 'no cipher match' ? `none of ${ciphers.join(', ')} is a cipher that is known` : reason;
    throw new ConfigError([{ path: '', message }]);
  }
}

/** All that stand in a PEM text, at least one. Throws ConfigError. */
export function certificatesOf(pem: string): X509Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new ConfigError([{ path: '', message: 'has no PEM block CERTIFICATE' }]);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch (error) {
      throw new ConfigError([{ path: '', message: `certificate ${index + 1}: ${tlsErrorText(error)}` }]);
    }
  });
}

/** OpenSSL's reason, where there is one: the rest of its texts are numbers and places in its source. */
export function tlsErrorText(error: unknown): string {
  const { reason } = error as { reason?: unknown };
  // Behind a semicolon Node advises whoever runs a program of his own.
  return typeof reason === 'string' ? reason : textOf(error).replace(/; if the root CA .*/s, '');
}

export function nameOf(certificate: X509Certificate): string {
  return certificate.subjectAltName ?? certificate.subject ?? 'no name';
}

function privateKeyOf(pem: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    throw new ConfigError([
      { path: '', message: `is no private key in PEM without a passphrase: ${tlsErrorText(error)}` },
    ]);
  }
}

function parsed<T>(issues: ConfigIssue[], path: string, parse: () => T): T | null {
  let value: T | null = null;
  collect(issues, path, () => {
    value = parse();
  });
  return value;
}
