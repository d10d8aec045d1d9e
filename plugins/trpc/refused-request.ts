/** Requests of which only the fixed head can be trusted: they are answered here, have no attributes and go nowhere. */
import { Flag, type Message, type Outcome, type RequestMessage, type ResponseMessage } from 'meltemi/codec';
import { readUint32, STREAM_ID_AT, VERSION_AT } from './wire.ts';

/** No attributes, no edits. `raw` is the fixed head, or the whole of an answer. */
abstract class BareMessage implements Message {
  readonly family = 'trpc';
  readonly flags = Flag.End;
  readonly raw: Buffer;

  constructor(raw: Buffer) {
    this.raw = raw;
  }

  keep(): void {}

  get(): undefined {
    return undefined;
  }

  entries(): void {}

  set(): boolean {
    return false;
  }

  add(): boolean {
    return false;
  }

  remove(): boolean {
    return true;
  }

  fork(): this {
    return this;
  }
}

export class RefusedRequest extends BareMessage implements RequestMessage {
  readonly connectionKey = '';
  readonly replaySafe = false;
  readonly answer: ResponseMessage;

  /** `head`: a copy of the fixed head. */
  constructor(head: Buffer, answer: ResponseMessage) {
    super(head);
    this.answer = answer;
  }

  /** What the fixed head says: from version 1 on it is the request's. */
  get id(): number {
    return this.streamId;
  }

  get streamId(): number {
    return readUint32(this.raw, STREAM_ID_AT);
  }

  get version(): number {
    return this.raw[VERSION_AT]!;
  }
}

/** The answer that opens no stream; it goes out as it is. */
export class StreamRefusal extends BareMessage implements ResponseMessage {
  readonly outcome: Outcome;

  constructor(frame: Buffer, code: number) {
    super(frame);
    this.outcome = { code, ok: false };
  }
}
