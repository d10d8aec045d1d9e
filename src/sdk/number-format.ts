/** How whole numbers lie in a frame. Offsets are not checked: callers made sure that the bytes are there. */

export interface NumberFormat {
  readonly bytes: 1 | 2 | 3 | 4;
  readonly maximum: number;
  read(bytes: Buffer, at: number): number;
  write(bytes: Buffer, at: number, value: number): void;
}

const U8: NumberFormat = {
  bytes: 1,
  maximum: 0xff,
  read: (bytes, at) => bytes[at]!,
  write(bytes, at, value) {
    bytes[at] = value;
  },
};

const U16BE: NumberFormat = {
  bytes: 2,
  maximum: 0xffff,
  read: (bytes, at) => (bytes[at]! << 8) | bytes[at + 1]!,
  write(bytes, at, value) {
    bytes[at] = value >>> 8;
    bytes[at + 1] = value;
  },
};

const U16LE: NumberFormat = {
  bytes: 2,
  maximum: 0xffff,
  read: (bytes, at) => bytes[at]! | (bytes[at + 1]! << 8),
  write(bytes, at, value) {
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
  },
};

const U24BE: NumberFormat = {
  bytes: 3,
  maximum: 0xff_ffff,
  read: (bytes, at) => (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!,
  write(bytes, at, value) {
    bytes[at] = value >>> 16;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value;
  },
};

const U24LE: NumberFormat = {
  bytes: 3,
  maximum: 0xff_ffff,
  read: (bytes, at) => bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16),
  write(bytes, at, value) {
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
  },
};

const U32BE: NumberFormat = {
  bytes: 4,
  maximum: 0xffff_ffff,
  read: (bytes, at) => ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0,
  write(bytes, at, value) {
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
  },
};

const U32LE: NumberFormat = {
  bytes: 4,
  maximum: 0xffff_ffff,
  read: (bytes, at) => (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0,
  write(bytes, at, value) {
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  },
};

const FORMATS = Object.freeze({
  u8: U8,
  u16be: U16BE,
  u16le: U16LE,
  u24be: U24BE,
  u24le: U24LE,
  u32be: U32BE,
  u32le: U32LE,
});

/** `u16be`: unsigned, 16 bits, big endian. */
export type NumberName = keyof typeof FORMATS;
/** Ids may have 64 bits: they are carried as two halves, so no bit is lost. */
export type IdName = NumberName | 'u64be' | 'u64le';

export const NUMBER_NAMES = Object.freeze(Object.keys(FORMATS) as NumberName[]);
export const ID_NAMES: readonly IdName[] = Object.freeze([...NUMBER_NAMES, 'u64be', 'u64le']);

/** Throws where no compiler saw the name. */
export function numberFormat(name: NumberName): NumberFormat {
  const format = Object.hasOwn(FORMATS, name) ? FORMATS[name] : undefined;
  if (format === undefined) throw new Error(`${JSON.stringify(name)} is not one of ${NUMBER_NAMES.join(', ')}`);
  return format;
}
