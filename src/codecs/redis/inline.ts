/** Inline commands: a line of words as people type it, split by Redis's quoting rules. */
import { commandBytes } from './wire.ts';

const SPACE = 0x20;
const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const BACKSLASH = 0x5c;
const ESCAPES: ReadonlyMap<number, number> = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x61, 0x07],
]);

/** The words of `line`, which has no line end; null: its quotes are unbalanced. */
export function inlineWords(line: Buffer): Buffer[] | null {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at++;
    if (at === line.length) return words;
    const word: number[] = [];
    while (at < line.length && !isSpace(line[at]!)) {
      const byte = line[at]!;
      if (byte !== QUOTE && byte !== APOSTROPHE) {
        word.push(byte);
        at++;
        continue;
      }
      at = byte === QUOTE ? readQuoted(line, at + 1, word) : readPlain(line, at + 1, word);
      // A closing quote ends its word.
      if (at === -1 || (at < line.length && !isSpace(line[at]!))) return null;
    }
    words.push(Buffer.from(word));
  }
}

/** The same command as client libraries write it: a line must not be left to a server that may read it otherwise. */
export function inlineCommand(words: readonly Buffer[]): Buffer {
  return commandBytes(words);
}

function readQuoted(line: Buffer, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    const byte = line[at]!;
    if (byte === QUOTE) return at + 1;
    if (byte !== BACKSLASH || at + 1 === line.length) {
      word.push(byte);
      at++;
      continue;
    }
    const hex = line.toString('latin1', at + 1, at + 4);
    if (/^x[0-9a-fA-F]{2}$/.test(hex)) {
      word.push(Number.parseInt(hex.slice(1), 16));
      at += 4;
    } else {
      const escaped = line[at + 1]!;
      word.push(ESCAPES.get(escaped) ?? escaped);
      at += 2;
    }
  }
  return -1;
}

function readPlain(line: Buffer, from: number, word: number[]): number {
  let at = from;
  while (at < line.length) {
    if (line[at] === APOSTROPHE) return at + 1;
    if (line[at] === BACKSLASH && line[at + 1] === APOSTROPHE) at++;
    word.push(line[at]!);
    at++;
  }
  return -1;
}

function isSpace(byte: number): boolean {
  return byte === SPACE || (byte >= 0x09 && byte <= 0x0d) || byte === 0;
}
