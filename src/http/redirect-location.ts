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
  const port = redirect.port === null ? own : redirect.port === 'listener' ? `${listenerPort}` : `${redirect.port}`;
  const implied = port === '' || port === (to === 'https' ? '443' : '80');
  const path = request.get(':path') ?? '/';
  const target = redirect.path === null ? path : rewritePath(path, redirect.path);
  return `${to}://${host}${implied ? '' : `:${port}`}${target}`;
}
