/** LineFormat: a format of the access log, compiled into parts that write a line's bytes. */
import type { ConfigIssue } from '../../config-error.ts';
import type { Stream } from '../../filter.ts';
import { type LogWriter, quoteSafe, quoteSafeBytewise } from '../../log-writer.ts';
import type { ByteRange, Message } from '../../message.ts';
import { Status } from '../../status.ts';

const NO_BYTES = Buffer.alloc(0);
const ZERO = 0x30;

/** One command of a format: `%NAME%` or `%NAME(argument)%`. */
type Field =
  /** Most lines have the same as the line before. */
  { readonly steady: (stream: Stream) => string } | { readonly write: Write };

type Write = (stream: Stream, log: LogWriter) => void;

/** What is the same in every line, then a value. */
interface Piece {
  readonly literal: Uint8Array;
  readonly write: Write;
}

const steady = (text: (stream: Stream) => string) => (): Field => ({ steady: text });
const number = (read: (stream: Stream) => number) => {
  return (): Field => ({ write: (stream, log) => log.number(read(stream)) });
};

/** Of the request or response; `-` where there is none. */
function attribute(messageOf: (stream: Stream) => Message | null) {
  return (key: string): Field => {
    const range: ByteRange = { bytes: NO_BYTES, from: 0, to: 0 };
    return {
      write(stream, log) {
        const message = messageOf(stream);
        const located = message?.locate?.(key, range) ?? null;
        if (located === true && log.quotedBytes(range.bytes, range.from, range.to)) return;
        const value = located === false ? undefined : message?.get(key);
        log.quoted(value ?? '-', message?.bytewise === true ? quoteSafeBytewise : quoteSafe);
      },
    };
  };
}

const FIELDS: Readonly<Record<string, (argument: string) => Field>> = {
  START_TIME: () => ({ write: startTime() }),
  PROTOCOL: steady((stream) => stream.request.family),
  LISTENER: steady((stream) => stream.downstream.listener),
  ROUTE_NAME: steady((stream) => stream.route?.name ?? '-'),
  /** How the proxy ended it: `no_error`, or the name of a ProxyStatus. */
  STATUS: steady((stream) => stream.status.name),
  /** The protocol's own code. */
  RESPONSE_CODE: steady((stream) => stream.response?.outcome?.code.toString() ?? '-'),
  RESPONSE_DETAILS: steady((stream) => (stream.status === Status.no_error ? '-' : stream.status.detail)),
  BYTES_RECEIVED: number((stream) => stream.requestBytes),
  BYTES_SENT: number((stream) => stream.responseBytes),
  /** Milliseconds, rounded. */
  DURATION: number((stream) => Math.round(stream.elapsedMs)),
  /** Microseconds, rounded. */
  DURATION_US: number((stream) => Math.round(stream.elapsedMs * 1_000)),
  DOWNSTREAM_REMOTE_ADDRESS: () => ({ write: (stream, log) => log.quoted(stream.downstream.sourceText) }),
  /** SNI, also of TLS that passes through. */
  REQUESTED_SERVER_NAME: steady((stream) => stream.downstream.tls?.serverName ?? '-'),
  /** Of TLS that ended here. */
  DOWNSTREAM_TLS_VERSION: steady((stream) => stream.downstream.tls?.version ?? '-'),
  UPSTREAM_CLUSTER: steady((stream) => lastAttempt(stream)?.cluster ?? '-'),
  UPSTREAM_HOST: steady((stream) => lastAttempt(stream)?.endpoint.address ?? '-'),
  ATTEMPTS: number((stream) => stream.attempts.length),
  /** An attribute of the request or response: `%REQ(method)%`. */
  REQ: attribute((stream) => stream.request),
  RESP: attribute((stream) => stream.response),
};

function lastAttempt({ attempts }: Stream): Stream['attempts'][number] | undefined {
  return attempts[attempts.length - 1];
}

/** The wall clock is looked at this often: it may be set while the monotonic one goes on. */
const WALL_CLOCK_MS = 1_000;
/** Where the milliseconds begin in `2026-11-21T13:59:59.000Z`. */
const MILLISECONDS_AT = 20;

/** ISO 8601 with milliseconds. Streams end in another order than they began, so each line has its own: only the digits change. */
function startTime(): Write {
  let offsetMs = 0;
  let lookedAtMs = Number.NEGATIVE_INFINITY;
  let second = Number.NaN;
  let text: Uint8Array = NO_BYTES;
  return (stream, log) => {
    if (Math.abs(stream.startMs - lookedAtMs) >= WALL_CLOCK_MS) {
      lookedAtMs = stream.startMs;
      offsetMs = Date.now() - (stream.startMs + stream.elapsedMs);
    }
    const startMs = Math.round(stream.startMs + offsetMs);
    const startSecond = Math.floor(startMs / 1_000);
    if (startSecond !== second) {
      second = startSecond;
      text = Buffer.from(new Date(startMs).toISOString());
    }
    const ms = startMs - startSecond * 1_000;
    const tens = (ms / 10) | 0;
    const hundreds = (ms / 100) | 0;
    text[MILLISECONDS_AT] = ZERO + hundreds;
    text[MILLISECONDS_AT + 1] = ZERO + tens - hundreds * 10;
    text[MILLISECONDS_AT + 2] = ZERO + ms - tens * 10;
    log.copy(text);
  };
}

/** Compiles a format; unknown commands become issues. */
export function compileLine(format: string, issues: ConfigIssue[]): Write {
  const pieces: Piece[] = [];
  let group: SteadyTexts | null = null;
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
    } else if ('write' in field) {
      group = null;
      pieces.push({ literal: Buffer.from(literal), write: field.write });
    } else {
      if (group === null) {
        const begun = new SteadyTexts();
        pieces.push({ literal: NO_BYTES, write: (stream, log) => begun.write(stream, log) });
        group = begun;
      }
      group.add(literal, field.steady);
    }
  }
  const rest = Buffer.from(format.slice(at));
  return (stream, log) => {
    for (const { literal, write } of pieces) {
      log.copy(literal);
      write(stream, log);
    }
    log.copy(rest);
  };
}

/** Texts that mostly are what they were in the line before, each behind a literal: then their bytes are copied, not made again. */
class SteadyTexts {
  readonly #literals: string[] = [];
  readonly #texts: ((stream: Stream) => string)[] = [];
  readonly #last: string[] = [];
  #bytes: Uint8Array | null = null;

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
    this.#bytes ??= Buffer.from(
      this.#literals.map((literal, index) => literal + quoteSafe(this.#last[index]!)).join(''),
    );
    log.copy(this.#bytes);
  }
}
