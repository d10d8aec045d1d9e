/** MetaIndex: one pass over a RpcMeta. Says whether it can be read, and where what every message needs is. */
import { FieldWalker } from './field-walker.ts';
import { MetaTag } from './wire.ts';

/** One for each connection and direction: what it found holds until the next `read`. */
export class MetaIndex {
  isRequest = false;
  /** The value of the correlation id, counted from the start of the meta; -1: there is none. */
  idAt = -1;
  idEnd = -1;
  idHigh = 0;
  idLow = 0;
  /** The authentication data, counted from the start of the meta; -1: there is none. */
  authAt = -1;
  authEnd = -1;
  opensStream = false;
  fault = '';
  /** Where the fault is, counted like `from`. */
  faultAt = 0;
  readonly #walker = new FieldWalker();
  readonly #inner = new FieldWalker();

  /** False: it is no protobuf message, or one of the messages in it is not; see `fault`. Of a repeated field the last one counts. */
  read(bytes: Buffer, from: number, to: number): boolean {
    const walker = this.#walker;
    this.isRequest = false;
    this.opensStream = false;
    this.idAt = -1;
    this.idEnd = -1;
    this.idHigh = 0;
    this.idLow = 0;
    this.authAt = -1;
    this.authEnd = -1;
    walker.start(bytes, from, to);
    while (walker.next()) {
      switch (walker.tag) {
        case MetaTag.CorrelationId:
          this.idAt = walker.valueAt - from;
          this.idEnd = walker.end - from;
          this.idHigh = walker.high;
          this.idLow = walker.low;
          break;
        case MetaTag.Request:
          this.isRequest = true;
          if (!this.#check(bytes, walker.valueAt, walker.end)) return false;
          break;
        case MetaTag.Response:
        case MetaTag.UserField:
          if (!this.#check(bytes, walker.valueAt, walker.end)) return false;
          break;
        case MetaTag.AuthenticationData:
          this.authAt = walker.valueAt - from;
          this.authEnd = walker.end - from;
          break;
        case MetaTag.StreamSettings:
          this.opensStream = true;
      }
    }
    return this.#ended(walker);
  }

  #check(bytes: Buffer, from: number, to: number): boolean {
    const inner = this.#inner;
    inner.start(bytes, from, to);
    while (inner.next());
    return this.#ended(inner);
  }

  #ended(walker: FieldWalker): boolean {
    walker.stop();
    if (walker.fault === null) return true;
    this.fault = walker.fault;
    this.faultAt = walker.at;
    return false;
  }
}
