/** LineFormat: a format of the access log, compiled into parts that write a line's bytes. */
import type { ConfigIssue } from '../../config-error.ts';
import { type LogWriter, quoteSafe, quoteSafeBytewise } from '../../log-writer.ts';
import type { ByteRange, Message } from '../../message.ts';
import { Status } from '../../status.ts';
import type { LoggedCall } from './logged-call.ts';

const NO_BYTES = Buffer.alloc(0);
const ZERO = 0x30;

/** One command of a format: `%NAME%` or `%NAME(argument)%`. */
type Field =
  /** Most lines have the same as the line before. */
  { readonly steady: (call: LoggedCall) => string } | { readonly write: Write };

type Write = (call: LoggedCall, log: LogWriter) => void;

/** What is the same in every line, then a value. */
interface Piece {
  readonly literal: Uint8Array;
  readonly write: Write;
}

const steady = (text: (call: LoggedCall) => string) => (): Field => ({ steady: text });
const number = (read: (call: LoggedCall) => number) => {
  return (): Field => ({ write: (call, log) => log.number(read(call)) });
};

/** Of the request or response; `-` where there is none. */
function attribute(messageOf: (call: LoggedCall) => Message | null) {
  return (key: string): Field => {
    const range: ByteRange = { bytes: NO_BYTES, from: 0, to: 0 };
    return {
      write(call, log) {
        const message = messageOf(call);
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
  PROTOCOL: steady((call) => call.request.family),
  LISTENER: steady((call) => call.downstream.listener),
  ROUTE_NAME: steady((call) => call.route?.name ?? '-'),
  /** How the proxy ended it: `no_error`, or the name of a ProxyStatus. */
  STATUS: steady((call) => call.status.name),
  /** The protocol's own code. */
  RESPONSE_CODE: steady((call) => call.response?.outcome?.code.toString() ?? '-'),
  RESPONSE_DETAILS: steady((call) => (call.status === Status.no_error ? '-' : call.status.detail)),
  BYTES_RECEIVED: number((call) => call.requestBytes),
  BYTES_SENT: number((call) => call.responseBytes),
  /** Milliseconds, rounded. */
  DURATION: number((call) => Math.round(call.elapsedMs)),
  /** Microseconds, rounded. */
  DURATION_US: number((call) => Math.round(call.elapsedMs * 1_000)),
  DOWNSTREAM_REMOTE_ADDRESS: () => ({ write: (call, log) => log.quoted(call.downstream.sourceText) }),
  /** SNI, also of TLS that passes through. */
  REQUESTED_SERVER_NAME: steady((call) => call.downstream.tls?.serverName ?? '-'),
  /** Of TLS that ended here. */
  DOWNSTREAM_TLS_VERSION: steady((call) => call.downstream.tls?.version ?? '-'),
  UPSTREAM_CLUSTER: steady((call) => lastAttempt(call)?.cluster ?? '-'),
  UPSTREAM_HOST: steady((call) => lastAttempt(call)?.endpoint.address ?? '-'),
  /** How many calls the line is about: pipelined ones that are alike share it. */
  CALLS: number((call) => call.calls),
  ATTEMPTS: number((call) => call.attempts.length),
  /** An attribute of the request or response: `%REQ(method)%`. */
  REQ: attribute((call) => call.request),
  // Calls of a run are no messages; a format that asks for attributes has none of them.
  RESP: attribute(({ response }) => response as Message | null),
};

function lastAttempt({ attempts }: LoggedCall): LoggedCall['attempts'][number] | undefined {
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
  return (call, log) => {
    if (Math.abs(call.startMs - lookedAtMs) >= WALL_CLOCK_MS) {
      lookedAtMs = call.startMs;
      offsetMs = Date.now() - (call.startMs + call.elapsedMs);
    }
    const startMs = Math.round(call.startMs + offsetMs);
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
        pieces.push({ literal: NO_BYTES, write: (call, log) => begun.write(call, log) });
        group = begun;
      }
      group.add(literal, field.steady);
    }
  }
  const rest = Buffer.from(format.slice(at));
  return (call, log) => {
    for (const { literal, write } of pieces) {
      log.copy(literal);
      write(call, log);
    }
    log.copy(rest);
  };
}

/** Texts that mostly are what they were in the line before, each behind a literal: then their bytes are copied, not made again. */
class SteadyTexts {
  readonly #literals: string[] = [];
  readonly #texts: ((call: LoggedCall) => string)[] = [];
  readonly #last: string[] = [];
  #bytes: Uint8Array | null = null;

  add(literal: string, text: (call: LoggedCall) => string): void {
    this.#literals.push(literal);
    this.#texts.push(text);
    this.#last.push('');
  }

  write(call: LoggedCall, log: LogWriter): void {
    for (let index = 0; index < this.#texts.length; index++) {
      const text = this.#texts[index]!(call);
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
