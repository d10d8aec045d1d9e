/** trans_info: the application's own keys and values, `map<string, bytes>`. As protobuf has it, the last of equal keys counts. */
import { bytesFieldBytes, FieldWalker, tagOf, WireType, writeVarint } from './protobuf.ts';

const KEY = 1;
const VALUE = 2;

/** Edits by key; null: removed. */
export type TransInfoEdits = ReadonlyMap<string, string | null>;

/** One entry, found in place. Reused. */
export class EntryReader {
  keyAt = 0;
  keyEnd = 0;
  valueAt = 0;
  valueEnd = 0;
  readonly #walker = new FieldWalker();

  get fault(): string {
    return this.#walker.fault;
  }

  /** Where `fault` is. */
  get at(): number {
    return this.#walker.at;
  }

  /** False: malformed. An absent key or value is empty. */
  read(bytes: Buffer, from: number, to: number): boolean {
    const walker = this.#walker;
    this.keyAt = from;
    this.keyEnd = from;
    this.valueAt = from;
    this.valueEnd = from;
    walker.start(bytes, from, to);
    while (walker.next()) {
      if (walker.wireType !== WireType.Bytes) continue;
      if (walker.field === KEY) {
        this.keyAt = walker.valueAt;
        this.keyEnd = walker.end;
      } else if (walker.field === VALUE) {
        this.valueAt = walker.valueAt;
        this.valueEnd = walker.end;
      }
    }
    walker.stop();
    return walker.fault === '';
  }
}

/** Bytes of the entry as a field of its message. */
export function entryBytes(key: string, value: string): number {
  return bytesFieldBytes(contentBytes(key, value));
}

/** Gives the offset behind it. */
export function writeEntry(target: Buffer, at: number, field: number, key: string, value: string): number {
  target[at] = tagOf(field, WireType.Bytes);
  const next = writeVarint(target, at + 1, contentBytes(key, value));
  return writeText(target, writeText(target, next, KEY, key), VALUE, value);
}

function contentBytes(key: string, value: string): number {
  return bytesFieldBytes(Buffer.byteLength(key)) + bytesFieldBytes(Buffer.byteLength(value));
}

function writeText(target: Buffer, at: number, field: number, text: string): number {
  target[at] = tagOf(field, WireType.Bytes);
  const from = writeVarint(target, at + 1, Buffer.byteLength(text));
  return from + target.write(text, from, 'utf8');
}

/** Without making a string, where the wanted text is ASCII. */
export function isText(bytes: Buffer, from: number, to: number, wanted: string): boolean {
  if (to - from !== wanted.length) return to - from > wanted.length && bytes.toString('utf8', from, to) === wanted;
  for (let at = 0; at < wanted.length; at++) {
    const code = wanted.charCodeAt(at);
    if (code > 0x7f || bytes[from + at] !== code) return false;
  }
  return true;
}
