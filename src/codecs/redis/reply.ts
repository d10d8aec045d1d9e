/** Local replies: every ProxyStatus as a Redis error. */
import type { ProxyStatus, StatusName } from '../../metaprotocol/status.ts';
import { ErrorCode, errorName } from './codes.ts';
import { ownAnswer, type RedisResponse } from './message.ts';
import { bulk } from './wire.ts';

/** ProxyStatus to the error's first word, where the status carries no code of its own. docs/codecs/redis.md shows it. */
export const ERROR_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: ErrorCode.ERR,
  no_route: ErrorCode.ERR,
  no_cluster: ErrorCode.ERR,
  no_healthy_endpoint: ErrorCode.ERR,
  connect_failure: ErrorCode.ERR,
  timeout: ErrorCode.ERR,
  over_limit: ErrorCode.ERR,
  overloaded: ErrorCode.ERR,
  denied: ErrorCode.NOPERM,
  fault: ErrorCode.ERR,
  malformed: ErrorCode.ERR,
  too_large: ErrorCode.ERR,
  unsupported: ErrorCode.CROSSSLOT,
  refused: ErrorCode.ERR,
  upstream_reset: ErrorCode.ERR,
  upstream_malformed: ErrorCode.ERR,
  downstream_reset: ErrorCode.ERR,
  slow_consumer: ErrorCode.ERR,
  draining: ErrorCode.ERR,
  internal_error: ErrorCode.ERR,
};

/** In front of what a server said when it refused the state that a caller asked for: the caller hears the server's own words. */
export const HANDSHAKE_REFUSED = 'redis: the upstream refused the handshake: ';

export function errorReply(status: ProxyStatus): RedisResponse {
  if (status.name === 'denied' && status.detail.startsWith(HANDSHAKE_REFUSED)) {
    return errorAnswer(status.detail.slice(HANDSHAKE_REFUSED.length));
  }
  const name = errorName(status.code ?? ERROR_OF_STATUS[status.name]);
  return errorAnswer(`${name} ${status.name}: ${status.detail}`);
}

/** What HELLO tells of a server, where none is asked. */
export function helloAnswer(version: 2 | 3): RedisResponse {
  const head = version === 3 ? '%7\r\n' : '*14\r\n';
  const fields = [
    ...['server', 'redis', 'version', '7.0.0', 'proto'].map((text) => bulk(text)),
    `:${version}\r\n`,
    bulk('id'),
    ':0\r\n',
    ...['mode', 'standalone', 'role', 'master', 'modules'].map((text) => bulk(text)),
    '*0\r\n',
  ];
  return ownAnswer(`${head}${fields.join('')}`);
}

/** `text` begins with the error's word. A line end in it would be the next answer. */
export function errorAnswer(text: string): RedisResponse {
  return ownAnswer(`-${text.replace(/[\r\n]+/g, ' ')}\r\n`);
}
