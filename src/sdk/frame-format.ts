/** FrameFormat: a declaration as offsets and readers, computed once for each codec; the hot path reads nothing else. */
import type { CodecDeclaration, FrameDeclaration, KindDeclaration } from './declaration.ts';
import type { Field, HeadField, PartField } from './field.ts';
import { type NumberFormat, numberFormat } from './number-format.ts';
import { TextCache } from './text-cache.ts';
import type { TextMap } from './text-map.ts';

export const Kind = { Unknown: 0, Request: 1, Oneway: 2, Response: 3, Heartbeat: 4, HeartbeatAnswer: 5 } as const;
export type Kind = (typeof Kind)[keyof typeof Kind];

export const KIND_NAMES: readonly string[] = Object.freeze([
  'unknown',
  'request',
  'oneway',
  'response',
  'heartbeat',
  'heartbeat answer',
]);

export interface Part {
  readonly key: string;
  readonly field: PartField;
}

/** What lies behind the fixed head of a request or of a response. */
export interface SideFormat {
  readonly fields: ReadonlyMap<string, Field>;
  readonly headFields: readonly { readonly key: string; readonly field: HeadField }[];
  readonly parts: readonly Part[];
}

export interface PartFault {
  readonly text: string;
  /** Offset from the start of the frame. */
  readonly at: number;
}

export class FrameFormat {
  readonly name: string;
  readonly magic: Buffer;
  readonly headBytes: number;
  readonly lengthAt: number;
  readonly length: NumberFormat;
  /** Bytes of a frame = value of the length field + this. */
  readonly lengthAdds: number;
  /** A 64-bit id is two numbers; else `idHighAt` is -1. */
  readonly id: NumberFormat;
  readonly idHighAt: number;
  readonly idLowAt: number;
  readonly kindAt: number;
  readonly kind: NumberFormat;
  readonly kindMask: number;
  readonly heartbeatAnswer: Kind;
  readonly outcomeAt: number;
  readonly outcome: NumberFormat;
  readonly okCodes: ReadonlySet<number>;
  readonly open: TextMap | null;
  readonly request: SideFormat;
  readonly response: SideFormat;
  readonly declaration: CodecDeclaration;
  readonly texts = new TextCache();
  /** Of the last `bodyAt` that gave -1. */
  fault: PartFault | null = null;
  readonly #kindOf = new Map<number, Kind>();
  readonly #kindValues: number[] = [];

  constructor(declaration: CodecDeclaration) {
    const { frame, id, kind, outcome, open = null } = declaration;
    this.declaration = declaration;
    this.name = declaration.name;
    this.magic = Buffer.from(frame.magic ?? []);
    this.headBytes = frame.headBytes;
    this.lengthAt = frame.length.at;
    this.length = numberFormat(frame.length.as);
    this.lengthAdds = lengthAdds(frame);
    switch (id.as) {
      case 'u64be':
      case 'u64le':
        this.id = numberFormat(id.as === 'u64be' ? 'u32be' : 'u32le');
        this.idHighAt = id.as === 'u64be' ? id.at : id.at + 4;
        this.idLowAt = id.as === 'u64be' ? id.at + 4 : id.at;
        break;
      default:
        this.id = numberFormat(id.as);
        this.idHighAt = -1;
        this.idLowAt = id.at;
    }
    this.kindAt = kind.at;
    this.kind = numberFormat(kind.as);
    this.kindMask = kind.mask ?? this.kind.maximum;
    this.#addKind(Kind.Request, kind.request);
    this.#addKind(Kind.Response, kind.response);
    this.#addKind(Kind.Oneway, kind.oneway);
    this.#addKind(Kind.Heartbeat, kind.heartbeat);
    this.#addKind(Kind.HeartbeatAnswer, kind.heartbeatAnswer);
    this.heartbeatAnswer = kind.heartbeatAnswer === undefined ? Kind.Heartbeat : Kind.HeartbeatAnswer;
    this.outcomeAt = outcome.at;
    this.outcome = numberFormat(outcome.as);
    this.okCodes = new Set(outcome.ok ?? [0]);
    this.open = open;
    this.request = sideOf(declaration, 'request');
    this.response = sideOf(declaration, 'response');
  }

  kindOf(frame: Buffer, from: number): Kind {
    return this.#kindOf.get((this.kind.read(frame, from + this.kindAt) & this.kindMask) >>> 0) ?? Kind.Unknown;
  }

  writeKind(frame: Buffer, from: number, kind: Kind): void {
    const at = from + this.kindAt;
    const others = this.kind.read(frame, at) & ~this.kindMask;
    this.kind.write(frame, at, (others | this.#kindValues[kind]!) >>> 0);
  }

  /** Some declared kinds have no number: oneway, heartbeats. */
  hasKind(kind: Kind): boolean {
    return this.#kindValues[kind] !== undefined;
  }

  writeLength(frame: Buffer, from: number, frameBytes: number): void {
    this.length.write(frame, from + this.lengthAt, frameBytes - this.lengthAdds);
  }

  /** The largest frame that the length field can tell. */
  get largestBytes(): number {
    return this.length.maximum + this.lengthAdds;
  }

  writeId(frame: Buffer, from: number, high: number, low: number): void {
    if (this.idHighAt !== -1) this.id.write(frame, from + this.idHighAt, high);
    this.id.write(frame, from + this.idLowAt, low);
  }

  /** Where the body of the frame `frame[from, to)` starts, counted like `from`; -1: a part goes beyond its end, see `fault`. */
  bodyAt(side: SideFormat, frame: Buffer, from: number, to: number): number {
    let at = from + this.headBytes;
    const { parts } = side;
    for (let index = 0; index < parts.length; index++) {
      const end = parts[index]!.field.end(frame, at, to);
      if (end === -1) return this.#beyond(parts[index]!.key, at, from, to);
      at = end;
    }
    if (this.open === null) return at;
    const end = this.open.end(frame, at, to);
    return end === -1 ? this.#beyond('the open attributes', at, from, to) : end;
  }

  /** Where the part `key` starts; with no such part, where the open attributes do. The frame was found good. */
  partAt(side: SideFormat, frame: Buffer, from: number, to: number, key: string | null): number {
    let at = from + this.headBytes;
    for (const part of side.parts) {
      if (part.key === key) break;
      at = part.field.end(frame, at, to);
    }
    return at;
  }

  #beyond(what: string, at: number, from: number, to: number): -1 {
    this.fault = { text: `${what} goes beyond the frame of ${to - from} bytes`, at: at - from };
    return -1;
  }

  #addKind(kind: Kind, value: KindDeclaration['oneway']): void {
    if (value === undefined) return;
    this.#kindOf.set(value, kind);
    this.#kindValues[kind] = value;
  }
}

/** Bytes of a frame that its length field does not count. */
export function lengthAdds({ headBytes, length }: FrameDeclaration): number {
  return { body: headBytes, rest: length.at + numberFormat(length.as).bytes, frame: 0 }[length.of];
}

function sideOf({ attributes }: CodecDeclaration, side: 'request' | 'response'): SideFormat {
  const fields = Object.entries(attributes).filter(([, { on }]) => on === 'both' || on === side);
  return {
    fields: new Map(fields),
    headFields: fields.flatMap(([key, field]) => (field.place === 'head' ? [{ key, field }] : [])),
    parts: fields.flatMap(([key, field]) => (field.place === 'part' ? [{ key, field }] : [])),
  };
}
