/**
 * The path of a request as RFC 3986 §6.2.2 normalizes it: without dot segments, `\` as `/`, unreserved characters not encoded. Routes
 * and servers that read `/a/../b` in two ways would let callers past a route for `/b`. Slashes are not merged, `%2f` stays.
 */

const PERCENT = 0x25;
const DOT = 0x2e;
const SLASH = 0x2f;
const QUERY = 0x3f;
const BACKSLASH = 0x5c;

/** May `bytes[from, to)`, which begins with `/`, be another path? Most are not. */
export function mayBeUnnormal(bytes: Buffer, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at]!;
    if (byte === QUERY) return false;
    if (byte === PERCENT || byte === BACKSLASH || (byte === DOT && bytes[at - 1] === SLASH)) return true;
  }
  return false;
}

/**
 * Of a target that begins with `/`; its query stays. null: its path holds a NUL, at which some servers end it, or escapes that show
 * only when others were decoded (`%2%65`), which the next one would decode.
 */
export function normalTarget(target: string): string | null {
  const mark = target.indexOf('?');
  const end = mark < 0 ? target.length : mark;
  const path = target.slice(0, end);
  if (path.includes('%00')) return null;
  const plain = decodeUnreserved(path.replaceAll('\\', '/'));
  if (decodeUnreserved(plain) !== plain) return null;
  const kept: string[] = [];
  const segments = plain.split('/').slice(1);
  for (const [index, segment] of segments.entries()) {
    const isDots = segment === '.' || segment === '..';
    if (segment === '..') kept.pop();
    if (!isDots) kept.push(segment);
    else if (index === segments.length - 1) kept.push('');
  }
  return `/${kept.join('/')}${target.slice(end)}`;
}

function decodeUnreserved(path: string): string {
  return path.replace(/%[0-9a-f]{2}/gi, (encoded) => {
    const character = String.fromCharCode(Number.parseInt(encoded.slice(1), 16));
    return /[\w\-.~]/.test(character) ? character : encoded;
  });
}
