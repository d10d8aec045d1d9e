/** HttpProxyOptions: what a program asks of an HTTP proxy in its own process. */
import type { CallerTimeouts } from '../metaprotocol/description.ts';
import type { Address, Filter } from '../metaprotocol/filter.ts';
import type { HttpProxyTls, HttpUpstreamTls } from './http-proxy-tls.ts';

/** A string is compared as a whole, a RegExp's source as RE2 with the whole value; `true`: present. */
export type ValueMatch = string | RegExp | { readonly prefix: string } | true;

export interface HttpRoute {
  /** For statistics and logs. */
  readonly name?: string;
  /** Exact, `*.suffix` or `*` (the default); requests may name any port. */
  readonly host?: string;
  /** Without the query. A string is a prefix of characters. */
  readonly path?: string | RegExp | { readonly exact: string };
  readonly method?: string;
  readonly headers?: Readonly<Record<string, ValueMatch>>;
  readonly query?: Readonly<Record<string, ValueMatch>>;
  /** Name of an upstream, or weights by names. */
  readonly to: string | Readonly<Record<string, number>>;
  /** In place of the prefix that `path` matched, or of the whole path after another match. */
  readonly rewrite?: string;
  readonly setHeaders?: Readonly<Record<string, string>>;
  readonly removeHeaders?: readonly string[];
  /** Of the whole request; 0: none, the default. */
  readonly timeoutMs?: number;
}

export interface HttpProxyRoutes {
  /** Endpoints as `http://127.0.0.1:8080` or `https://127.0.0.1:8443`: an IP address and a port. */
  readonly upstreams: Readonly<Record<string, readonly string[]>>;
  /** Of upstreams with `https://`, by name; without it the certificate has to be for the address, of an authority that Node trusts. */
  readonly upstreamTls?: Readonly<Record<string, HttpUpstreamTls>>;
  /** The first one that matches is taken; none: 404. */
  readonly routes: readonly HttpRoute[];
}

export interface HttpProxyOptions extends HttpProxyRoutes {
  /** Port 0: a free one. */
  readonly listen: Address;
  /** Callers speak TLS. */
  readonly tls?: HttpProxyTls;
  /** See every request and response, in this order and back. */
  readonly filters?: readonly Filter[];
  /** How slow callers may be, in milliseconds; 0: as slow as they like. Defaults in docs/library.md. */
  readonly timeouts?: Partial<CallerTimeouts>;
  /** Of the HTTP/1.1 codec (docs/codecs/http1.md). */
  readonly codecOptions?: Readonly<Record<string, string | number>>;
}
