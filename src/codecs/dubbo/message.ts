/** Dubbo messages: whole frames. Attributes are read from the bytes when asked for. */
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
} from '../../metaprotocol/message.ts';
import { WholeFrame } from '../whole-frame.ts';
import { AttachmentEdits } from './attachments.ts';
import type { CallHead } from './call-head.ts';
import { isText, isTextLead, readText } from './hessian-text.ts';
import { type HessianWalker, TYPED_MAP, UNTYPED_MAP } from './hessian-walker.ts';
import {
  FLAGS_AT,
  FrameFlag,
  HEADER_BYTES,
  HESSIAN2,
  ID_AT,
  ResponseStatus,
  readInt32,
  SERIALIZATION_MASK,
  STATUS_AT,
  serializationName,
  Tag,
  ZERO_INT,
} from './wire.ts';

/** Attributes that stand in front of the arguments, and win over an attachment of the same name. None can be changed. */
const FIXED_KEYS = ['interface', 'method', 'version', 'dubbo-version', 'parameter-types', 'serialization'] as const;
type FixedKey = (typeof FIXED_KEYS)[number];

/** Where the attachments are: not looked for yet, or not to be had. */
const UNKNOWN = -1;
const NONE = -2;

/** What walking and editing need of the connection that a message came from. */
export interface MessageContext {
  readonly walker: HessianWalker;
  readonly frameLimitBytes: number;
}

abstract class DubboMessage extends WholeFrame implements Message {
  readonly family = 'dubbo';
  abstract readonly flags: number;
  /** Attachments, once somebody changed one. */
  edits: AttachmentEdits | null = null;
  readonly serialization: number;
  protected readonly context: MessageContext;
  /** Counted from the start of the frame. */
  #mapAt = UNKNOWN;
  /** The attachments can be walked without the arguments: no class is defined before them. */
  #selfContained = false;

  constructor(
    context: MessageContext,
    serialization: number,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    local: boolean,
  ) {
    super(bytes, from, to, lent, local);
    this.context = context;
    this.serialization = serialization;
  }

  get(key: string): string | undefined {
    if (isFixed(key)) return this.fixed(key);
    return (this.edits === null ? this.#find(key) : this.edits.get(key)) ?? undefined;
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const key of FIXED_KEYS) {
      const value = this.fixed(key);
      if (value !== undefined) visit(key, value);
    }
    const edits = this.edits ?? this.#read();
    edits?.visit((key, value) => {
      if (!isFixed(key)) visit(key, value);
    });
  }

  /** Only attachments can be set, and only where hessian2 is spoken and the peer reads them. */
  set(key: string, value: string): boolean {
    if (isFixed(key)) return false;
    const edits = this.edits ?? this.#read() ?? this.emptyEdits();
    if (edits === null) return false;
    const bodyBytes = this.to - this.from - HEADER_BYTES;
    if (!edits.set(key, value, this.context.frameLimitBytes - bodyBytes)) return false;
    this.edits = edits;
    return true;
  }

  /** Attachments are a map: there is one value of a key. */
  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  remove(key: string): boolean {
    if (isFixed(key)) return this.fixed(key) === undefined;
    if (this.edits === null && this.#find(key) === undefined) return true;
    const edits = this.edits ?? this.#read();
    if (edits === null || !edits.remove(key)) return false;
    this.edits = edits;
    return true;
  }

  /** Walks arguments (or the value) and attachments to the end. False: `context.walker` has the fault. */
  check(): boolean {
    const { walker } = this.context;
    const good = this.valuesAt < 0 || (this.#seek() && (walker.at === this.to || walker.skip(1)));
    walker.stop();
    return good;
  }

  abstract fork(): this;
  protected abstract fixed(key: FixedKey): string | undefined;
  /** Where the values in front of the attachments begin, from the start of the frame; -1: attachments cannot be had. */
  protected abstract readonly valuesAt: number;
  protected abstract readonly valueCount: number;
  /** For a message without a map that may get one. */
  protected abstract emptyEdits(): AttachmentEdits | null;

  /** Puts the walker where the attachments must be. False: they cannot be had. */
  #seek(): boolean {
    if (this.#mapAt === NONE) return false;
    const { walker } = this.context;
    const known = this.#mapAt !== UNKNOWN && this.#selfContained;
    const at = known ? this.#mapAt : this.valuesAt;
    if (at < 0) {
      this.#mapAt = NONE;
      return false;
    }
    walker.start(this.bytes, this.from + at, this.to);
    if (known) return true;
    if (!walker.skip(this.valueCount)) {
      this.#mapAt = NONE;
      return false;
    }
    this.#mapAt = walker.at - this.from;
    this.#selfContained = walker.classes === 0;
    return true;
  }

  /** null: there is such an attachment, but it is no string. */
  #find(key: string): string | null | undefined {
    const value = this.#search(key);
    this.context.walker.stop();
    return value;
  }

  #search(key: string): string | null | undefined {
    if (!this.#seek()) return undefined;
    const { walker } = this.context;
    const { bytes } = this;
    const lead = walker.at < this.to ? bytes[walker.at] : -1;
    if ((lead !== UNTYPED_MAP && lead !== TYPED_MAP) || !walker.enterMap()) return undefined;
    while (!walker.atEnd) {
      const keyAt = walker.at;
      if (!walker.skip(1)) return undefined;
      const valueAt = walker.at;
      if (!walker.skip(1)) return undefined;
      if (isTextLead(bytes[keyAt]!) && isText(bytes, keyAt, valueAt, key)) {
        return isTextLead(bytes[valueAt]!) ? readText(bytes, valueAt, walker.at) : null;
      }
    }
    return undefined;
  }

  #read(): AttachmentEdits | null {
    const { walker } = this.context;
    const edits = this.#seek() ? AttachmentEdits.read(walker, this.bytes, this.from, this.to) : null;
    walker.stop();
    return edits;
  }
}

