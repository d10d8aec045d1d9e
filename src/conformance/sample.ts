/** Samples: messages of real peers, one by one, with what a codec must read in them. */
import type { Outcome } from '../metaprotocol/message.ts';

/** Exactly one message. */
export interface Sample {
  readonly name: string;
  readonly bytes: Buffer;
  /** What `get` must give. Attributes that are not named here are not looked at. */
  readonly attributes: Readonly<Record<string, string>>;
  /** Of a response. */
  readonly outcome?: Outcome;
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

export interface Samples {
  readonly exchanges: readonly Exchange[];
  readonly heartbeats: readonly HeartbeatSample[];
}
