import thrift from 'thrift';
import { describe, expect, it } from 'vitest';
import { createCall, sequenceId, stampCall, turnIntoReply } from './echo-call.ts';

/** Reads a frame with npm's thrift: name, type, id and the one string field. */
function readWithStockThrift(frame: Buffer) {
  let read: unknown;
  const receive = thrift.TFramedTransport.receiver((transport) => {
    const protocol = new thrift.TBinaryProtocol(transport);
    const { fname, mtype, rseqid } = protocol.readMessageBegin();
    const { fid, ftype } = protocol.readFieldBegin();
    const text = protocol.readString();
    const stop = protocol.readFieldBegin().ftype;
    read = { fname, mtype, rseqid, fid, ftype, textBytes: text.length, stop };
  });
  receive(frame);
  return read;
}

describe('the echo call', () => {
  it('is read as a call by a stock client library, and as a reply once answered', () => {
    const frame = createCall(100, 7);
    stampCall(frame, 0, 42);
    const { CALL, REPLY } = thrift.Thrift.MessageType;
    const { STRING, STOP } = thrift.Thrift.Type;
    const common = { fname: 'echo', rseqid: 42, ftype: STRING, textBytes: 100, stop: STOP };
    expect(readWithStockThrift(frame)).toEqual({ ...common, mtype: CALL, fid: 1 });
    turnIntoReply(frame, 0);
    expect(readWithStockThrift(frame)).toEqual({ ...common, mtype: REPLY, fid: 0 });
  });

  it('names its number', () => {
    const frame = createCall(100, 0);
    stampCall(frame, 0, 0xfffffff0);
    expect(sequenceId(frame, 0, frame.length)).toBe(0xfffffff0);
    expect(sequenceId(frame, 0, 10)).toBe(-1);
  });
});
