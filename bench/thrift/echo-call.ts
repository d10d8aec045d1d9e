/**
 * The one call of the benchmark, `string echo(1: string text)`, in framed strict binary. Call and answer have the same length and differ in two
 * bytes, so the backend costs almost nothing.
 */
import type { EchoProtocol } from '../echo-protocol.ts';

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

export const thriftEcho: EchoProtocol = {
  frame: { headBytes: 4, lengthAt: 0 },

  createCall(payloadBytes, caller) {
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
  },

  stampCall(bytes, from, call) {
    bytes.writeUInt32BE(call, from + seqAt);
    bytes.writeUInt32BE(call, from + callAt);
  },

  replyTo(bytes, from, to) {
    const reply = Buffer.from(bytes.subarray(from, to));
    reply[typeAt] = replyType;
    reply.writeUInt16BE(successId, fieldIdAt);
    return reply;
  },

  stampReply(reply, call) {
    thriftEcho.stampCall(reply, 0, call);
  },

  callNumber(bytes, from, to) {
    return to - from < callAt + 4 ? -1 : bytes.readUInt32BE(from + seqAt);
  },
};
