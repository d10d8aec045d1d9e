/** Access log: one line for each stream, as text or JSON, of fields that every protocol has and of any attribute. */

import type { ConfigIssue } from '../../config-error.ts';
import { ConfigError } from '../../config-error.ts';
import type { Filter, FilterContext, FilterFactory, Stream } from '../../filter.ts';

/** One command of a format: `%NAME%` or `%NAME(argument)%`. */
type Field = (stream: Stream) => string;

export interface AccessLogOptions {
  readonly path: string;
  readonly format: string;
  /** Each value is a format of its own; null: text. */
  readonly jsonFormat: Readonly<Record<string, string>> | null;
}

export const DEFAULT_FORMAT =
  '[%START_TIME%] %PROTOCOL% %LISTENER% "%ROUTE_NAME%" %STATUS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "%DOWNSTREAM_REMOTE_ADDRESS%" "%UPSTREAM_CLUSTER%" "%UPSTREAM_HOST%" "%RESPONSE_DETAILS%"\n';

const FIELDS: Readonly<Record<string, (argument: string) => Field>> = {
  START_TIME: () => (stream) => new Date(Date.now() - stream.elapsedMs).toISOString(),
  PROTOCOL: () => (stream) => stream.request.family,
  LISTENER: () => (stream) => stream.downstream.listener,
  ROUTE_NAME: () => (stream) => stream.route?.name ?? '-',
  /** How the proxy ended it: `no_error`, or the name of a ProxyStatus. */
  STATUS: () => (stream) => stream.status.name,
  /** The protocol's own code. */
  RESPONSE_CODE: () => (stream) => stream.response?.outcome?.code.toString() ?? '-',
  RESPONSE_DETAILS: () => (stream) => (stream.status.name === 'no_error' ? '-' : stream.status.detail),
  BYTES_RECEIVED: () => (stream) => stream.requestBytes.toString(),
  BYTES_SENT: () => (stream) => stream.responseBytes.toString(),
  /** Milliseconds, three decimals. */
  DURATION: () => (stream) => stream.elapsedMs.toFixed(3),
  DOWNSTREAM_REMOTE_ADDRESS: () => (stream) => `${stream.downstream.source.host}:${stream.downstream.source.port}`,
  UPSTREAM_CLUSTER: () => (stream) => stream.attempts.at(-1)?.cluster ?? '-',
  UPSTREAM_HOST: () => (stream) => {
    const endpoint = stream.attempts.at(-1)?.endpoint;
    return endpoint === undefined ? '-' : `${endpoint.host}:${endpoint.port}`;
  },
  ATTEMPTS: () => (stream) => stream.attempts.length.toString(),
  /** An attribute of the request or response: `%REQ(method)%`. */
  REQ: (key) => (stream) => stream.request.get(key) ?? '-',
  RESP: (key) => (stream) => stream.response?.get(key) ?? '-',
};

class AccessLogFilter implements Filter {
  readonly #path: string;
  readonly #render: (stream: Stream) => string;
  readonly #writeLog: (path: string, line: string) => void;

  constructor(options: AccessLogOptions, context: FilterContext) {
    this.#path = options.path;
    this.#writeLog = context.writeLog;
    if (options.jsonFormat === null) {
      this.#render = compileFormat(options.format, []);
    } else {
      const fields = Object.entries(options.jsonFormat).map(
        ([key, format]) => [key, compileFormat(format, [])] as const,
      );
      this.#render = (stream) =>
        `${JSON.stringify(Object.fromEntries(fields.map(([key, field]) => [key, field(stream)])))}\n`;
    }
  }

  onEnd(stream: Stream): void {
    this.#writeLog(this.#path, this.#render(stream));
  }
}

/** Compiles a format; unknown commands become issues. */
function compileFormat(format: string, issues: ConfigIssue[]): (stream: Stream) => string {
  const parts: (string | Field)[] = [];
  let at = 0;
  for (const command of format.matchAll(/%([A-Z_]+)(?:\(([^)]*)\))?%/g)) {
    parts.push(format.slice(at, command.index));
    at = command.index + command[0].length;
    const field = Object.hasOwn(FIELDS, command[1]!) ? FIELDS[command[1]!]! : null;
    if (field === null) {
      issues.push({
        path: 'format',
        message: `unknown command ${command[0]}, known: ${Object.keys(FIELDS).join(', ')}`,
      });
    } else parts.push(field(command[2] ?? ''));
  }
  parts.push(format.slice(at));
  return (stream) => {
    let line = '';
    for (const part of parts) line += typeof part === 'string' ? part : quoteSafe(part(stream));
    return line;
  };
}

/** Peers choose some of these values: none of them may end the line or a quoted field. */
function quoteSafe(value: string): string {
  return UNSAFE.test(value)
    ? value.replace(/["\\\p{Cc}]/gu, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`)
    : value;
}

const UNSAFE = /["\\\p{Cc}]/u;

export const accessLogFilter: FilterFactory<AccessLogOptions> = {
  name: 'access_log',
  parseOptions(raw) {
    const { path, format, jsonFormat } = (raw ?? {}) as Partial<Record<keyof AccessLogOptions, unknown>>;
    const issues: ConfigIssue[] = [];
    if (typeof path !== 'string' || path === '') {
      issues.push({ path: 'path', message: `expected a file path, got ${JSON.stringify(path)}` });
    }
    const text = typeof format === 'string' && format !== '' ? format : DEFAULT_FORMAT;
    const json = typeof jsonFormat === 'object' && jsonFormat !== null ? (jsonFormat as Record<string, string>) : null;
    for (const one of json === null ? [text] : Object.values(json)) compileFormat(String(one), issues);
    if (issues.length > 0) throw new ConfigError(issues);
    return { path: path as string, format: text, jsonFormat: json };
  },
  create: (options, context) => new AccessLogFilter(options, context),
};
