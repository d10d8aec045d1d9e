/** TlsTable: what a runtime has of TLS. What did not change is carried over, so that sessions live on and keys are not read again. */
import type { DownstreamTlsDescription, UpstreamTlsDescription } from '../description.ts';
import type { StatsScope } from '../stats.ts';
import type { ReadBuffer } from '../wire/read-buffer.ts';
import { ServerTls } from './server-tls.ts';
import { TlsConnector } from './tls-connector.ts';

export type TlsEntries = ReadonlyMap<string, ServerTls | TlsConnector>;

export interface TlsResources {
  readonly buffer: ReadBuffer;
  readonly stats: StatsScope;
  /** Of all workers, so that a session that began at one goes on at another. */
  readonly ticketKeys: Buffer;
}

export class TlsTable {
  readonly used = new Map<string, ServerTls | TlsConnector>();
  readonly #before: TlsEntries;
  readonly #resources: TlsResources;

  constructor(before: TlsEntries, resources: TlsResources) {
    this.#before = before;
    this.#resources = resources;
  }

  /** Throws ConfigError. */
  server(listener: string, chain: string, description: DownstreamTlsDescription): ServerTls {
    const place = JSON.stringify(['listener', listener, chain]);
    const { ticketKeys } = this.#resources;
    return this.#entry(place, description, ServerTls, () => new ServerTls(description, place, ticketKeys));
  }

  /** Throws ConfigError. */
  connector(cluster: string, description: UpstreamTlsDescription): TlsConnector {
    const { buffer, stats } = this.#resources;
    const make = () => new TlsConnector(description, buffer, stats.scope({ cluster }));
    return this.#entry(JSON.stringify(['cluster', cluster]), description, TlsConnector, make);
  }

  #entry<E extends ServerTls | TlsConnector>(
    place: string,
    description: object,
    kind: abstract new (...parts: never[]) => E,
    make: () => E,
  ): E {
    const key = `${place}${JSON.stringify(description)}`;
    const known = this.used.get(key) ?? this.#before.get(key);
    const entry = known instanceof kind ? known : make();
    this.used.set(key, entry);
    return entry;
  }
}
