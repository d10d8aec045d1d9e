/** What a protocol brings to the benchmark: one call, `echo(text)`, and its answer. Written by hand: the benchmark shares no code with what it measures. */
import type { FrameFormat } from './frame-splitter.ts';

export interface EchoProtocol {
  readonly frame: FrameFormat;
  /** A call with a text of `payloadBytes` that names its caller. */
  createCall(payloadBytes: number, caller: number): Buffer;
  /** Gives the call that begins at `from` its number: its id, and again in the text, where no proxy changes it. */
  stampCall(bytes: Buffer, from: number, call: number): void;
  /** A new answer to the call `bytes[from, to)`. */
  replyTo(bytes: Buffer, from: number, to: number): Buffer;
  /** As `stampCall`, for an answer. */
  stampReply(reply: Buffer, call: number): void;
  /** The number of the call that a frame answers, or -1 if it is too short to be one. */
  callNumber(bytes: Buffer, from: number, to: number): number;
}
