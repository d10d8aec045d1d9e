/** redirectLocation: where a redirect sends its caller. Ports that a scheme implies are left out. */
import type { RequestMessage } from '../metaprotocol/message.ts';
import type { Redirect } from './http-route-options.ts';
import { rewritePath } from './path-rewrite.ts';

export function redirectLocation(
  redirect: Redirect,
  request: RequestMessage,
  scheme: 'http' | 'https',
  listenerPort: number,
): string {
  const to = redirect.scheme ?? scheme;
  const authority = redirect.authority ?? request.get(':authority') ?? '';
  const [, host = '', own = ''] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(authority) ?? [];
  // The port of the scheme that is left behind means nothing to the other.
  const kept = own === portOf(scheme) ? '' : own;
  const port = redirect.port === null ? kept : redirect.port === 'listener' ? `${listenerPort}` : `${redirect.port}`;
  const implied = port === '' || port === portOf(to);
  const path = request.get(':path') ?? '/';
  const target = redirect.path === null ? path : rewritePath(path, redirect.path);
  return `${to}://${host}${implied ? '' : `:${port}`}${target}`;
}

function portOf(scheme: 'http' | 'https'): string {
  return scheme === 'https' ? '443' : '80';
}
