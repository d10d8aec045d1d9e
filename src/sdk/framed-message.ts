/** Messages of a declared protocol: a frame, the caller's id, and edits. Attributes are read from the bytes when asked for. */
import { WholeFrame } from '../codecs/whole-frame.ts';
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
} from '../metaprotocol/message.ts';
import type { Field } from './field.ts';
import { type FrameFormat, Kind, type SideFormat } from './frame-format.ts';

abstract class FramedMessage extends WholeFrame implements Message {
  readonly format: FrameFormat;
  readonly flags: number;
  readonly idHigh: number;
  readonly idLow: number;
  /** Edited values by key; null: removed. Declared keys and open ones. */
  edits: Map<string, string | null> | null = null;

  constructor(
    format: FrameFormat,
    flags: number,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    idHigh: number,
    idLow: number,
    local = false,
  ) {
    super(bytes, from, to, lent, local);
    this.format = format;
    this.flags = flags;
    this.idHigh = idHigh;
    this.idLow = idLow;
  }

  abstract get side(): SideFormat;
  abstract fork(): this;

  get family(): string {
    return this.format.name;
  }

  get(key: string): string | undefined {
    if (this.edits !== null) {
      const edited = this.edits.get(key);
      if (edited !== undefined) return edited ?? undefined;
    }
    const field = this.side.fields.get(key);
    if (field !== undefined) return this.#read(key, field);
    const { open } = this.format;
    if (open === null || Object.hasOwn(this.format.declaration.attributes, key)) return undefined;
    return open.get(this.bytes, this.#partAt(null), key);
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const key of this.side.fields.keys()) {
      const value = this.get(key);
      if (value !== undefined) visit(key, value);
    }
    const { edits } = this;
    const { attributes } = this.format.declaration;
    this.format.open?.visit(this.bytes, this.#partAt(null), (key, value) => {
      if (!Object.hasOwn(attributes, key) && edits?.has(key) !== true) visit(key, value);
    });
    if (edits === null) return;
    for (const [key, value] of edits) if (value !== null && !this.side.fields.has(key)) visit(key, value);
  }

  set(key: string, value: string): boolean {
    const field = this.side.fields.get(key);
    if (field === undefined) return this.#setOpen(key, value);
    if (!field.mutable || field.place === 'derived') return false;
    if (field.place === 'head' ? !field.fits(value) : field.sizeOf(value) === -1) return false;
    return this.#try(key, value);
  }

  /** Keys are unique: as `set`. */
  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  /** Declared fields have a place in every frame, so they cannot go. */
  remove(key: string): boolean {
    if (this.get(key) === undefined) return true;
    if (this.side.fields.has(key) || this.format.open?.mutable !== true) return false;
    return this.#try(key, null);
  }

  protected copyEdits(from: FramedMessage): this {
    if (from.edits !== null) this.edits = new Map(from.edits);
    return this;
  }

  /** Size of the frame to send. */
  get encodedBytes(): number {
    const size = this.#encodedBytes();
    if (size === -1) throw new Error(`${this.format.name}: edits that do not fit were accepted`);
    return size;
  }

  /** Where the body starts in `bytes`. */
  get bodyAt(): number {
    return this.format.bodyAt(this.side, this.bytes, this.from, this.to);
  }

  /** Writes the edited head and parts, all but the body, with the length of the whole frame. Gives the offset behind them. */
  writeEdited(target: Buffer, at: number, frameBytes: number): number {
    const { format, bytes, side } = this;
    const edits = this.edits!;
    bytes.copy(target, at, this.from, this.from + format.headBytes);
    for (const { key, field } of side.headFields) {
      const value = edits.get(key);
      if (value !== undefined && value !== null) field.write(target, at, value);
    }
    format.writeLength(target, at, frameBytes);
    let next = at + format.headBytes;
    let read = this.from + format.headBytes;
    for (const { key, field } of side.parts) {
      const end = field.end(bytes, read, this.to);
      const value = edits.get(key);
      if (value === undefined || value === null) next += bytes.copy(target, next, read, end);
      else next = field.write(target, next, value);
      read = end;
    }
    return format.open === null ? next : format.open.writeWith(bytes, read, this.#openEdits(), target, next);
  }

  #setOpen(key: string, value: string): boolean {
    const { format } = this;
    // A declared key of the other direction has no place here, and must not turn up as an open one.
    if (format.open?.mutable !== true || Object.hasOwn(format.declaration.attributes, key)) return false;
    return this.#try(key, value);
  }

  /** Undone if the frame cannot hold it. */
  #try(key: string, value: string | null): boolean {
    const before = this.edits?.get(key);
    this.edits ??= new Map();
    this.edits.set(key, value);
    const size = this.#encodedBytes();
    if (size !== -1 && size <= this.format.largestBytes) return true;
    if (before === undefined) this.edits.delete(key);
    else this.edits.set(key, before);
    return false;
  }

  #encodedBytes(): number {
    const { format, bytes, side, edits } = this;
    if (edits === null) return this.to - this.from;
    let size = format.headBytes;
    let read = this.from + format.headBytes;
    for (const { key, field } of side.parts) {
      const end = field.end(bytes, read, this.to);
      const value = edits.get(key);
      size += value === undefined || value === null ? end - read : field.sizeOf(value);
      read = end;
    }
    if (format.open !== null) {
      const map = format.open.sizeWith(bytes, read, this.#openEdits());
      if (map === -1) return -1;
      size += map;
      read = format.open.end(bytes, read, this.to);
    }
    return size + this.to - read;
  }

  #openEdits(): Map<string, string | null> {
    const open = new Map<string, string | null>();
    for (const [key, value] of this.edits!) if (!this.side.fields.has(key)) open.set(key, value);
    return open;
  }

  #partAt(key: string | null): number {
    return this.format.partAt(this.side, this.bytes, this.from, this.to, key);
  }

  #read(key: string, field: Field): string | undefined {
    switch (field.place) {
      case 'head':
        return field.read(this.bytes, this.from);
      case 'part':
        return field.read(this.bytes, this.#partAt(key), this.format.texts);
      case 'derived':
        return field.read(this.bytes.subarray(this.from, this.to), this.bodyAt - this.from);
    }
  }
}

