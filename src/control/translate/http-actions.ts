/** What a route of a VirtualService asks of the HTTP filter, as the filter's options. */
import type { JsonObject } from '../../xds/json.ts';
import { isAuthorityKey } from '../model/http-text.ts';
import type { HttpMatchSpec, HttpRouteSpec } from '../model/virtual-service.ts';

/** Name of the filter that stands in every HTTP chain. */
export const HTTP_FILTER = 'http';

/** Of a route with this match block; null: nothing is asked. */
export function httpActions(spec: HttpRouteSpec, match: HttpMatchSpec | null): JsonObject | null {
  const options: JsonObject = {};
  const { rewrite, redirect, directResponse } = spec;
  if (rewrite?.uri) options.path = rewriteOf(rewrite.uri, match);
  if (rewrite?.uriRegexRewrite) {
    const { match: regex, rewrite: to } = rewrite.uriRegexRewrite;
    options.path = { regex, to: groupsOf(to) };
  }
  const authority = rewrite?.authority ?? authorityOf(spec);
  if (authority) options.authority = authority;
  if (redirect) {
    const to: JsonObject = { status: redirect.redirectCode ?? 301 };
    if (redirect.scheme) to.scheme = redirect.scheme;
    if (redirect.authority) to.authority = redirect.authority;
    if (redirect.port) to.port = `${redirect.port}`;
    else if (redirect.derivePort === 'FROM_REQUEST_PORT') to.port = 'listener';
    if (redirect.uri) to.path = { to: redirect.uri };
    else if (redirect.prefixRewrite) to.path = rewriteOf(redirect.prefixRewrite, match);
    options.redirect = to;
  }
  if (directResponse) {
    const { body } = directResponse;
    options.direct = {
      status: directResponse.status,
      ...(body?.bytes ? { bytes: body.bytes } : { body: body?.string ?? '' }),
    };
  }
  return Object.keys(options).length === 0 ? null : options;
}

/** The matched prefix is replaced; after another match, or none, the whole path. */
function rewriteOf(to: string, match: HttpMatchSpec | null): JsonObject {
  const { uri } = match ?? {};
  if (uri && (typeof uri.exact === 'string' || uri.regex)) return { to };
  return { prefix: uri?.prefix || '/', to };
}

/** `host` among the headers to set is another authority. */
function authorityOf(spec: HttpRouteSpec): string | undefined {
  const own = routeAuthority(spec.headers);
  return own ?? (spec.route?.length === 1 ? routeAuthority(spec.route[0]!.headers) : undefined);
}

/** Of the operations of a route or of one of its destinations. */
export function routeAuthority(headers: HttpRouteSpec['headers']): string | undefined {
  const { add, set } = headers?.request ?? {};
  return Object.entries({ ...add, ...set }).find(([key]) => isAuthorityKey(key))?.[1];
}

/** `\1` of Envoy is `$1` here, and a `$` that stands for itself is `\$`. */
function groupsOf(text: string): string {
  return text.replace(/\\(.)|\$/g, (whole, escaped?: string) =>
    escaped === undefined ? '\\$' : escaped === '\\' ? whole : `$${escaped}`,
  );
}
