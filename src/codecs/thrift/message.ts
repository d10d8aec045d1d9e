/** Thrift messages: whole frames with the offsets that the codec found. Attributes are read from the bytes when asked for. */
import {
  Flag,
  type Message,
  type Outcome,
  type RequestMessage,
  type ResponseMessage,
} from '../../metaprotocol/message.ts';
import { WholeFrame } from '../whole-frame.ts';
import { findHeader, HeaderCursor, HeaderEdits, readHeaders } from './header-block.ts';
import { type MethodName, type MethodNames, serviceBytes } from './method-names.ts';
import { outcomeOf } from './outcome.ts';
import {
  MESSAGE_TYPE_NAMES,
  type MessageHead,
  MessageType,
  type ThriftProtocol,
  type ThriftTransport,
} from './wire.ts';

/** Attributes of every message, which win over a THeader header of the same name. None can be changed. */
const FIXED_KEYS = ['service', 'method', 'message-type', 'transport', 'protocol'] as const;
type FixedKey = (typeof FIXED_KEYS)[number];

/** Lookups that walk the headers. Behind them are tables of many routes, for which thousands of headers are walked but once. */
const FEW_LOOKUPS = 16;

abstract class ThriftMessage extends WholeFrame implements Message, MessageHead {
  readonly family = 'thrift';
  readonly flags: number;
  readonly transport: ThriftTransport;
  readonly protocol: ThriftProtocol;
  readonly old: boolean;
  readonly type: number;
  readonly seqid: number;
  readonly headerSeqid: number;
  readonly innerAt: number;
  readonly infosAt: number;
  readonly seqAt: number;
  readonly seqWidth: number;
  readonly nameAt: number;
  readonly nameBytes: number;
  readonly bodyAt: number;
  /** THeader's headers, once somebody changed one. */
  edits: HeaderEdits | null = null;
  protected readonly names: MethodNames;
  #name: MethodName | null = null;
  #lookups = 0;
  #headers: ReadonlyMap<string, string> | null = null;

  /** `head`: what was read of `bytes[from, to)`, or of another message's bytes that this one shares. */
  constructor(
    head: MessageHead,
    names: MethodNames,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    local: boolean,
  ) {
    super(bytes, from, to, lent, local);
    this.flags = head.type === MessageType.Oneway ? Flag.End | Flag.Oneway : Flag.End;
    this.transport = head.transport;
    this.protocol = head.protocol;
    this.old = head.old;
    this.type = head.type;
    this.seqid = head.seqid;
    this.headerSeqid = head.headerSeqid;
    this.innerAt = head.innerAt;
    this.infosAt = head.infosAt;
    this.seqAt = head.seqAt;
    this.seqWidth = head.seqWidth;
    this.nameAt = head.nameAt;
    this.nameBytes = head.nameBytes;
    this.bodyAt = head.bodyAt;
    this.names = names;
  }

  /** The method's name, the service of a multiplexed call taken off. */
  get name(): MethodName {
    if (this.#name === null) {
      const at = this.from + this.nameAt;
      this.#name = this.names.lookup(this.bytes, at, at + this.nameBytes);
    }
    return this.#name;
  }

  /** The method's bytes as they came, which need not be UTF-8. */
  get methodBytes(): Buffer {
    const [at, end] = [this.from + this.nameAt, this.from + this.nameAt + this.nameBytes];
    return this.bytes.subarray(at + serviceBytes(this.bytes, at, end), end);
  }

  get(key: string): string | undefined {
    if (isFixed(key)) return this.#fixed(key);
    if (this.edits !== null) return this.edits.get(key);
    if (this.transport !== 'theader') return undefined;
    if (this.#lookups < FEW_LOOKUPS) {
      this.#lookups++;
      return findHeader(this.bytes, this.from + this.infosAt, this.from + this.innerAt, key);
    }
    this.#headers ??= readHeaders(this.bytes, this.from + this.infosAt, this.from + this.innerAt);
    return this.#headers.get(key);
  }

