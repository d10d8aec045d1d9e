/**
 * Fields: where an attribute lies in a frame, as objects that can read it, show it and, where it may change, write it.
 * They know bytes only; which message asks, and what was edited, is FramedMessage's.
 */
import { ConfigError } from '../metaprotocol/config-error.ts';
import { type NumberFormat, type NumberName, numberFormat } from './number-format.ts';
import type { TextCache } from './text-cache.ts';

/** Which messages have the field. */
export type FieldSide = 'both' | 'request' | 'response';

export function otherSide(side: 'request' | 'response'): 'request' | 'response' {
  return side === 'request' ? 'response' : 'request';
}

interface FieldCommon {
  /** For the manifest: what routes see under this key. */
  readonly description: string;
  readonly mutable: boolean;
  readonly on: FieldSide;
}

/** At a fixed offset of the fixed head; its size never changes. */
export interface HeadField extends FieldCommon {
  readonly place: 'head';
  readonly at: number;
  readonly bytes: number;
  read(frame: Buffer, from: number): string;
  /** Can it hold this value? */
  fits(value: string): boolean;
  /** Only what `fits`. */
  write(frame: Buffer, from: number, value: string): void;
}

/** Behind the fixed head, one part behind the other in the order of declaration. */
export interface PartField extends FieldCommon {
  readonly place: 'part';
  /** Where the part that starts at `at` ends, `to` being the end of the frame; -1: it would go beyond. */
  end(frame: Buffer, at: number, to: number): number;
  read(frame: Buffer, at: number, texts: TextCache): string;
  /** Bytes that the value takes with its length; -1: it does not fit. */
  sizeOf(value: string): number;
  /** Gives the offset behind it. Only what `sizeOf` has found to fit. */
  write(frame: Buffer, at: number, value: string): number;
}

/** Worked out by a function; cannot be changed. */
export interface DerivedField extends FieldCommon {
  readonly place: 'derived';
  read(frame: Buffer, bodyAt: number): string | undefined;
}

export type Field = HeadField | PartField | DerivedField;

interface FieldOptions {
  readonly on?: FieldSide;
  readonly description?: string;
}

export interface UintOptions extends FieldOptions {
  readonly at: number;
  readonly as: NumberName;
  /** Routes see the name instead of the number; a number without one is shown as it is. */
  readonly names?: Readonly<Record<string, number>>;
  /** Default: false. A number of the head mostly says how to read the rest. */
  readonly mutable?: boolean;
}

/** A whole number in the fixed head, seen as decimal text or by its name. */
export function uint({ at, as, names = {}, mutable = false, on = 'both', description = '' }: UintOptions): HeadField {
  const format = numberFormat(as);
  for (const [name, value] of Object.entries(names)) {
    if (Number.isInteger(value) && value >= 0 && value <= format.maximum) continue;
    throw new ConfigError([
      { path: `uint at ${at}, names.${name}`, message: `${value} is not a number from 0 to ${format.maximum}` },
    ]);
  }
  const numberOf = new Map(Object.entries(names));
  const nameOf = new Map(Object.entries(names).map(([name, value]) => [value, name]));
  const parse = (value: string): number => numberOf.get(value) ?? (/^\d{1,10}$/.test(value) ? Number(value) : -1);
  return {
    place: 'head',
    at,
    bytes: format.bytes,
    mutable,
    on,
    description,
    read(frame, from) {
      const value = format.read(frame, from + at);
      return nameOf.get(value) ?? String(value);
    },
    fits(value) {
      const parsed = parse(value);
      return parsed >= 0 && parsed <= format.maximum;
    },
    write(frame, from, value) {
      format.write(frame, from + at, parse(value));
    },
  };
}

export interface FixedTextOptions extends FieldOptions {
  readonly at: number;
  /** Its room in the head; shorter texts are filled up with zero bytes. */
  readonly bytes: number;
  readonly mutable?: boolean;
}

/** A UTF-8 text in the fixed head that ends at its first zero byte. */
export function fixedText(options: FixedTextOptions): HeadField {
  const { at, bytes, mutable = true, on = 'both', description = '' } = options;
  return {
    place: 'head',
    at,
    bytes,
    mutable,
    on,
    description,
    read(frame, from) {
      const start = from + at;
      const zero = frame.subarray(start, start + bytes).indexOf(0);
      return frame.toString('utf8', start, zero === -1 ? start + bytes : start + zero);
    },
    fits: (value) => !value.includes('\0') && Buffer.byteLength(value) <= bytes,
    write(frame, from, value) {
      frame.fill(0, from + at, from + at + bytes);
      frame.write(value, from + at, 'utf8');
    },
  };
}

export interface TextOptions extends FieldOptions {
  /** Its length field, in front of it: bytes of the text. */
  readonly length: NumberName;
  readonly mutable?: boolean;
}

/** A UTF-8 text behind the fixed head, with its length in front. */
export function text({ length, mutable = true, on = 'both', description = '' }: TextOptions): PartField {
  const format = numberFormat(length);
  return {
    place: 'part',
    mutable,
    on,
    description,
    end: (frame, at, to) => endOfPrefixed(format, frame, at, to),
    read(frame, at, texts) {
      const start = at + format.bytes;
      return texts.read(frame, start, start + format.read(frame, at));
    },
    sizeOf(value) {
      const bytes = Buffer.byteLength(value);
      return bytes > format.maximum ? -1 : format.bytes + bytes;
    },
    write(frame, at, value) {
      const bytes = frame.write(value, at + format.bytes, 'utf8');
      format.write(frame, at, bytes);
      return at + format.bytes + bytes;
    },
  };
}

export interface DerivedOptions extends FieldOptions {
  /** `frame` is the whole frame, lent for this call; `bodyAt` is where its body starts. undefined: the message has none. */
  readonly read: (frame: Buffer, bodyAt: number) => string | undefined;
}

/** An attribute that has no place of its own. Read only. */
export function derived({ read, on = 'both', description = '' }: DerivedOptions): DerivedField {
  return { place: 'derived', mutable: false, on, description, read };
}

/** The end of bytes with their length in front; -1: beyond `to`. */
export function endOfPrefixed(format: NumberFormat, frame: Buffer, at: number, to: number): number {
  const start = at + format.bytes;
  if (start > to) return -1;
  const end = start + format.read(frame, at);
  return end > to ? -1 : end;
}
