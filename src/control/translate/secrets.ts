/** Secrets: the texts that other resources refer to by name, and why some of them cannot be had. */
import type { Finding } from '../model/resource.ts';
import type { ResourceEntry } from '../model/resource-store.ts';
import type { SecretSpec } from '../model/secret.ts';

/** Its content is shown by nothing that prints objects. */
export class Secrets {
  /** By `<namespace>/<name>`. */
  readonly #used: ReadonlyMap<string, SecretSpec>;
  /** Of those that are there and have no version that can be used. */
  readonly #faults: ReadonlyMap<string, string>;

  constructor(used: ReadonlyMap<string, SecretSpec>, faults: ReadonlyMap<string, string>) {
    this.#used = used;
    this.#faults = faults;
  }

  find(namespace: string, name: string): SecretSpec | null {
    return this.#used.get(`${namespace}/${name}`) ?? null;
  }

  /** Namespaces that have a Secret of this name. */
  namespacesOf(name: string): string[] {
    return namespacesOf(this.#used, name);
  }

  /** What is wrong with the one that is there; null: there is none. */
  faultOf(namespace: string, name: string): string | null {
    return this.#faults.get(`${namespace}/${name}`) ?? null;
  }

  /** The same of all namespaces. */
  faultsOf(name: string): string | null {
    const faults = namespacesOf(this.#faults, name).map((namespace) => this.faultOf(namespace, name));
    return faults.length === 0 ? null : faults.join('; ');
  }
}

/** In words that follow the Secret's user. Nothing of its content is in a finding. */
export function secretFault({ document }: ResourceEntry, findings: readonly Finding[]): string {
  const faults = findings.filter(({ level }) => level === 'error');
  const said = faults.map(({ place, path, message }) => `${place.file}:${place.line}: ${path}: ${message}`);
  return `Secret ${document.namespace}/${document.name} is there and not valid: ${said.join('; ')}`;
}

function namespacesOf(secrets: ReadonlyMap<string, unknown>, name: string): string[] {
  const suffix = `/${name}`;
  return [...secrets.keys()].filter((key) => key.endsWith(suffix)).map((key) => key.slice(0, -suffix.length));
}