  entries(visit: (key: string, value: string) => void): void {
    for (const key of FIXED_KEYS) {
      const value = this.#fixed(key);
      if (value !== undefined) visit(key, value);
    }
    if (this.edits !== null) {
      this.edits.visit(visit);
      return;
    }
    if (this.transport !== 'theader') return;
    const { bytes } = this;
    const cursor = new HeaderCursor().start(bytes, this.from + this.infosAt, this.from + this.innerAt);
    while (cursor.next()) {
      const key = bytes.toString('utf8', cursor.keyAt, cursor.keyEnd);
      visit(key, bytes.toString('utf8', cursor.valueAt, cursor.valueEnd));
    }
  }

  /** Only headers of a THeader message can be set. */
  set(key: string, value: string): boolean {
    return this.transport === 'theader' && !isFixed(key) && this.#edit().set(key, value);
  }

  /** Headers are a map: there is one value of a key. */
  add(key: string, value: string): boolean {
    return this.set(key, value);
  }

  remove(key: string): boolean {
    if (isFixed(key)) return false;
    if (this.get(key) !== undefined) this.#edit().remove(key);
    return true;
  }

  abstract fork(): this;

  #edit(): HeaderEdits {
    this.edits ??= HeaderEdits.read(this.bytes, this.from + this.infosAt, this.from + this.innerAt);
    return this.edits;
  }

  #fixed(key: FixedKey): string | undefined {
    switch (key) {
      case 'service':
        // Absent, so that routes can ask whether a call is multiplexed.
        return this.name.service || undefined;
      case 'method':
        return this.name.method;
      case 'message-type':
        return MESSAGE_TYPE_NAMES[this.type] ?? '';
      case 'transport':
        return this.transport;
      case 'protocol':
        return this.protocol;
    }
  }
}

function isFixed(key: string): key is FixedKey {
  return key === 'method' || key === 'service' || key === 'message-type' || key === 'transport' || key === 'protocol';
}

/** A call or a oneway call, or what stands for one that could not be read (then `answer` is set and `raw` is null). */
export class ThriftRequest extends ThriftMessage implements RequestMessage {
  /** Thrift does not say which methods may be called twice. */
  readonly replaySafe = false;
  readonly answer: ThriftResponse | null;

  constructor(
    head: MessageHead,
    names: MethodNames,
    bytes: Buffer,
    from: number,
    to: number,
    lent: boolean,
    answer: ThriftResponse | null,
  ) {
    super(head, names, bytes, from, to, lent, answer !== null);
    this.answer = answer;
  }

  /** Servers settle on one transport and protocol for a connection, so each combination has connections of its own. */
  get connectionKey(): string {
    if (this.transport === 'framed') return this.protocol === 'binary' ? '' : 'framed/compact';
    if (this.transport === 'unframed') return this.protocol === 'binary' ? 'unframed/binary' : 'unframed/compact';
    return this.protocol === 'binary' ? 'theader/binary' : 'theader/compact';
  }

  override fork(): this {
    const fork = new ThriftRequest(this, this.names, this.bytes, this.from, this.to, this.lent, this.answer);
    fork.edits = this.edits?.fork() ?? null;
    return fork as this;
  }
}

/** A reply or an exception, from the upstream or (`local`) of the proxy itself. */
export class ThriftResponse extends ThriftMessage implements ResponseMessage {
  #outcome: Outcome | null = null;

  /** Reply: code 0, or the id of the declared exception. Exception: the TApplicationException's type. */
  get outcome(): Outcome {
    this.#outcome ??= outcomeOf(this.type, this.protocol, this.bytes, this.from + this.bodyAt, this.to);
    return this.#outcome;
  }

  override fork(): this {
    const fork = new ThriftResponse(this, this.names, this.bytes, this.from, this.to, this.lent, this.local);
    fork.edits = this.edits?.fork() ?? null;
    return fork as this;
  }
}
