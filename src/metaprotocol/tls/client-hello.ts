/**
 * The ClientHello, the first message of a TLS connection (RFC 8446 §4.1.2): which name and which protocols the caller asks for. Read
 * before TLS begins, so that connections of one port can take different chains. Fed by bytes; knows no socket.
 */

export interface ClientHello {
  /** Lower case, without the dot at the end; null: the caller named none. */
  readonly serverName: string | null;
  /** As offered, the preferred one first. */
  readonly applicationProtocols: readonly string[];
}

export type HelloReading =
  /** So far it may become one. */
  | { readonly kind: 'more' }
  /** These bytes are not TLS. */
  | { readonly kind: 'other' }
  | { readonly kind: 'hello'; readonly hello: ClientHello }
  /** It began as one, and is none. */
  | { readonly kind: 'malformed'; readonly why: string };

/** With its records around it; browsers send less than 2 KiB. */
export const HELLO_LIMIT_BYTES = 16_384;

const RECORD_HEADER = 5;
const MESSAGE_HEADER = 4;
const RECORD_LIMIT_BYTES = 16_384;
const Record = { Handshake: 22 } as const;
const Handshake = { ClientHello: 1 } as const;
const Extension = { ServerName: 0, ApplicationProtocols: 16 } as const;

const MORE: HelloReading = Object.freeze({ kind: 'more' });
const OTHER: HelloReading = Object.freeze({ kind: 'other' });
const EMPTY = Buffer.alloc(0);

export class ClientHelloReader {
  /** Where the next record begins. */
  #at = 0;
  /** A message in several records, joined. */
  #message = EMPTY;
  #messageBytes = 0;

  /** `head`: all bytes from the connection's first one on, the ones of earlier calls included. */
  read(head: Buffer): HelloReading {
    const first = beginning(head);
    if (first !== null) return first;
    for (;;) {
      const at = this.#at;
      if (head.length < at + RECORD_HEADER) return this.#more(head);
      if (head[at] !== Record.Handshake) return malformed(`record of type ${head[at]}, expected ${Record.Handshake}`);
      const length = head.readUInt16BE(at + 3);
      if (!isRecordLength(length)) {
        return malformed(`record of ${length} bytes, expected 1 to ${RECORD_LIMIT_BYTES}`);
      }
      const end = at + RECORD_HEADER + length;
      if (head.length < end) return this.#more(head);
      const part = head.subarray(at + RECORD_HEADER, end);
      this.#at = end;
      if (this.#messageBytes === 0 && part.length >= MESSAGE_HEADER && part.length >= messageLength(part)) {
        return read(part.subarray(0, messageLength(part)));
      }
      const reading = this.#join(part);
      if (reading !== null) return reading;
    }
  }

