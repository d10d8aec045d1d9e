/** Samples: messages of real peers, one by one, with what a codec must read in them. */
import type { Outcome } from '../metaprotocol/message.ts';

/** Exactly one message, with the informational heads in front of it. */
export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  /** What `get` must give. Attributes that are not named here are not looked at. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Of a response. */
  readonly outcome?: Outcome;
  /** Of a message that streams: all its data. */
  readonly data?: Buffer;
  /** Of a message that streams: what its trailers must give. */
  readonly trailers?: Readonly<Record<string, string>>;
  /** `close`: no further message may follow on its connection. `fin`: only the end of the connection ends the message itself. */
  readonly end?: 'close' | 'fin';
  /** What the other side gets of it, where that is another spelling of the same message. Whole messages have only one. */
  readonly sent?: Buffer;
}

/** A request and its answer, under the same id where the protocol has ids. */
export interface Exchange {
  readonly name: string;
  readonly request: Sample;
  /** null: oneway. */
  readonly response: Sample | null;
}

/** A sign of life that the codec answers itself, and the answer; null: it has none. */
export interface HeartbeatSample {
  readonly name: string;
  readonly bytes: Buffer;
  readonly answer: Buffer | null;
}

/** What must be known of a protocol to judge a codec of it, and is in none of its messages. */
export interface ProtocolTraits {
  /** Raw codec options, as from configuration. */
  readonly codecOptions?: Readonly<Record<string, unknown>>;
  /** Attributes that are worked out from another one and change with it: Redis's `hash-key` from `key`. */
  readonly followers?: Readonly<Record<string, readonly string[]>>;
  /** The protocol's servers drop half a request in front of a caller's end without a word, and so does the codec. */
  readonly dropsHalfRequests?: boolean;
}

export interface Samples {
  readonly exchanges: readonly Exchange[];
  readonly heartbeats: readonly HeartbeatSample[];
  readonly traits?: ProtocolTraits;
}
