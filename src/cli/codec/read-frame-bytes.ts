/**
 * readFrameBytes: the bytes that somebody means: a sample, hexadecimal digits as programs print them (`0xec, 0x01`, `ec:01`, with
 * offsets in front and text behind, as xxd, hexdump -C, od and tcpdump have it), or else the bytes themselves.
 */
import { readHexSample } from '../../conformance/read-samples.ts';

const MOST_BYTES_A_ROW = 256;

/** Throws where digits cannot be what was meant. */
export function readFrameBytes(input: Buffer): Buffer {
  if (input.length === 0) throw new Error('the input is empty');
  const text = input.toString();
  const printed = bytesOfDump(text) ?? bytesOfList(text);
  if (printed !== null) return printed;
  if (/^[0-9a-f\s]+$/i.test(text)) {
    throw new Error(`${text.replace(/\s/g, '').length} hexadecimal digits: expected two for each byte`);
  }
  try {
    return readHexSample('input', text, 'input').bytes;
  } catch {
    return input;
  }
}

interface Row {
  readonly offset: string;
  readonly hasColon: boolean;
  readonly rest: string;
}

/** null: it has no offsets that grow with the bytes between them. */
function bytesOfDump(text: string): Buffer | null {
  const rows: Row[] = [];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const found = /^\s*(?:0x)?([0-9a-f]{4,})(:?)(?:\s+(.*))?$/i.exec(line.trimEnd());
    if (found === null) return null;
    rows.push({ offset: found[1]!, hasColon: found[2] === ':', rest: found[3] ?? '' });
  }
  // One row of digits may begin with zeros of its own.
  if (rows.length === 0 || (rows.length === 1 && !rows[0]!.hasColon)) return null;
  for (const base of [16, 10, 8]) {
    const digits = digitsOfRows(rows, base);
    if (digits === null) continue;
    if (!rows[0]!.hasColon && /^(?:[0-9a-f]{4}(?: +|$))+$/i.test(rows[0]!.rest)) {
      throw new Error('a dump of words, whose byte order is that of some machine: expected bytes, as of hexdump -C');
    }
    return Buffer.from(digits, 'hex');
  }
  return null;
}

function digitsOfRows(rows: readonly Row[], base: number): string | null {
  let all = '';
  for (const [index, { offset, rest }] of rows.entries()) {
    const next = rows[index + 1];
    if (next === undefined) {
      // The text of the last row stands apart by two spaces.
      all += (/^(?:[0-9a-f]{2,}(?: |$))*/i.exec(rest)?.[0] ?? '').replaceAll(' ', '');
      break;
    }
    const count = Number.parseInt(next.offset, base) - Number.parseInt(offset, base);
    if (!(count > 0 && count <= MOST_BYTES_A_ROW)) return null;
    const digits = new RegExp(`^(?:[0-9a-f]{2} *){${count}}(?= |$)`, 'i').exec(`${rest} `)?.[0].replaceAll(' ', '');
    if (digits === undefined) return null;
    all += digits;
  }
  return all.length % 2 === 0 && all !== '' ? all : null;
}

/** `0xec, 0x01`, `\xec\x01`, `ec:01`, `{ 0xec, 1 }`, plain digits. */
function bytesOfList(text: string): Buffer | null {
  const words = text
    .replaceAll('\\x', ' 0x')
    .split(/[\s,:;{}[\]"']+/)
    .filter((word) => word !== '');
  const digits = words.map((word) => {
    const [, prefix, hex = ''] = /^(0x)?([0-9a-f]+)$/i.exec(word) ?? [];
    return prefix !== undefined && hex.length === 1 ? `0${hex}` : hex;
  });
  if (digits.length === 0 || digits.includes('')) return null;
  const all = digits.join('');
  return all.length % 2 === 0 ? Buffer.from(all, 'hex') : null;
}
