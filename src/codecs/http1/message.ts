/** The messages of HTTP/1.1: heads and trailers over their raw bytes. */
import type {
  ByteRange,
  Message,
  Outcome,
  RequestMessage,
  ResponseMessage,
  Trailers,
} from '../../metaprotocol/message.ts';
import { type Fields, fieldName } from './fields.ts';
import type { RequestLine } from './request-line.ts';
import { isAuthority } from './request-line.ts';
import { Class, EMPTY, type Framing, isAll } from './wire.ts';

/** Fields that only this codec writes: they frame the message, hold its body back, or belong to one connection. */
const OWN = new Set([
  'connection',
  'content-length',
  'expect',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
/** Methods that may be sent twice (RFC 9110 §9.2.2), with an Upgrade too: nothing is said into a tunnel before its grant. */
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

abstract class Http1Message implements Message {
  readonly flags: number;
  readonly fields: Fields;
  /** Bytes of the head. */
  readonly length: number;
  readonly framing: Framing;
  readonly contentLength: number;
  #lent: boolean;

  constructor(fields: Fields, length: number, flags: number, framing: Framing, contentLength: number, lent: boolean) {
    this.fields = fields;
    this.length = length;
    this.flags = flags;
    this.framing = framing;
    this.contentLength = contentLength;
    this.#lent = lent;
  }

  get family(): string {
    return 'http';
  }

  get bytewise(): boolean {
    return true;
  }

  get raw(): null {
    return null;
  }

  keep(): void {
    if (!this.#lent) return;
    this.#lent = false;
    this.fields.keep(this.length);
  }

  abstract get(key: string): string | undefined;
  abstract locate(key: string, range: ByteRange): boolean | null;
  abstract entries(visit: (key: string, value: string) => void): void;
  abstract fork(): this;

  set(key: string, value: string): boolean {
    return this.setField(fieldName(key), value);
  }

  add(key: string, value: string): boolean {
    return this.addField(fieldName(key), value);
  }

  addBytes(key: string, value: ByteRange): boolean {
    const name = fieldName(key);
    const isOrdinary = name !== '' && name !== 'host' && !OWN.has(name);
    if (isOrdinary) return this.fields.addBytes(name, value);
    return this.add(key, value.bytes.toString('latin1', value.from, value.to));
  }

  protected setField(lower: string, value: string): boolean {
    return !OWN.has(lower) && this.fields.set(lower, value);
  }

  protected addField(lower: string, value: string): boolean {
    return !OWN.has(lower) && this.fields.add(lower, value);
  }

  remove(key: string): boolean {
    const name = fieldName(key);
    if (OWN.has(name)) return this.fields.get(name) === undefined;
    this.fields.remove(name);
    return true;
  }
}

export class Http1Request extends Http1Message implements RequestMessage {
  readonly answer: ResponseMessage | null;
  readonly method: string;
  readonly minor: number;
  readonly #scheme: string;
  readonly #targetFrom: number;
  readonly #targetTo: number;
  /** Where the lines begin, as an offset from the head's start. */
  readonly #startLineEnd: number;
  readonly #skipped: number;
  #authority: string;
  /** Set, or in another form than it came; null: as it came. */
  #target: string | null;
  /** The Host line is written anew. */
  #newHost: boolean;

  constructor(
    line: RequestLine,
    startLine: { readonly skipped: number; readonly startLineEnd: number },
    hasHost: boolean,
    fields: Fields,
    length: number,
    flags: number,
    framing: Framing,
    contentLength: number,
    lent: boolean,
    answer: ResponseMessage | null,
  ) {
    super(fields, length, flags, framing, contentLength, lent);
    this.answer = answer;
    this.method = line.method;
    this.minor = line.minor;
    this.#scheme = line.scheme;
    this.#targetFrom = line.targetFrom;
    this.#targetTo = line.targetTo;
    this.#target = line.target;
    this.#authority = line.authority;
    this.#startLineEnd = startLine.startLineEnd;
    this.#skipped = startLine.skipped;
    this.#newHost = !hasHost;
  }

  get connectionKey(): string {
    return '';
  }

  get replaySafe(): boolean {
    return IDEMPOTENT.has(this.method);
  }

  get authority(): string {
    return this.#authority;
  }

  get target(): string {
    const { fields } = this;
    return (
      this.#target ?? fields.bytes.toString('latin1', fields.base + this.#targetFrom, fields.base + this.#targetTo)
    );
  }

  /** Written as the new Host line; null: the old one stands among the fields. */
  get newHost(): string | null {
    return this.#newHost ? this.#authority : null;
  }

  /** The start line can go out as it came: its offset; -1: it cannot. */
  get startLineFrom(): number {
    return this.#target === null && this.minor === 1 ? this.#skipped : -1;
  }

  get startLineEnd(): number {
    return this.#startLineEnd;
  }

  override get(key: string): string | undefined {
    if (key.charCodeAt(0) === 0x3a) return this.#pseudo(key);
    if (key.charCodeAt(0) === 0x3f) return queryParameter(this.target, key.slice(1));
    const name = fieldName(key);
    return name === 'host' ? this.#authority : this.fields.get(name);
  }

  /** Of the path, as it came. */
  beginsWith(key: string, prefix: string): boolean | null {
    if (key !== ':path' || this.#target !== null || this.method === 'CONNECT') return null;
    const { bytes, base } = this.fields;
    if (this.#targetTo - this.#targetFrom < prefix.length) return false;
    for (let at = 0; at < prefix.length; at++) {
      if (bytes[base + this.#targetFrom + at] !== prefix.charCodeAt(at)) return false;
    }
    return true;
  }

  override locate(key: string, range: ByteRange): boolean | null {
    const first = key.charCodeAt(0);
    if (first === 0x3a) {
      if (key !== ':path' || this.#target !== null || this.method === 'CONNECT') return null;
      const { bytes, base } = this.fields;
      range.bytes = bytes;
      range.from = base + this.#targetFrom;
      range.to = base + this.#targetTo;
      return true;
    }
    if (first === 0x3f) return null;
    const name = fieldName(key);
    return name === 'host' ? null : this.fields.locate(name, range);
  }

  override entries(visit: (key: string, value: string) => void): void {
    visit(':method', this.method);
    if (this.method !== 'CONNECT') visit(':path', this.target);
    visit(':authority', this.#authority);
    visit(':scheme', this.#scheme);
    this.fields.entries((key, value) => {
      if (key !== 'host') visit(key, value);
    });
  }

  override set(key: string, value: string): boolean {
    if (key.charCodeAt(0) === 0x3a) return this.#setPseudo(key.toLowerCase(), value);
    const name = fieldName(key);
    return name === 'host' ? this.#setAuthority(value) : this.setField(name, value);
  }

  override add(key: string, value: string): boolean {
    if (key.charCodeAt(0) === 0x3a) return this.#setPseudo(key.toLowerCase(), value);
    const name = fieldName(key);
    return name === 'host' ? this.#setAuthority(value) : this.addField(name, value);
  }

  override remove(key: string): boolean {
    const name = fieldName(key);
    return name === 'host' || key.charCodeAt(0) === 0x3a ? false : super.remove(name);
  }

  override fork(): this {
    const line = {
      method: this.method,
      minor: this.minor,
      scheme: this.#scheme,
      targetFrom: this.#targetFrom,
      targetTo: this.#targetTo,
      target: this.#target,
      authority: this.#authority,
    } as RequestLine;
    const startLine = { skipped: this.#skipped, startLineEnd: this.#startLineEnd };
    const { flags, framing, contentLength } = this;
    const fields = this.fields.fork();
    return new Http1Request(
      line,
      startLine,
      !this.#newHost,
      fields,
      this.length,
      flags,
      framing,
      contentLength,
      false,
      null,
    ) as this;
  }

  #pseudo(key: string): string | undefined {
    switch (key) {
      case ':method':
        return this.method;
      case ':path':
        return this.method === 'CONNECT' ? undefined : this.target;
      case ':pathname':
        return this.method === 'CONNECT' ? undefined : pathname(this.target);
      case ':authority':
        return this.#authority;
      case ':scheme':
        return this.#scheme;
      default:
        return undefined;
    }
  }

  #setPseudo(lower: string, value: string): boolean {
    if (lower === ':authority') return this.#setAuthority(value);
    return lower === ':path' && this.#setPath(value);
  }

  #setAuthority(value: string): boolean {
    if (this.method === 'CONNECT' || !isAuthority(value, false)) return false;
    this.#authority = value;
    if (!this.#newHost) this.fields.remove('host');
    this.#newHost = true;
    return true;
  }

  #setPath(value: string): boolean {
    const valid = value === '*' ? this.method === 'OPTIONS' : value.startsWith('/') && isAll(value, Class.Target);
    if (this.method === 'CONNECT' || !valid) return false;
    this.#target = value;
    return true;
  }
}

export class Http1Response extends Http1Message implements ResponseMessage {
  readonly status: number;
  readonly minor: number;
  readonly startLineEnd: number;
  /** Of a local reply: goes out with the head. */
  readonly body: Buffer;
  #outcome: Outcome | null = null;

  constructor(
    line: { readonly status: number; readonly minor: number; readonly startLineEnd: number },
    fields: Fields,
    length: number,
    flags: number,
    framing: Framing,
    contentLength: number,
    lent: boolean,
    body: Buffer = EMPTY,
  ) {
    super(fields, length, flags, framing, contentLength, lent);
    this.status = line.status;
    this.minor = line.minor;
    this.startLineEnd = line.startLineEnd;
    this.body = body;
  }

  /** A local reply is whole in its head. */
  get rawBytes(): number {
    return this.body.length;
  }

  get outcome(): Outcome {
    this.#outcome ??= { code: this.status, ok: this.status < 500 };
    return this.#outcome;
  }

  override get(key: string): string | undefined {
    if (key === ':status') return `${this.status}`;
    return this.fields.get(fieldName(key));
  }

  override locate(key: string, range: ByteRange): boolean | null {
    return key === ':status' ? null : this.fields.locate(fieldName(key), range);
  }

  override entries(visit: (key: string, value: string) => void): void {
    visit(':status', `${this.status}`);
    this.fields.entries(visit);
  }

  override remove(key: string): boolean {
    return key !== ':status' && super.remove(key);
  }

  override fork(): this {
    const { flags, framing, contentLength, body } = this;
    return new Http1Response(this, this.fields.fork(), this.length, flags, framing, contentLength, false, body) as this;
  }
}

/** Behind the last chunk. Never lent. */
export class Http1Trailers implements Trailers {
  readonly outcome = null;
  readonly fields: Fields;

  constructor(fields: Fields) {
    this.fields = fields;
  }

  get(key: string): string | undefined {
    return this.fields.get(fieldName(key));
  }

  entries(visit: (key: string, value: string) => void): void {
    this.fields.entries(visit);
  }

  set(key: string, value: string): boolean {
    const name = fieldName(key);
    return !OWN.has(name) && name !== 'host' && this.fields.set(name, value);
  }

  remove(key: string): boolean {
    this.fields.remove(fieldName(key));
    return true;
  }
}

function pathname(target: string): string {
  const query = target.indexOf('?');
  return query < 0 ? target : target.slice(0, query);
}

/** The first value of a query parameter, as it is written: nothing is decoded. */
function queryParameter(target: string, name: string): string | undefined {
  const query = target.indexOf('?');
  if (query < 0) return undefined;
  for (const part of target.slice(query + 1).split('&')) {
    const equals = part.indexOf('=');
    if ((equals < 0 ? part : part.slice(0, equals)) === name) return equals < 0 ? '' : part.slice(equals + 1);
  }
  return undefined;
}
