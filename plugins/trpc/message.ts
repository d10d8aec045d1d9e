/** tRPC messages: a frame, what was found in its protobuf, and edits of trans_info. Attributes are read from the bytes when asked for. */
import { Flag, type Message, type Outcome, type RequestMessage, type ResponseMessage, WholeFrame } from 'meltemi/codec';
import { type AttributeField, isFixed, numberText, REQUEST_SIDE, RESPONSE_SIDE, type Side } from './attributes.ts';
import { LARGEST_ID_BYTES, type MetaReader, writeId } from './meta.ts';
import { type FieldWalker, WireType } from './protobuf.ts';
import { entryBytes, isText, writeEntry } from './trans-info.ts';
import { FIXED_BYTES, META_LIMIT_BYTES, ONEWAY_CALL, readUint32, STREAM_ID_AT, VERSION_AT } from './wire.ts';

/** Offsets count from the start of the frame. */
abstract class TrpcMessage extends WholeFrame implements Message {
  readonly meta: MetaReader;
  readonly flags: number;
  readonly family = 'trpc';
  readonly idAt: number;
  readonly idEnd: number;
  readonly id: number;
  readonly metaEnd: number;
  edits: Map<string, string | null> | null = null;
  /** Bytes of the protobuf as it will be sent, all but its id. */
  otherMetaBytes: number;

  /** Takes over what `meta` found last. */
  constructor(meta: MetaReader, flags: number, bytes: Buffer, from: number, to: number, lent: boolean, local: boolean) {
    super(bytes, from, to, lent, local);
    this.meta = meta;
    this.flags = flags;
    this.idAt = meta.idAt;
    this.idEnd = meta.idEnd;
    this.id = meta.id;
    this.metaEnd = meta.metaEnd;
    this.otherMetaBytes = meta.metaEnd - FIXED_BYTES - (meta.idEnd - meta.idAt);
  }

  abstract get side(): Side;
  abstract fork(): this;

  get(key: string): string | undefined {
    const attribute = this.side.attributes.get(key);
    if (attribute !== undefined) return this.#read(attribute);
    if (isFixed(key)) return undefined;
    const edited = this.edits?.get(key);
    if (edited !== undefined) return edited ?? undefined;
    return this.#readEntry(key);
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const [key, attribute] of this.side.attributes) {
      const value = this.#read(attribute);
      if (value !== undefined) visit(key, value);
    }
    const open = new Map<string, string>();
    const { entry } = this.meta;
    const walker = this.#walk();
    while (walker.next()) {
      if (!this.#atEntry()) continue;
      const key = this.bytes.toString('utf8', entry.keyAt, entry.keyEnd);
      if (!isFixed(key)) open.set(key, this.bytes.toString('utf8', entry.valueAt, entry.valueEnd));
    }
    walker.stop();
    for (const [key, value] of this.edits ?? []) {
      if (value === null) open.delete(key);
      else open.set(key, value);
    }
    for (const [key, value] of open) visit(key, value);
  }

  set(key: string, value: string): boolean {
    return !isFixed(key) && this.#edit(key, value);
  }

  /** Keys are unique: as `set`. */
  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  remove(key: string): boolean {
    if (this.get(key) === undefined) return true;
    return !isFixed(key) && this.#edit(key, null);
  }

  protected takeEdits(from: TrpcMessage): this {
    if (from.edits !== null) this.edits = new Map(from.edits);
    this.otherMetaBytes = from.otherMetaBytes;
    return this;
  }

  /** Copies the protobuf with its edits, under another id. Gives the offset behind it. */
  writeEdited(target: Buffer, at: number, id: number): number {
    const { bytes } = this;
    const walker = this.#walk();
    const idAt = this.from + this.idAt;
    const hasId = this.idEnd > this.idAt;
    let next = at;
    let idIsWritten = false;
    while (walker.next()) {
      if (!idIsWritten && walker.at >= idAt) {
        next = writeId(target, next, id);
        idIsWritten = true;
        if (hasId) continue;
      }
      if (!this.#isEdited()) next += bytes.copy(target, next, walker.at, walker.end);
    }
    walker.stop();
    if (!idIsWritten) next = writeId(target, next, id);
    for (const [key, value] of this.edits!) {
      if (value !== null) next = writeEntry(target, next, this.side.transInfo, key, value);
    }
    return next;
  }

  /** Undone if the protobuf would grow too long. */
  #edit(key: string, value: string | null): boolean {
    const before = this.edits?.get(key);
    this.edits ??= new Map();
    this.edits.set(key, value);
    const size = this.#editedMetaBytes();
    if (size + LARGEST_ID_BYTES <= META_LIMIT_BYTES) {
      this.otherMetaBytes = size;
      return true;
    }
    if (before === undefined) this.edits.delete(key);
    else this.edits.set(key, before);
    return false;
  }

