/** hexLines: bytes as people compare them: offset, hexadecimal digits, text. */

/** Sixteen bytes a line; `from` is the offset of the first. */
export function hexLines(bytes: Buffer, from: number): string {
  let lines = '';
  for (let at = 0; at < bytes.length; at += 16) {
    const row = bytes.subarray(at, at + 16);
    const hex = (row.toString('hex').match(/../g) ?? []).join(' ');
    const text = row.toString('latin1').replace(/[^\x20-\x7e]/g, '.');
    lines += `  ${String(from + at).padStart(7)}  ${hex.padEnd(47)}  ${text}\n`;
  }
  return lines;
}
