/**
 * ProxyStatus: what the core tells a codec and its own statistics about the fate of a stream.
 * Protocol-blind; the other vocabulary, a protocol's own `outcome`, lives on ResponseMessage and is never mixed with it.
 */

export type StatusName =
  | 'no_error'
  | 'no_route'
  | 'no_cluster'
  | 'no_healthy_endpoint'
  | 'connect_failure'
  | 'timeout'
  | 'over_limit'
  | 'overloaded'
  | 'denied'
  | 'fault'
  | 'malformed'
  | 'too_large'
  | 'unsupported'
  | 'refused'
  | 'upstream_reset'
  | 'upstream_malformed'
  | 'downstream_reset'
  | 'slow_consumer'
  | 'draining'
  | 'internal_error';

/** A frozen outcome. Compare by `name`: the same status may carry different details. */
export interface ProxyStatus {
  readonly name: StatusName;
  /** Whose doing it was. */
  readonly source: 'downstream' | 'upstream' | 'local';
  /** May another attempt help, provided that the request may be sent again? */
  readonly retryable: boolean;
  /** For people: actual, expected and place. */
  readonly detail: string;
  /** One of the protocol's named codes that the reply shall carry (fault filter); null: the codec's own mapping. */
  readonly code: number | null;
  /** Of an answer that a route asked for (`no_error`): what it carries, as it stands. */
  readonly body?: Buffer;
}

function define(
  name: StatusName,
  source: ProxyStatus['source'],
  retryable: boolean,
  detail: string,
): Readonly<ProxyStatus> {
  return Object.freeze({ name, source, retryable, detail, code: null });
}

/** Every status by its name: `Status.no_route`. The table in docs/errors.md is compared with it by a test. */
export const Status = Object.freeze({
  no_error: define('no_error', 'local', false, 'no error'),
  no_route: define('no_route', 'local', false, 'no route matches this request'),
  no_cluster: define('no_cluster', 'local', false, 'the route names a cluster that does not exist'),
  no_healthy_endpoint: define('no_healthy_endpoint', 'upstream', true, 'the cluster has no endpoint to send to'),
  connect_failure: define('connect_failure', 'upstream', true, 'the endpoint could not be connected'),
  timeout: define('timeout', 'upstream', true, 'no answer within the timeout'),
  over_limit: define('over_limit', 'local', false, 'rate limit exceeded'),
  overloaded: define('overloaded', 'local', true, 'no connection or queue place is free'),
  denied: define('denied', 'local', false, 'access denied'),
  fault: define('fault', 'local', false, 'injected fault'),
  malformed: define('malformed', 'downstream', false, 'malformed message'),
  too_large: define('too_large', 'downstream', false, 'message exceeds a limit'),
  unsupported: define('unsupported', 'downstream', false, 'a variant that this codec does not support'),
  /** The upstream surely did not process it. */
  refused: define('refused', 'upstream', true, 'the upstream refused the request unprocessed'),
  upstream_reset: define('upstream_reset', 'upstream', true, 'the upstream closed before its answer ended'),
  upstream_malformed: define('upstream_malformed', 'upstream', false, 'the upstream sent a malformed message'),
  downstream_reset: define('downstream_reset', 'downstream', false, 'the caller went away'),
  slow_consumer: define('slow_consumer', 'downstream', false, 'the caller does not read its answers'),
  draining: define('draining', 'local', false, 'the proxy is shutting down'),
  internal_error: define('internal_error', 'local', false, 'a defect of a filter or codec'),
} satisfies { [Name in StatusName]: ProxyStatus });

/** The same status with words of the case at hand, and optionally a named code of the protocol. */
export function statusOf(base: ProxyStatus, detail: string, code: number | null = base.code): ProxyStatus {
  return Object.freeze({ name: base.name, source: base.source, retryable: base.retryable, detail, code });
}