  #editedMetaBytes(): number {
    let size = this.idAt - this.idEnd;
    const walker = this.#walk();
    while (walker.next()) if (!this.#isEdited()) size += walker.end - walker.at;
    walker.stop();
    for (const [key, value] of this.edits!) if (value !== null) size += entryBytes(key, value);
    return size;
  }

  #walk(): FieldWalker {
    const { walker } = this.meta;
    walker.start(this.bytes, this.from + FIXED_BYTES, this.from + this.metaEnd);
    return walker;
  }

  /** Reads the entry of trans_info that the walker stands at; false: it stands at another field. */
  #atEntry(): boolean {
    const { walker, entry } = this.meta;
    if (walker.field !== this.side.transInfo || walker.wireType !== WireType.Bytes) return false;
    return entry.read(this.bytes, walker.valueAt, walker.end);
  }

  /** Whether the field that the walker stands at is an entry that was changed or removed. */
  #isEdited(): boolean {
    if (!this.#atEntry()) return false;
    const { entry } = this.meta;
    for (const key of this.edits!.keys()) if (isText(this.bytes, entry.keyAt, entry.keyEnd, key)) return true;
    return false;
  }

  /** The last one counts; numbers that are not there are 0. */
  #read(attribute: AttributeField): string | undefined {
    const wireType = attribute.as === 'text' ? WireType.Bytes : WireType.Varint;
    let number = 0;
    let from = -1;
    let to = -1;
    const walker = this.#walk();
    while (walker.next()) {
      if (walker.field !== attribute.field || walker.wireType !== wireType) continue;
      number = walker.number;
      from = walker.valueAt;
      to = walker.end;
    }
    walker.stop();
    if (attribute.as !== 'text') return numberText(attribute, number);
    return from === -1 ? undefined : this.bytes.toString('utf8', from, to);
  }

  #readEntry(key: string): string | undefined {
    const { entry } = this.meta;
    let from = -1;
    let to = -1;
    const walker = this.#walk();
    while (walker.next()) {
      if (!this.#atEntry() || !isText(this.bytes, entry.keyAt, entry.keyEnd, key)) continue;
      from = entry.valueAt;
      to = entry.valueEnd;
    }
    walker.stop();
    return from === -1 ? undefined : this.bytes.toString('utf8', from, to);
  }
}

export class TrpcRequest extends TrpcMessage implements RequestMessage {
  readonly connectionKey = '';
  readonly replaySafe = false;
  readonly answer: ResponseMessage | null = null;
  /** Wanted for the answer, when lent bytes are gone. */
  readonly streamId: number;
  readonly version: number;

  constructor(meta: MetaReader, flags: number, bytes: Buffer, from: number, to: number, lent: boolean) {
    super(meta, flags, bytes, from, to, lent, false);
    this.streamId = readUint32(bytes, from + STREAM_ID_AT);
    this.version = bytes[from + VERSION_AT]!;
  }

  get side(): Side {
    return REQUEST_SIDE;
  }

  fork(): this {
    this.meta.read(this.side, this.bytes, this.from);
    return new TrpcRequest(this.meta, this.flags, this.bytes, this.from, this.to, this.lent).takeEdits(this) as this;
  }
}

export class TrpcResponse extends TrpcMessage implements ResponseMessage {
  readonly outcome: Outcome;

  constructor(meta: MetaReader, bytes: Buffer, from: number, to: number, lent: boolean, local: boolean) {
    super(meta, Flag.End, bytes, from, to, lent, local);
    const { ret, funcRet } = meta;
    this.outcome = { code: ret === 0 ? funcRet : ret, ok: ret === 0 && funcRet === 0 };
  }

  get side(): Side {
    return RESPONSE_SIDE;
  }

  fork(): this {
    const { meta, bytes, from, to, lent, local } = this;
    meta.read(this.side, bytes, from);
    return new TrpcResponse(meta, bytes, from, to, lent, local).takeEdits(this) as this;
  }
}

export function requestFlags(callType: number): number {
  return callType === ONEWAY_CALL ? Flag.End | Flag.Oneway : Flag.End;
}
