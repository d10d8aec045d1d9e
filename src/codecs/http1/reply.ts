/** Local replies: every ProxyStatus as a small text response. */
import { Flag } from '../../metaprotocol/message.ts';
import { type ProxyStatus, Status, type StatusName, statusOf } from '../../metaprotocol/status.ts';
import { Fields } from './fields.ts';
import { Http1Response } from './message.ts';
import { SectionReader } from './section-reader.ts';
import { EMPTY, Framing, REASONS } from './wire.ts';

/** ProxyStatus to HTTP status, where the status carries no code of its own. docs/codecs/http1.md shows it. */
export const HTTP_OF_STATUS: Readonly<Record<StatusName, number>> = {
  no_error: 200,
  no_route: 404,
  no_cluster: 503,
  no_healthy_endpoint: 503,
  connect_failure: 503,
  timeout: 504,
  over_limit: 429,
  overloaded: 503,
  denied: 403,
  fault: 503,
  malformed: 400,
  too_large: 413,
  unsupported: 501,
  refused: 503,
  upstream_reset: 503,
  upstream_malformed: 502,
  downstream_reset: 400,
  slow_consumer: 503,
  draining: 503,
  internal_error: 500,
};

const LIMITS = { headLimitBytes: 1_024, headerLimit: 4 };

/** An answer that was asked for (a direct response) brings its body; others say what went wrong. */
export function httpReply(status: ProxyStatus, date?: string): Http1Response {
  const code = status.code ?? HTTP_OF_STATUS[status.name];
  if (!Number.isInteger(code) || code < 200 || code > 999) {
    const text = `an answer with status ${code} was asked for, expected 200 to 999`;
    return httpReply(statusOf(Status.internal_error, text), date);
  }
  const bodiless = code === 204 || code === 304;
  const text = status.name === 'no_error' ? status.detail : `${status.name}: ${status.detail}\n`;
  const body = bodiless ? EMPTY : (status.body ?? Buffer.from(text));
  let head = `HTTP/1.1 ${code} ${REASONS[code] ?? ''}\r\n`;
  if (body.length > 0) head += 'content-type: text/plain; charset=utf-8\r\n';
  if (!bodiless) head += `content-length: ${body.length}\r\n`;
  // RFC 9110 §6.6.1: who answers by itself and has a clock says when.
  if (date !== undefined) head += `date: ${date}\r\n`;
  const bytes = Buffer.from(`${head}\r\n`, 'latin1');
  const reader = new SectionReader(LIMITS);
  reader.reset(false);
  reader.read(bytes, 0, bytes.length);
  const line = { status: code, minor: 1, startLineEnd: reader.startLineEnd };
  const framing = bodiless ? Framing.None : Framing.Length;
  return new Http1Response(
    line,
    Fields.of(reader, bytes, 0),
    bytes.length,
    Flag.End,
    framing,
    body.length,
    false,
    body,
  );
}
