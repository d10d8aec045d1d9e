/** TcpMessage: the head that opaque bytes do not have: nothing to read, nothing to change. */
import { Flag, type RequestMessage, type ResponseMessage } from '../../metaprotocol/message.ts';

export class TcpMessage implements RequestMessage, ResponseMessage {
  readonly family = 'tcp';
  readonly raw = null;
  readonly connectionKey = '';
  readonly answer = null;
  readonly outcome = null;
  readonly flags: number;

  constructor(flags: number) {
    this.flags = flags;
  }

  /** Bytes of a connection are never sent twice but before any left the process. */
  get replaySafe(): boolean {
    return false;
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
    return new TcpMessage(this.flags) as this;
  }
}

/** In place of a local reply: opaque bytes have no way to say an error, so that the core resets the connection. */
export const NO_ANSWER = new TcpMessage(Flag.End);
