/** Credentials: the certificates and CAs that Secrets hold, by the names that Gateways and DestinationRules know them by. */
import type { SecretSpec } from '../model/secret.ts';

export interface TlsCredential {
  /** PEM; null: the Secret has none. */
  readonly pair: { readonly certificate: string; readonly key: string } | null;
  readonly ca: string | null;
}

/** Of kubernetes.io/tls and of Istio's generic Secrets. */
const CERTIFICATE_KEYS = ['tls.crt', 'cert'];
const PRIVATE_KEYS = ['tls.key', 'key'];
const CA_KEYS = ['ca.crt', 'cacert'];

/** Its content is shown by nothing that prints objects. */
export class Credentials {
  /** By `<namespace>/<name>`. */
  readonly #secrets: ReadonlyMap<string, SecretSpec>;

  constructor(secrets: ReadonlyMap<string, SecretSpec>) {
    this.#secrets = secrets;
  }

  /** null: there is no such Secret. */
  find(namespace: string, name: string): TlsCredential | null {
    const secret = this.#secrets.get(`${namespace}/${name}`);
    if (secret === undefined) return null;
    const read = (keys: readonly string[]): string | null =>
      keys.map((key) => secret.texts.get(key)).find((text) => text?.includes('-----BEGIN ')) ?? null;
    const [certificate, key] = [read(CERTIFICATE_KEYS), read(PRIVATE_KEYS)];
    return { pair: certificate === null || key === null ? null : { certificate, key }, ca: read(CA_KEYS) };
  }

  /** Namespaces that have a Secret of this name. */
  namespacesOf(name: string): string[] {
    const suffix = `/${name}`;
    return [...this.#secrets.keys()].filter((key) => key.endsWith(suffix)).map((key) => key.slice(0, -suffix.length));
  }
}