function isFixed(key: string): key is FixedKey {
  switch (key) {
    case 'interface':
    case 'method':
    case 'version':
    case 'dubbo-version':
    case 'parameter-types':
    case 'serialization':
      return true;
    default:
      return false;
  }
}

/** A call, or what stands for one that could not be read (then `answer` is set and `raw` is null). */
export class DubboRequest extends DubboMessage implements RequestMessage {
  readonly flags: number;
  /** The caller's own id, to be restored on the answer. */
  readonly idHigh: number;
  readonly idLow: number;
  /** Upstream needs no state. */
  readonly connectionKey = '';
  /** Dubbo does not say which methods may be called twice. */
  readonly replaySafe = false;
  /** null: it is serialized otherwise, or could not be read. */
  readonly head: CallHead | null;
  readonly answer: DubboResponse | null;

  /** `answer`: nothing but the header is there. */
  constructor(
    context: MessageContext,
    head: CallHead | null,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    answer: DubboResponse | null,
  ) {
    super(context, bytes[from + FLAGS_AT]! & SERIALIZATION_MASK, bytes, from, to, lent, answer !== null);
    this.flags = (bytes[from + FLAGS_AT]! & FrameFlag.TwoWay) === 0 ? Flag.End | Flag.Oneway : Flag.End;
    this.idHigh = readInt32(bytes, from + ID_AT);
    this.idLow = readInt32(bytes, from + ID_AT + 4);
    this.head = head;
    this.answer = answer;
  }

  override fork(): this {
    const { context, head, bytes, from, to, lent, answer } = this;
    const fork = new DubboRequest(context, head, bytes, from, to, lent, answer);
    fork.edits = this.edits?.fork() ?? null;
    return fork as this;
  }

  protected override get valuesAt(): number {
    const { head } = this;
    return head === null || head.argumentCount < 0 ? -1 : HEADER_BYTES + head.bytes.length;
  }

  protected override get valueCount(): number {
    return this.head?.argumentCount ?? 0;
  }

  protected override emptyEdits(): null {
    return null;
  }

  protected override fixed(key: FixedKey): string | undefined {
    const { head } = this;
    switch (key) {
      case 'interface':
        return head?.path;
      case 'method':
        return head?.method;
      case 'version':
        return head?.version;
      case 'dubbo-version':
        return head?.dubboVersion;
      case 'parameter-types':
        return head?.parameterTypes;
      case 'serialization':
        return serializationName(this.serialization);
    }
  }
}

/** An answer, from the upstream or (`local`) of the proxy itself. */
export class DubboResponse extends DubboMessage implements ResponseMessage {
  readonly flags = Flag.End;
  readonly status: number;
  /** Of status 20 in hessian2; -1: none that is known. */
  readonly tag: number;
  /** Its caller reads attachments. */
  readonly #attachable: boolean;

  constructor(
    context: MessageContext,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    local: boolean,
    attachable: boolean,
  ) {
    super(context, bytes[from + FLAGS_AT]! & SERIALIZATION_MASK, bytes, from, to, lent, local);
    this.status = bytes[from + STATUS_AT]!;
    this.#attachable = attachable;
    const tagged = this.status === ResponseStatus.OK && this.serialization === HESSIAN2 && to - from > HEADER_BYTES;
    const tag = tagged ? bytes[from + HEADER_BYTES]! - ZERO_INT : -1;
    this.tag = tag <= Tag.NullWithAttachments ? tag : -1;
  }

  /** An exception that the method threw has status 20 and is no success. */
  get outcome(): Outcome {
    const { status, tag } = this;
    const ok = status === ResponseStatus.OK && tag !== Tag.Exception && tag !== Tag.ExceptionWithAttachments;
    return ok ? SUCCESS : { code: status, ok: false };
  }

  override fork(): this {
    const { context, bytes, from, to, lent } = this;
    const fork = new DubboResponse(context, bytes, from, to, lent, this.local, this.#attachable);
    fork.edits = this.edits?.fork() ?? null;
    return fork as this;
  }

  protected override get valuesAt(): number {
    return this.tag >= Tag.ExceptionWithAttachments ? HEADER_BYTES + 1 : -1;
  }

  protected override get valueCount(): number {
    return this.tag === Tag.NullWithAttachments ? 0 : 1;
  }

  /** Tags 0–2 become 3–5 when the message is written, if the value ends where the frame does. */
  protected override emptyEdits(): AttachmentEdits | null {
    const { bytes, from, to, tag } = this;
    if (!this.#attachable || tag < 0 || tag >= Tag.ExceptionWithAttachments) return null;
    const { walker } = this.context;
    walker.start(bytes, from + HEADER_BYTES + 1, to);
    const isWhole = walker.skip(tag === Tag.Null ? 0 : 1) && walker.at === to;
    walker.stop();
    return isWhole ? AttachmentEdits.none(to - from) : null;
  }

  protected override fixed(key: FixedKey): string | undefined {
    return key === 'serialization' ? serializationName(this.serialization) : undefined;
  }
}

const SUCCESS: Outcome = Object.freeze({ code: ResponseStatus.OK, ok: true });
