/** MetaReader: checks the protobuf of one message in one walk and finds what every message needs of it. */
import { type ProxyStatus, Status } from 'meltemi/codec';
import type { Side } from './attributes.ts';
import { FieldWalker, tagOf, varintBytes, WireType, writeVarint } from './protobuf.ts';
import { EntryReader } from './trans-info.ts';
import {
  FIXED_BYTES,
  ID_FIELD,
  META_BYTES_AT,
  META_LIMIT_BYTES,
  RequestField,
  ResponseField,
  readUint16,
} from './wire.ts';

/** A tag and the widest id. */
export const LARGEST_ID_BYTES = 6;

/** One per connection. What it found is overwritten by the next `read`. */
export class MetaReader {
  /** Offsets from the start of the frame: of the `request_id` field, tag included; empty, where it belongs, if there is none. */
  idAt = 0;
  idEnd = 0;
  id = 0;
  callType = 0;
  ret = 0;
  funcRet = 0;
  /** Where the protobuf ends. */
  metaEnd = 0;
  /** Why `read` was false. */
  status: ProxyStatus = Status.malformed;
  fault = '';
  /** Offset of the fault from the start of the frame. */
  faultAt = 0;
  /** For whoever walks a message again. */
  readonly walker = new FieldWalker();
  readonly entry = new EntryReader();

  /** False: malformed. The frame's own lengths were checked before. */
  read(side: Side, bytes: Buffer, from: number): boolean {
    const { walker } = this;
    const metaAt = from + FIXED_BYTES;
    const metaEnd = metaAt + readUint16(bytes, from + META_BYTES_AT);
    this.metaEnd = metaEnd - from;
    this.idAt = -1;
    this.idEnd = -1;
    this.id = 0;
    this.callType = 0;
    this.ret = 0;
    this.funcRet = 0;
    let behindAt = -1;
    walker.start(bytes, metaAt, metaEnd);
    while (walker.next()) {
      const { field, wireType } = walker;
      if (field > ID_FIELD && behindAt === -1) behindAt = walker.at;
      if (wireType === WireType.Varint) {
        if (field === ID_FIELD) {
          if (this.idAt !== -1) return this.#bad(Status.malformed, 'request_id twice', walker.at - from);
          this.idAt = walker.at - from;
          this.idEnd = walker.end - from;
          this.id = walker.number >>> 0;
        } else if (field === RequestField.CallType) this.callType = walker.number;
        else if (field === ResponseField.Ret) this.ret = walker.number;
        else if (field === ResponseField.FuncRet) this.funcRet = walker.number;
      } else if (field === side.transInfo && wireType === WireType.Bytes) {
        const { entry } = this;
        if (!entry.read(bytes, walker.valueAt, walker.end)) {
          return this.#bad(Status.malformed, `trans_info: ${entry.fault}`, entry.at - from);
        }
      }
    }
    if (walker.fault !== '') return this.#bad(Status.malformed, walker.fault, walker.at - from);
    walker.stop();
    if (this.idAt === -1) {
      this.idAt = (behindAt === -1 ? metaEnd : behindAt) - from;
      this.idEnd = this.idAt;
    }
    // Another id may be longer.
    const most = metaEnd - metaAt - (this.idEnd - this.idAt) + LARGEST_ID_BYTES;
    if (most > META_LIMIT_BYTES) {
      const text = `protobuf of ${metaEnd - metaAt} bytes > ${META_LIMIT_BYTES - LARGEST_ID_BYTES} and its id`;
      return this.#bad(Status.too_large, text, META_BYTES_AT);
    }
    return true;
  }

  #bad(status: ProxyStatus, fault: string, at: number): false {
    this.walker.stop();
    this.status = status;
    this.fault = fault;
    this.faultAt = at;
    return false;
  }
}

/** Of the `request_id` field; proto3 leaves out what is 0. */
export function idBytes(id: number): number {
  return id === 0 ? 0 : 1 + varintBytes(id);
}

/** Gives the offset behind it. */
export function writeId(target: Buffer, at: number, id: number): number {
  if (id === 0) return at;
  target[at] = tagOf(ID_FIELD, WireType.Varint);
  return writeVarint(target, at + 1, id);
}
