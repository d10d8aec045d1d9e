/** LineFormat: a format of the access log, compiled into parts that write a line's bytes. */
import type { ConfigIssue } from '../../config-error.ts';
import type { Stream } from '../../filter.ts';
import type { LogWriter } from '../../log-writer.ts';
import { Status } from '../../status.ts';

/** One command of a format: `%NAME%` or `%NAME(argument)%`. */
type Field = TextField | NumberField;

interface TextField {
  readonly text: (stream: Stream) => string;
  /** A peer or a name in configuration chose the text: it may hold quotes or line ends. */
  readonly foreign: boolean;
  /** Most lines have the same as the line before. */
  readonly steady: boolean;
}

interface NumberField {
  /** Whole, not negative. */
  readonly number: (stream: Stream) => number;
}

interface Part {
  write(stream: Stream, log: LogWriter): void;
}

const steady = (text: (stream: Stream) => string, foreign = false) => {
  return (): Field => ({ text, foreign, steady: true });
};
const varying = (text: (stream: Stream, argument: string) => string, foreign = false) => {
  return (argument: string): Field => ({ text: (stream) => text(stream, argument), foreign, steady: false });
};
const number = (read: (stream: Stream) => number) => (): Field => ({ number: read });

const FIELDS: Readonly<Record<string, (argument: string) => Field>> = {
  START_TIME: () => ({ text: startTimeText(), foreign: false, steady: true }),
  PROTOCOL: steady((stream) => stream.request.family),
  LISTENER: steady((stream) => stream.downstream.listener),
  ROUTE_NAME: steady((stream) => stream.route?.name ?? '-', true),
  /** How the proxy ended it: `no_error`, or the name of a ProxyStatus. */
  STATUS: steady((stream) => stream.status.name),
  /** The protocol's own code. */
  RESPONSE_CODE: steady((stream) => stream.response?.outcome?.code.toString() ?? '-'),
  RESPONSE_DETAILS: steady((stream) => (stream.status === Status.no_error ? '-' : stream.status.detail), true),
  BYTES_RECEIVED: number((stream) => stream.requestBytes),
  BYTES_SENT: number((stream) => stream.responseBytes),
  /** Milliseconds, rounded. */
  DURATION: number((stream) => Math.round(stream.elapsedMs)),
  /** Microseconds, rounded. */
  DURATION_US: number((stream) => Math.round(stream.elapsedMs * 1_000)),
  DOWNSTREAM_REMOTE_ADDRESS: varying((stream) => stream.downstream.sourceText),
  /** SNI, also of TLS that passes through. */
  REQUESTED_SERVER_NAME: steady((stream) => stream.downstream.tls?.serverName ?? '-', true),
  /** Of TLS that ended here. */
  DOWNSTREAM_TLS_VERSION: steady((stream) => stream.downstream.tls?.version ?? '-'),
  UPSTREAM_CLUSTER: steady((stream) => lastAttempt(stream)?.cluster ?? '-'),
  UPSTREAM_HOST: steady((stream) => lastAttempt(stream)?.endpoint.address ?? '-'),
  ATTEMPTS: number((stream) => stream.attempts.length),
  /** An attribute of the request or response: `%REQ(method)%`. */
  REQ: varying((stream, key) => stream.request.get(key) ?? '-', true),
  RESP: varying((stream, key) => stream.response?.get(key) ?? '-', true),
};

function lastAttempt({ attempts }: Stream): Stream['attempts'][number] | undefined {
  return attempts[attempts.length - 1];
}

/** The wall clock is looked at this often: it may be set while the monotonic one goes on. */
const WALL_CLOCK_MS = 1_000;

/** ISO 8601 with milliseconds. Many streams start in the same one: its text is made once. */
function startTimeText(): (stream: Stream) => string {
  let offsetMs = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let lastMs = Number.NaN;
  let last = '';
  return (stream) => {
    if (Math.abs(stream.startMs - lookedAtMs) >= WALL_CLOCK_MS) {
      lookedAtMs = stream.startMs;
      offsetMs = Date.now() - (stream.startMs + stream.elapsedMs);
    }
    const startMs = Math.round(stream.startMs + offsetMs);
    if (startMs !== lastMs) {
      lastMs = startMs;
      last = new Date(startMs).toISOString();
    }
    return last;
  };
}

/** Compiles a format; unknown commands become issues. */
export function compileLine(format: string, issues: ConfigIssue[]): (stream: Stream, log: LogWriter) => void {
  const parts: Part[] = [];
  const literals = (text: string): void => {
    const bytes = Buffer.from(text);
    if (text !== '') parts.push({ write: (_stream, log) => log.copy(bytes) });
  };
  let at = 0;
  for (const command of format.matchAll(/%([A-Z_]+)(?:\(([^)]*)\))?%/g)) {
    const literal = format.slice(at, command.index);
    at = command.index + command[0].length;
    const field = Object.hasOwn(FIELDS, command[1]!) ? FIELDS[command[1]!]!(command[2] ?? '') : null;
    if (field === null) {
      issues.push({
        path: 'format',
        message: `unknown command ${command[0]}, known: ${Object.keys(FIELDS).join(', ')}`,
      });
      continue;
    }
    if ('number' in field) {
      literals(literal);
      parts.push({ write: (stream, log) => log.number(field.number(stream)) });
      continue;
    }
    const text = field.foreign ? quoteSafe(field.text) : field.text;
    const last = parts.at(-1);
    if (!field.steady) {
      literals(literal);
      parts.push({ write: (stream, log) => log.text(text(stream)) });
    } else if (last instanceof SteadyTexts) {
      last.add(literal, text);
    } else {
      parts.push(new SteadyTexts(literal, text));
    }
  }
  literals(format.slice(at));
  return (stream, log) => {
    for (const part of parts) part.write(stream, log);
  };
}

/** Texts that mostly are what they were in the line before, each behind a literal: then their bytes are copied, not made again. */
class SteadyTexts implements Part {
  readonly #literals: string[] = [];
  readonly #texts: ((stream: Stream) => string)[] = [];
  readonly #last: string[] = [];
  #bytes: Uint8Array | null = null;

  constructor(literal: string, text: (stream: Stream) => string) {
    this.add(literal, text);
  }

  add(literal: string, text: (stream: Stream) => string): void {
    this.#literals.push(literal);
    this.#texts.push(text);
    this.#last.push('');
  }

  write(stream: Stream, log: LogWriter): void {
    for (let index = 0; index < this.#texts.length; index++) {
      const text = this.#texts[index]!(stream);
      if (text === this.#last[index]) continue;
      this.#last[index] = text;
      this.#bytes = null;
    }
    this.#bytes ??= Buffer.from(this.#literals.map((literal, index) => literal + this.#last[index]).join(''));
    log.copy(this.#bytes);
  }
}

/** Peers choose some of these values: none of them may end the line or a quoted field. Most lines repeat the one before. */
function quoteSafe(text: TextField['text']): TextField['text'] {
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
