/** Credentials: the certificates and CAs that Secrets hold, by the names that Gateways and DestinationRules know them by. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { type Finding, findingAt, type Resource, resourceKey } from '../model/resource.ts';
import type { SecretSpec } from '../model/secret.ts';
import type { Secrets } from './secrets.ts';

export interface TlsCredential {
  /** Key of the Secret. */
  readonly source: string;
  /** PEM; null: the Secret has none. */
  readonly pair: { readonly certificate: string; readonly key: string } | null;
  readonly ca: string | null;
}

/** Of kubernetes.io/tls and of Istio's generic Secrets. */
const CERTIFICATE_KEYS = ['tls.crt', 'cert'];
const PRIVATE_KEYS = ['tls.key', 'key'];
const CA_KEYS = ['ca.crt', 'cacert'];
const TLS_TYPE = 'kubernetes.io/tls';
const PEM = '-----BEGIN ';

/** Faults of what is meant as a certificate with its key: nobody shall serve it, and the last good one goes on. No content is told. */
export function checkSecret({ spec, document }: Resource<SecretSpec>): Finding[] {
  const [certificate, key] = [CERTIFICATE_KEYS, PRIVATE_KEYS].map((names) => {
    const name = names.find((each) => spec.texts.has(each)) ?? names[0]!;
    return { name, text: spec.texts.get(name) ?? '' };
  }) as [NamedText, NamedText];
  const plain = Object.entries(document.body.data ?? {}).filter(([, value]) => !isBase64(String(value)));
  if (plain.length > 0) {
    return plain.map(([name]) => {
      return findingAt(document, 'error', ['data', name], 'expected base64; plain text belongs into stringData');
    });
  }
  const isMeant = document.body.type === TLS_TYPE || [certificate, key].some(({ text }) => text.includes(PEM));
  if (!isMeant) return [];
  const fault = (name: string, message: string): Finding[] => {
    const field = document.body.stringData ? 'stringData' : 'data';
    return [findingAt(document, 'error', [field, name], message)];
  };
  try {
    const leaf = new X509Certificate(certificate.text);
    try {
      if (leaf.checkPrivateKey(createPrivateKey(key.text))) return [];
    } catch {
      return fault(key.name, 'expected a private key in PEM without a passphrase');
    }
  } catch {
    return fault(certificate.name, 'expected a certificate in PEM');
  }
  return fault(key.name, `expected the key of the certificate ${certificate.name}`);
}

/** Buffer.from leaves out what is not of it: a password in plain text would become another one. */
function isBase64(text: string): boolean {
  const digits = text.replaceAll(/\s/g, '');
  return digits.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(digits);
}

interface NamedText {
  readonly name: string;
  readonly text: string;
}

export class Credentials {
  readonly #secrets: Secrets;

  constructor(secrets: Secrets) {
    this.#secrets = secrets;
  }

  /** null: there is no such Secret that can be used. */
  find(namespace: string, name: string): TlsCredential | null {
    const secret = this.#secrets.find(namespace, name);
    if (secret === null) return null;
    const read = (keys: readonly string[]): string | null =>
      keys.map((key) => secret.texts.get(key)).find((text) => text?.includes(PEM)) ?? null;
    const [certificate, key] = [read(CERTIFICATE_KEYS), read(PRIVATE_KEYS)];
    const source = resourceKey('Secret', namespace, name);
    return { source, pair: certificate === null || key === null ? null : { certificate, key }, ca: read(CA_KEYS) };
  }

  /** Why the namespace has no such credential of that `content`. */
  lackOf(namespace: string, name: string, content: string): string {
    return this.#secrets.faultOf(namespace, name) ?? `the namespace ${namespace} has no Secret ${name} with ${content}`;
  }

  /** Why no namespace has one; null: some has. */
  lackOfAny(name: string): string | null {
    if (this.namespacesOf(name).length > 0) return null;
    return this.#secrets.faultsOf(name) ?? `no namespace has a Secret ${name}`;
  }

  namespacesOf(name: string): string[] {
    return this.#secrets.namespacesOf(name);
  }
}
