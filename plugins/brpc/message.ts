/** brpc messages: whole frames. Attributes are read from the meta's bytes when asked for; user fields can be changed. */
import { Flag, type Message, type Outcome, type RequestMessage, type ResponseMessage, WholeFrame } from 'meltemi/codec';
import { type AttributeReader, isFixed } from './attributes.ts';
import { readUint32 } from './frame-meter.ts';
import { MetaIndex } from './meta-index.ts';
import type { BrpcOptions } from './options.ts';
import { withUserField } from './user-fields.ts';
import { codes, HEAD_BYTES, META_BYTES_AT } from './wire.ts';

/** What reading and editing need of the connection that a message came from. */
export interface MessageContext {
  readonly reader: AttributeReader;
  readonly options: BrpcOptions;
}

const SUCCESS: Outcome = Object.freeze({ code: codes.OK, ok: true });

abstract class BrpcMessage extends WholeFrame implements Message {
  readonly family = 'brpc';
  readonly flags = Flag.End;
  readonly metaBytes: number;
  /** The value of the correlation id, counted from the start of the meta; -1: there is none. */
  idAt: number;
  idEnd: number;
  protected readonly context: MessageContext;
  #edited: Buffer | null = null;

  constructor(
    context: MessageContext,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    idAt: number,
    idEnd: number,
    local: boolean,
  ) {
    super(bytes, from, to, lent, local);
    this.context = context;
    this.metaBytes = readUint32(bytes, from + META_BYTES_AT);
    this.idAt = idAt;
    this.idEnd = idEnd;
  }

  /** The meta as it is now is `meta[metaFrom, metaTo)`. */
  get meta(): Buffer {
    return this.#edited ?? this.bytes;
  }

  get metaFrom(): number {
    return this.#edited === null ? this.from + HEAD_BYTES : 0;
  }

  get metaTo(): number {
    return this.#edited === null ? this.from + HEAD_BYTES + this.metaBytes : this.#edited.length;
  }

  /** Payload and attachment start here. */
  get bodyFrom(): number {
    return this.from + HEAD_BYTES + this.metaBytes;
  }

  get(key: string): string | undefined {
    return this.context.reader.get(this.meta, this.metaFrom, this.metaTo, key);
  }

  entries(visit: (key: string, value: string) => void): void {
    this.context.reader.entries(this.meta, this.metaFrom, this.metaTo, visit);
  }

  set(key: string, value: string): boolean {
    return !isFixed(key) && !this.#isExtField(key) && this.#change(key, value);
  }

  /** User fields are a map: there is one value of a key. */
  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  remove(key: string): boolean {
    if (this.get(key) === undefined) return true;
    return !isFixed(key) && !this.#isExtField(key) && this.#change(key, null);
  }

  abstract fork(): this;

  protected copyEditsTo(fork: this): this {
    fork.#edited = this.#edited;
    return fork;
  }

  #isExtField(key: string): boolean {
    return this.context.reader.hasExtField(this.meta, this.metaFrom, this.metaTo, key);
  }

  /** False, and nothing changed: it would be over a limit. */
  #change(key: string, value: string | null): boolean {
    const { frameLimitBytes, metaLimitBytes } = this.context.options;
    const edited = withUserField(this.meta, this.metaFrom, this.metaTo, key, value);
    const bodyBytes = edited.length + this.to - this.bodyFrom;
    // What got shorter may have been over a limit before it came here.
    if (value !== null && (edited.length > metaLimitBytes || bodyBytes > frameLimitBytes)) return false;
    const index = new MetaIndex();
    index.read(edited, 0, edited.length);
    this.#edited = edited;
    this.idAt = index.idAt;
    this.idEnd = index.idEnd;
    return true;
  }
}

export class BrpcRequest extends BrpcMessage implements RequestMessage {
  /** The caller's own id, to be restored on the answer. */
  readonly idHigh: number;
  readonly idLow: number;
  /** Authentication data of its caller, byte for byte; '' = none. Servers look at it once for each connection. */
  readonly connectionKey: string;
  /** It carries them itself. */
  readonly authenticates: boolean;
  /** baidu_std does not say which methods may be called twice. */
  readonly replaySafe = false;
  readonly answer: BrpcResponse | null;

  constructor(context: MessageContext, bytes: Buffer, from: number, to: number, lent: boolean, known: KnownOfRequest) {
    super(context, bytes, from, to, lent, known.idAt, known.idEnd, false);
    this.idHigh = known.idHigh;
    this.idLow = known.idLow;
    this.connectionKey = known.connectionKey;
    this.authenticates = known.authenticates;
    this.answer = known.answer;
  }

  override fork(): this {
    const { context, bytes, from, to, lent } = this;
    return this.copyEditsTo(new BrpcRequest(context, bytes, from, to, lent, this) as this);
  }
}

export interface KnownOfRequest {
  readonly idAt: number;
  readonly idEnd: number;
  readonly idHigh: number;
  readonly idLow: number;
  readonly connectionKey: string;
  readonly authenticates: boolean;
  readonly answer: BrpcResponse | null;
}

/** An answer, from the upstream or (`local`) of the proxy itself. */
export class BrpcResponse extends BrpcMessage implements ResponseMessage {
  get outcome(): Outcome {
    const code = this.context.reader.errorCode(this.meta, this.metaFrom, this.metaTo);
    return code === codes.OK ? SUCCESS : { code, ok: false };
  }

  override fork(): this {
    const { context, bytes, from, to, lent, idAt, idEnd, local } = this;
    return this.copyEditsTo(new BrpcResponse(context, bytes, from, to, lent, idAt, idEnd, local) as this);
  }
}
