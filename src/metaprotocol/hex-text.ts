/** hexText: the start of a read as hexadecimal digits, for the log of what a codec failed on. */

const SHOWN_BYTES = 64;

export function hexText(bytes: Buffer): string {
  const rest = bytes.length > SHOWN_BYTES ? `… (${bytes.length} bytes)` : '';
  return bytes.toString('hex', 0, SHOWN_BYTES) + rest;
}