  #more(head: Buffer): HelloReading {
    return head.length > HELLO_LIMIT_BYTES ? tooLarge(head.length) : MORE;
  }

  /** null: the message goes on in the next record. */
  #join(part: Buffer): HelloReading | null {
    const bytes = this.#messageBytes + part.length;
    if (this.#message.length === 0) this.#message = Buffer.allocUnsafe(HELLO_LIMIT_BYTES);
    // Of a last record that holds more than the message, what fits is enough.
    part.copy(this.#message, this.#messageBytes);
    this.#messageBytes = bytes;
    if (bytes < MESSAGE_HEADER) return null;
    const length = messageLength(this.#message);
    if (length > HELLO_LIMIT_BYTES) return tooLarge(length);
    return bytes < length ? null : read(this.#message.subarray(0, length));
  }
}

/** What the first nine bytes say by themselves; null: it goes on like a ClientHello. */
function beginning(head: Buffer): HelloReading | null {
  if (head.length > 0 && head[0] !== Record.Handshake) return OTHER;
  if (head.length > 1 && head[1] !== 3) return OTHER;
  // A length that cannot be is said of every record alike, by who reads them.
  if (head.length <= RECORD_HEADER || !isRecordLength(head.readUInt16BE(3))) return null;
  const type = head[RECORD_HEADER];
  if (type !== Handshake.ClientHello) return malformed(`message of type ${type}, expected ${Handshake.ClientHello}`);
  const first = head.readUInt16BE(3);
  // Before any of it is waited for.
  if (first >= MESSAGE_HEADER && head.length >= RECORD_HEADER + MESSAGE_HEADER) {
    const length = messageLength(head.subarray(RECORD_HEADER));
    if (length > HELLO_LIMIT_BYTES) return tooLarge(length);
  }
  return null;
}

function isRecordLength(length: number): boolean {
  return length > 0 && length <= RECORD_LIMIT_BYTES;
}

function messageLength(message: Buffer): number {
  return MESSAGE_HEADER + message.readUIntBE(1, 3);
}

/** A whole message. */
function read(message: Buffer): HelloReading {
  const fields = new Fields(message, MESSAGE_HEADER);
  // Version and random.
  fields.skip(2 + 32, 'random');
  fields.vector(1, 'session id');
  fields.vector(2, 'cipher suites');
  fields.vector(1, 'compression methods');
  let serverName: string | null = null;
  let applicationProtocols: readonly string[] = [];
  const seen = new Set<number>();
  // TLS 1.2 without any extension ends here.
  const extensions = fields.left === 0 ? null : fields.vector(2, 'extensions');
  while (extensions !== null && extensions.left > 0 && fields.fault === null) {
    const type = extensions.number(2, 'extension type');
    const content = extensions.vector(2, `extension ${type}`);
    if (seen.has(type)) return malformed(`extension ${type} twice`);
    seen.add(type);
    if (type === Extension.ServerName) serverName = readServerName(content);
    else if (type === Extension.ApplicationProtocols) applicationProtocols = readProtocols(content);
  }
  if (fields.left > 0) fields.fail(`${fields.left} bytes behind the extensions`);
  if (fields.fault !== null) return malformed(fields.fault);
  return { kind: 'hello', hello: { serverName, applicationProtocols } };
}

function readServerName(content: Fields): string | null {
  const names = content.vector(2, 'server names');
  let found: string | null = null;
  while (names.left > 0 && names.fault === null) {
    const type = names.number(1, 'server name type');
    const name = names.vector(2, 'server name').text();
    // Type 0 is a host name; there never was another.
    if (type !== 0 || found !== null) continue;
    if (!/^[\x21-\x7e]{1,255}$/.test(name)) names.fail('server name that is no host name');
    found = name.toLowerCase().replace(/\.$/, '');
  }
  return found;
}

function readProtocols(content: Fields): string[] {
  const list = content.vector(2, 'application protocols');
  const protocols: string[] = [];
  while (list.left > 0 && list.fault === null) protocols.push(list.vector(1, 'application protocol').text());
  return protocols;
}

/** Fields one after the other. The first fault is kept, in whatever part it is; behind it everything is empty. */
class Fields {
  readonly #bytes: Buffer;
  readonly #faults: { first: string | null };
  #at: number;

  constructor(bytes: Buffer, at: number, faults: { first: string | null } = { first: null }) {
    this.#bytes = bytes;
    this.#at = at;
    this.#faults = faults;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  get fault(): string | null {
    return this.#faults.first;
  }

  fail(why: string): void {
    this.#faults.first ??= why;
    this.#at = this.#bytes.length;
  }

  skip(length: number, what: string): void {
    if (length > this.left) this.fail(`ends inside ${what}`);
    else this.#at += length;
  }

  number(size: 1 | 2, what: string): number {
    const at = this.#at;
    this.skip(size, what);
    return this.fault === null ? this.#bytes.readUIntBE(at, size) : 0;
  }

  /** What has its length in front, in `size` bytes. */
  vector(size: 1 | 2, what: string): Fields {
    const length = this.number(size, what);
    const at = this.#at;
    this.skip(length, what);
    return new Fields(this.fault === null ? this.#bytes.subarray(at, at + length) : EMPTY, 0, this.#faults);
  }

  text(): string {
    return this.#bytes.toString('latin1', this.#at);
  }
}

function malformed(why: string): HelloReading {
  return { kind: 'malformed', why: `malformed ClientHello: ${why}` };
}

function tooLarge(bytes: number): HelloReading {
  return malformed(`${bytes} bytes, limit ${HELLO_LIMIT_BYTES}`);
}
