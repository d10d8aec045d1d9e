/**
 * What HTTP/1.1 looks like on the wire (RFC 9112), as tables over bytes:
 *
 *     request-line | status-line CRLF
 *     *( field-name ":" OWS field-value OWS CRLF )
 *     CRLF
 *     [ body: Content-Length bytes, or chunks: size [;extensions] CRLF data CRLF … 0 CRLF [trailers] CRLF ]
 */

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SP = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

export const EMPTY = Buffer.alloc(0);
export const CRLF = Buffer.from('\r\n');

/** Bits of BYTE. */
export const Class = {
  /** tchar of RFC 9110 §5.6.2: names and methods. */
  Token: 1,
  /** VCHAR, SP, HTAB and obs-text: values. No NUL, no control byte, no DEL. */
  Value: 2,
  /** What a request target may hold: VCHAR but `#`, which never goes on the wire. */
  Target: 4,
  /** Host and port (RFC 3986 §3.2.2), without userinfo and without the comma of a list. */
  Authority: 8,
  /** Token, but no capital letter. */
  LowerToken: 16,
} as const;

/** The classes of each byte. */
export const BYTE: Uint8Array = classes();

function classes(): Uint8Array {
  const table = new Uint8Array(256);
  const add = (characters: string, bit: number): void => {
    for (const character of characters) table[character.charCodeAt(0)]! |= bit;
  };
  const alphanumeric = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
  add(`${alphanumeric}!#$%&'*+-.^_\`|~`, Class.Token | Class.LowerToken);
  add(`${alphanumeric}-._~!$&'()*+;=:[]%`, Class.Authority);
  for (let byte = 0x21; byte < 0x7f; byte++) table[byte]! |= Class.Value | Class.Target;
  table['#'.charCodeAt(0)]! &= ~Class.Target;
  table[SP]! |= Class.Value;
  table[TAB]! |= Class.Value;
  for (let byte = 0x41; byte <= 0x5a; byte++) table[byte]! &= ~Class.LowerToken;
  for (let byte = 0x80; byte < 0x100; byte++) table[byte]! |= Class.Value;
  return table;
}

/** Is every character of the text of this class? '' is. */
export function isAll(text: string, bit: number): boolean {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code > 0xff || (BYTE[code]! & bit) === 0) return false;
  }
  return true;
}

/** Compares `bytes[from, from + lower.length)` with a lower-case name, without regard to case. Bytes are tokens. */
export function equalsName(bytes: Buffer, from: number, lower: string): boolean {
  for (let at = 0; at < lower.length; at++) {
    const byte = bytes[from + at]!;
    const code = byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte;
    if (code !== lower.charCodeAt(at)) return false;
  }
  return true;
}

/** Up to here a loop costs less than a call of `write`. */
const LOOP_LENGTH = 32;

/** Writes text of which each character is one byte; returns where it ends. */
export function putText(slab: Buffer, at: number, text: string): number {
  const { length } = text;
  if (length > LOOP_LENGTH) slab.write(text, at, 'latin1');
  else for (let index = 0; index < length; index++) slab[at + index] = text.charCodeAt(index);
  return at + length;
}

/** How the end of a body is told. */
export const Framing = {
  None: 0,
  Length: 1,
  Chunked: 2,
  /** A response that ends with its connection. */
  UntilClose: 3,
} as const;
export type Framing = (typeof Framing)[keyof typeof Framing];

/** Status codes that this codec or the HTTP features write, with their standard phrases. */
export const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  202: 'Accepted',
  204: 'No Content',
  301: 'Moved Permanently',
  302: 'Found',
  303: 'See Other',
  304: 'Not Modified',
  307: 'Temporary Redirect',
  308: 'Permanent Redirect',
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  410: 'Gone',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  418: "I'm a Teapot",
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

/** Its Upgrade says what the resource asks of its caller (RFC 9110 §15.5.22). */
export const UPGRADE_REQUIRED = 426;
