/**
 * Redis on the wire: RESP2 and RESP3. Specification: redis.io/docs/latest/develop/reference/protocol-spec.
 *
 *     request    *<count>\r\n then <count> × $<bytes>\r\n<bytes>\r\n           or an inline line: word word "quoted word"\r\n
 *     reply      +text\r\n  -ERROR text\r\n  :number\r\n  $<bytes>\r\n<bytes>\r\n  $-1\r\n  *<count>\r\n<values>  *-1\r\n
 *     RESP3 too  _\r\n  #t\r\n  ,1.5\r\n  (123\r\n  !<bytes>\r\n<bytes>\r\n  =<bytes>\r\ntxt:<bytes>\r\n  %<pairs>\r\n<values>  ~<count>\r\n<values>
 *                |<pairs>\r\n<values> in front of any value   ><count>\r\n<values> between replies
 *                $?\r\n;<bytes>\r\n<bytes>\r\n…;0\r\n   *?\r\n<values>.\r\n
 *
 * Nothing has an id: answers come in the order of the requests, pushes in between.
 */

export const Type = {
  Simple: 0x2b,
  Error: 0x2d,
  Integer: 0x3a,
  Bulk: 0x24,
  Array: 0x2a,
  Null: 0x5f,
  Boolean: 0x23,
  Double: 0x2c,
  BigNumber: 0x28,
  BulkError: 0x21,
  Verbatim: 0x3d,
  Map: 0x25,
  Set: 0x7e,
  Attribute: 0x7c,
  Push: 0x3e,
  Chunk: 0x3b,
  End: 0x2e,
} as const;

/** Of RESP2, or of RESP3 with its length. */
export function isErrorType(type: number): boolean {
  return type === Type.Error || type === Type.BulkError;
}

export const CR = 0x0d;
export const LF = 0x0a;
const MINUS = 0x2d;
const ZERO = 0x30;
/** Ten digits hold every length that anybody may ask for. */
const MAX_DIGITS = 10;

/** What `LengthLine.read` gives besides an offset. */
export const LINE_BAD = -1;
export const LINE_MORE = -2;

/** Reads `<number>\r\n`, strictly: a lenient reader and a strict server would disagree on where the next command begins. */
export class LengthLine {
  value = 0;

  /** The offset behind the line, LINE_MORE or LINE_BAD. */
  read(bytes: Buffer, at: number, to: number): number {
    const negative = at < to && bytes[at] === MINUS;
    const first = negative ? at + 1 : at;
    let value = 0;
    for (let index = first; index < to; index++) {
      const byte = bytes[index]!;
      if (byte === CR) {
        if (index === first) return LINE_BAD;
        if (index + 1 === to) return LINE_MORE;
        if (bytes[index + 1] !== LF) return LINE_BAD;
        this.value = negative ? -value : value;
        return index + 2;
      }
      const digit = byte - ZERO;
      if (digit < 0 || digit > 9 || index - first >= MAX_DIGITS) return LINE_BAD;
      if (value === 0 && index > first) return LINE_BAD;
      value = value * 10 + digit;
    }
    return LINE_MORE;
  }
}

/** A command as a client library writes it. */
export function commandBytes(words: readonly (string | Buffer)[]): Buffer {
  const parts: Buffer[] = [Buffer.from(`*${words.length}\r\n`)];
  for (const word of words) parts.push(...bulkParts(word));
  return Buffer.concat(parts);
}

/** A string with its length. */
export function bulk(text: string | Buffer): Buffer {
  return Buffer.concat(bulkParts(text));
}

function bulkParts(text: string | Buffer): [Buffer, Buffer, Buffer] {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  return [Buffer.from(`$${bytes.length}\r\n`), bytes, CRLF];
}

const CRLF = Buffer.from('\r\n');
