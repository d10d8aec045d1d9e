/** redirectLocation: where a redirect sends its caller. A port that a scheme implies is not added, one of the request's own stays. */
import { hostOf } from '../metaprotocol/address.ts';
import type { Address } from '../metaprotocol/filter.ts';
import type { RequestMessage } from '../metaprotocol/message.ts';
import type { Redirect } from './http-route-options.ts';
import { rewritePath } from './path-rewrite.ts';

export function redirectLocation(
  redirect: Redirect,
  request: RequestMessage,
  scheme: 'http' | 'https',
  listener: Address,
): string {
  const to = redirect.scheme ?? scheme;
  const authority = redirect.authority ?? request.get(':authority') ?? '';
  const [, host = '', own = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  // The port of the scheme that is left behind means nothing to the other.
  const kept = to !== scheme && own === portOf(scheme) ? '' : own;
  const port = portFor(redirect.port, to, listener.port) ?? kept;
  const path = request.get(':path') ?? '/';
  const target = redirect.path === null ? path : rewritePath(path, redirect.path);
  // A request of HTTP/1.0 names no host: to stay where it is it needs none (RFC 9110 §10.2.2), else it is where its caller connected to.
  if (host === '' && to === scheme && port === '') return target;
  return `${to}://${host || hostOf(listener)}${port === '' ? '' : `:${port}`}${target}`;
}

/** null: as in the request. '': none is written. */
function portFor(wanted: Redirect['port'], scheme: 'http' | 'https', listenerPort: number): string | null {
  if (wanted === null) return null;
  const isImplied = `${wanted === 'listener' ? listenerPort : wanted}` === portOf(scheme);
  if (wanted === 'listener') return isImplied ? null : `${listenerPort}`;
  return isImplied ? '' : `${wanted}`;
}

function portOf(scheme: 'http' | 'https'): string {
  return scheme === 'https' ? '443' : '80';
}
