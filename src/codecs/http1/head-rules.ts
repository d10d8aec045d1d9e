/**
 * HeadRules: what the fields of a head say of its message: how its body ends, whether its connection lives on, which fields end
 * here. There is one reading of each head (RFC 9112 §6); what could be read in two ways is malformed. Hop-by-hop fields are
 * taken out (RFC 9110 §7.6.1), with those that Connection names, but never the ones that frame or address the message.
 */
import type { Fields } from './fields.ts';
import { Class, Framing, isAll } from './wire.ts';

/** A fault of a head, as the HTTP status that a server answers it with. */
export interface HeadFault {
  readonly text: string;
  readonly httpStatus: number;
}

/** More digits than any body has bytes, and few enough to be exact. */
const LENGTH_DIGITS = 15;
const ZERO = 0x30;
/** Connection may not take these from a message. */
const PINNED = new Set([
  'content-length',
  'transfer-encoding',
  'host',
  'trailer',
  'expect',
  'upgrade',
  'te',
  'cookie',
  'authorization',
]);

export class HeadRules {
  framing: Framing = Framing.None;
  contentLength = 0;
  /** Line of Host; -1: none. */
  host = -1;
  hosts = 0;
  /** Connection said `close`, or `keep-alive`. */
  close = false;
  keepAlive = false;
  /** The one protocol of Upgrade, in lower case, where Connection names it; '': none. */
  upgrade = '';
  /** All of Upgrade, as it came; '': none. */
  upgrades = '';
  /** Line of Expect; -1: none. */
  expect = -1;
  fault: HeadFault | null = null;
  #lengths = 0;
  #encodings = 0;
  #options: Set<string> | null = null;

  /** Reads all fields and takes out what ends here. False: see `fault`. */
  read(fields: Fields): boolean {
    this.framing = Framing.None;
    this.contentLength = 0;
    this.host = -1;
    this.hosts = 0;
    this.close = false;
    this.keepAlive = false;
    this.upgrade = '';
    this.expect = -1;
    this.fault = null;
    this.#lengths = 0;
    this.#encodings = 0;
    this.#options = null;
    this.upgrades = '';
    for (let index = 0; index < fields.count; index++) {
      switch (fields.nameLength(index)) {
        case 2:
          // Trailers are passed on whoever asked for them.
          if (fields.isNamed(index, 'te')) fields.drop(index);
          break;
        case 4:
          if (fields.isNamed(index, 'host')) {
            this.host = index;
            this.hosts++;
          }
          break;
        case 6:
          if (fields.isNamed(index, 'expect')) this.expect = index;
          break;
        case 7:
          if (fields.isNamed(index, 'upgrade')) {
            const value = fields.value(index);
            this.upgrades = this.upgrades === '' ? value : `${this.upgrades}, ${value}`;
            fields.drop(index);
          }
          break;
        case 10:
          if (fields.isNamed(index, 'connection')) this.#onConnection(fields, index);
          else if (fields.isNamed(index, 'keep-alive')) fields.drop(index);
          break;
        case 14:
          if (fields.isNamed(index, 'content-length')) this.#onContentLength(fields, index);
          break;
        case 16:
          if (fields.isNamed(index, 'proxy-connection')) fields.drop(index);
          break;
        case 17:
          if (fields.isNamed(index, 'transfer-encoding')) {
            this.#onTransferEncoding(fields.value(index));
            fields.drop(index);
          }
          break;
      }
      if (this.fault !== null) return false;
    }
    if (this.#encodings > 0 && this.#lengths > 0) {
      return this.#refuse('both Transfer-Encoding and Content-Length');
    }
    if (this.#options !== null) this.#endOptions(fields, this.#options);
    return true;
  }

  #onConnection(fields: Fields, index: number): void {
    // What nearly all of them say.
    const keepAlive = fields.hasValue(index, 'keep-alive');
    const value = keepAlive ? '' : fields.value(index);
    fields.drop(index);
    if (keepAlive) this.keepAlive = true;
    else
      for (const part of value.split(',')) {
        const option = part.trim().toLowerCase();
        if (option === 'close') this.close = true;
        else if (option === 'keep-alive') this.keepAlive = true;
        else if (option !== '') {
          this.#options ??= new Set();
          this.#options.add(option);
        }
      }
  }

  #endOptions(fields: Fields, options: ReadonlySet<string>): void {
    // A list of protocols is nothing that this side could answer for.
    if (options.has('upgrade') && isProtocol(this.upgrades)) this.upgrade = this.upgrades.toLowerCase();
    for (const option of options) if (!PINNED.has(option)) fields.remove(option);
  }

  #onContentLength(fields: Fields, index: number): void {
    if (++this.#lengths > 1) {
      this.#refuse('more than one Content-Length');
      return;
    }
    const { bytes } = fields;
    const from = fields.valueFrom(index);
    const to = fields.valueTo(index);
    let length = 0;
    let valid = to > from && to - from <= LENGTH_DIGITS && (to - from === 1 || bytes[from] !== ZERO);
    for (let at = from; valid && at < to; at++) {
      const digit = bytes[at]! - ZERO;
      valid = digit >= 0 && digit <= 9;
      length = length * 10 + digit;
    }
    if (!valid) {
      this.#refuse(`Content-Length ${JSON.stringify(fields.value(index))}, expected a plain decimal number`);
      return;
    }
    this.framing = Framing.Length;
    this.contentLength = length;
  }

  #onTransferEncoding(value: string): void {
    if (++this.#encodings > 1) {
      this.#refuse('more than one Transfer-Encoding');
      return;
    }
    const codings = value.toLowerCase();
    if (codings === 'chunked') {
      this.framing = Framing.Chunked;
      return;
    }
    const known = /^(gzip|x-gzip|deflate|compress|x-compress)[ \t]*,[ \t]*chunked$/.test(codings);
    this.#refuse(`Transfer-Encoding ${JSON.stringify(value)}, expected chunked`, known ? 501 : 400);
  }

  #refuse(text: string, httpStatus = 400): false {
    this.fault = { text, httpStatus };
    return false;
  }
}

/** Of Upgrade: at least one name, perhaps with a version each. */
export function areProtocols(text: string): boolean {
  return text.split(',').every((part) => isProtocol(part.trim()));
}

/** A name, perhaps with a version (RFC 9110 §7.8); not a list. */
function isProtocol(text: string): boolean {
  const parts = text.split('/');
  return parts.length <= 2 && parts.every((part) => part !== '' && isAll(part, Class.Token));
}
