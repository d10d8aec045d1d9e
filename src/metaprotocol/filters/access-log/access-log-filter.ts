/** Access log: one line for each stream, as text or JSON, of fields that every protocol has and of any attribute. */

import type { ConfigIssue } from '../../config-error.ts';
import { ConfigError } from '../../config-error.ts';
import { type Filter, type FilterContext, type FilterFactory, FilterStatus, type Stream } from '../../filter.ts';
import type { Message } from '../../message.ts';
import { Status } from '../../status.ts';

/** One command of a format: `%NAME%` or `%NAME(argument)%`. */
interface Field {
  readonly text: (stream: Stream) => string;
  /** A peer or a name in configuration chose the text: it may hold quotes or line ends. */
  readonly foreign: boolean;
}

export interface AccessLogOptions {
  readonly path: string;
  readonly format: string;
  /** Each value is a format of its own; null: text. */
  readonly jsonFormat: Readonly<Record<string, string>> | null;
}

export const DEFAULT_FORMAT =
  '[%START_TIME%] %PROTOCOL% %LISTENER% "%ROUTE_NAME%" %STATUS% %RESPONSE_CODE% %BYTES_RECEIVED% %BYTES_SENT% %DURATION_US% "%DOWNSTREAM_REMOTE_ADDRESS%" "%UPSTREAM_CLUSTER%" "%UPSTREAM_HOST%" "%RESPONSE_DETAILS%"';

function own(text: (stream: Stream) => string): (argument: string) => Field {
  return () => ({ text, foreign: false });
}

function foreign(text: (stream: Stream, argument: string) => string): (argument: string) => Field {
  return (argument) => ({ text: (stream) => text(stream, argument), foreign: true });
}

const FIELDS: Readonly<Record<string, (argument: string) => Field>> = {
  START_TIME: () => ({ text: startTimeText(), foreign: false }),
  PROTOCOL: own((stream) => stream.request.family),
  LISTENER: own((stream) => stream.downstream.listener),
  ROUTE_NAME: foreign((stream) => stream.route?.name ?? '-'),
  /** How the proxy ended it: `no_error`, or the name of a ProxyStatus. */
  STATUS: own((stream) => stream.status.name),
  /** The protocol's own code. */
  RESPONSE_CODE: own((stream) => stream.response?.outcome?.code.toString() ?? '-'),
  RESPONSE_DETAILS: foreign((stream) => (stream.status === Status.no_error ? '-' : stream.status.detail)),
  BYTES_RECEIVED: own((stream) => stream.requestBytes.toString()),
  BYTES_SENT: own((stream) => stream.responseBytes.toString()),
  /** Milliseconds, rounded. */
  DURATION: own((stream) => Math.round(stream.elapsedMs).toString()),
  /** Microseconds, rounded. */
  DURATION_US: own((stream) => Math.round(stream.elapsedMs * 1_000).toString()),
  DOWNSTREAM_REMOTE_ADDRESS: own((stream) => stream.downstream.sourceText),
  UPSTREAM_CLUSTER: own((stream) => stream.attempts.at(-1)?.cluster ?? '-'),
  UPSTREAM_HOST: own((stream) => stream.attempts.at(-1)?.endpoint.address ?? '-'),
  ATTEMPTS: own((stream) => stream.attempts.length.toString()),
  /** An attribute of the request or response: `%REQ(method)%`. */
  REQ: foreign((stream, key) => stream.request.get(key) ?? '-'),
  RESP: foreign((stream, key) => stream.response?.get(key) ?? '-'),
};

/** ISO 8601 with milliseconds. Many streams start in the same one: its text is made once. */
function startTimeText(): (stream: Stream) => string {
  let lastMs = Number.NaN;
  let last = '';
  return (stream) => {
    const startMs = Math.round(Date.now() - stream.elapsedMs);
    if (startMs !== lastMs) {
      lastMs = startMs;
      last = new Date(startMs).toISOString();
    }
    return last;
  };
}

class AccessLogFilter implements Filter {
  readonly onRequest?: NonNullable<Filter['onRequest']>;
  readonly onResponse?: NonNullable<Filter['onResponse']>;
  readonly #path: string;
  readonly #render: (stream: Stream) => string;
  readonly #writeLog: (path: string, line: string) => void;

  constructor(options: AccessLogOptions, context: FilterContext) {
    this.#path = options.path;
    this.#writeLog = context.writeLog;
    const formats = options.jsonFormat === null ? [options.format] : Object.values(options.jsonFormat);
    // Attributes are read at the end, when the bytes that heads came in may be others' already.
    if (formats.some((format) => format.includes('%REQ('))) this.onRequest = (_stream, request) => kept(request);
    if (formats.some((format) => format.includes('%RESP('))) this.onResponse = (_stream, response) => kept(response);
    if (options.jsonFormat === null) {
      this.#render = compileFormat(options.format, []);
    } else {
      const fields = Object.entries(options.jsonFormat).map(
        ([key, format]) => [key, compileFormat(format, [])] as const,
      );
      this.#render = (stream) => JSON.stringify(Object.fromEntries(fields.map(([key, field]) => [key, field(stream)])));
    }
  }

  onEnd(stream: Stream): void {
    this.#writeLog(this.#path, this.#render(stream));
  }
}

function kept(head: Message): FilterStatus {
  head.keep();
  return FilterStatus.Continue;
}

/** Compiles a format; unknown commands become issues. */
function compileFormat(format: string, issues: ConfigIssue[]): (stream: Stream) => string {
  const parts: (string | Field['text'])[] = [];
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
    } else {
      const made = field(command[2] ?? '');
      parts.push(made.foreign ? quoteSafe(made.text) : made.text);
    }
  }
  parts.push(format.slice(at));
  return (stream) => {
    let line = '';
    for (const part of parts) {
      line += typeof part === 'string' ? part : part(stream);
    }
    return line;
  };
}

/** Peers choose some of these values: none of them may end the line or a quoted field. Most lines repeat the one before. */
function quoteSafe(text: Field['text']): Field['text'] {
  let last = '';
  let lastSafe = '';
  return (stream) => {
    const value = text(stream);
    if (value !== last) {
      last = value;
      lastSafe = UNSAFE.test(value) ? value.replace(ALL_UNSAFE, escaped) : value;
    }
    return lastSafe;
  };
}

function escaped(char: string): string {
  return `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`;
}

const ALL_UNSAFE = /["\\\p{Cc}]/gu;
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