export class FramedRequest extends FramedMessage implements RequestMessage {
  readonly answer: ResponseMessage | null = null;

  get side(): SideFormat {
    return this.format.request;
  }

  get connectionKey(): string {
    return '';
  }

  get replaySafe(): boolean {
    return this.format.declaration.replaySafe?.(this) ?? false;
  }

  fork(): this {
    const { format, flags, bytes, from, to, lent, idHigh, idLow } = this;
    return new FramedRequest(format, flags, bytes, from, to, lent, idHigh, idLow).copyEdits(this) as this;
  }
}

/** A request of which only the head can be trusted: it is answered and goes nowhere. It has no attributes. */
export class RefusedRequest extends FramedRequest {
  override readonly answer: ResponseMessage;

  constructor(format: FrameFormat, head: Buffer, idHigh: number, idLow: number, answer: ResponseMessage) {
    super(format, Flag.End, head, 0, head.length, false, idHigh, idLow);
    this.answer = answer;
  }

  override get(): undefined {
    return undefined;
  }

  override entries(): void {}

  override set(): boolean {
    return false;
  }

  override remove(): boolean {
    return true;
  }

  override fork(): this {
    return this;
  }
}

export class FramedResponse extends FramedMessage implements ResponseMessage {
  constructor(
    format: FrameFormat,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    idHigh: number,
    idLow: number,
    local: boolean,
  ) {
    super(format, Flag.End, bytes, from, to, lent, idHigh, idLow, local);
  }

  get side(): SideFormat {
    return this.format.response;
  }

  get outcome(): Outcome {
    const { format } = this;
    const code = format.outcome.read(this.bytes, this.from + format.outcomeAt);
    return { code, ok: format.okCodes.has(code) };
  }

  fork(): this {
    const { format, bytes, from, to, lent, idHigh, idLow, local } = this;
    return new FramedResponse(format, bytes, from, to, lent, idHigh, idLow, local).copyEdits(this) as this;
  }
}

export function requestFlags(kind: Kind): number {
  return kind === Kind.Oneway ? Flag.End | Flag.Oneway : Flag.End;
}
