/**
 * The one call of the benchmark, `string echo(1: string text)`, in framed strict binary. Call and answer have the same length and differ in two
 * bytes, so the backend costs almost nothing. Written by hand: the benchmark shares no code with what it measures.
 */

const method = 'echo';
const typeAt = 7;
const seqAt = 12 + method.length;
const fieldIdAt = seqAt + 5;
const callerAt = fieldIdAt + 6;
const callAt = callerAt + 4;

const versionAndCall = 0x8001_0001;
const replyType = 2;
const stringType = 11;
/** The field id of a Thrift result's return value. */
const successId = 0;

/** Frames a text of `payloadBytes`, whose first eight bytes name the caller and the call. */
export function createCall(payloadBytes: number, caller: number): Buffer {
  const frame = Buffer.alloc(callerAt + payloadBytes + 1, 'meltemi ');
  frame.writeUInt32BE(frame.length - 4, 0);
  frame.writeUInt32BE(versionAndCall, 4);
  frame.writeUInt32BE(method.length, 8);
  frame.write(method, 12, 'latin1');
  frame.writeUInt8(stringType, seqAt + 4);
  frame.writeUInt16BE(1, fieldIdAt);
  frame.writeUInt32BE(payloadBytes, fieldIdAt + 2);
  frame.writeUInt32BE(caller, callerAt);
  frame.writeUInt8(0, frame.length - 1);
  return frame;
}

/** Gives a call its number: the sequence id, and again in the text, where no proxy changes it. */
export function stampCall(bytes: Buffer, from: number, call: number): void {
  bytes.writeUInt32BE(call, from + seqAt);
  bytes.writeUInt32BE(call, from + callAt);
}

/** Turns a call, or a whole run's template of one, into its answer. */
export function turnIntoReply(bytes: Buffer, from: number): void {
  bytes[from + typeAt] = replyType;
  bytes.writeUInt16BE(successId, from + fieldIdAt);
}

/** The number of the call that a frame answers, or -1 if it is too short to be one. */
export function sequenceId(bytes: Buffer, from: number, to: number): number {
  return to - from < callAt + 4 ? -1 : bytes.readUInt32BE(from + seqAt);
}
