import thrift from 'thrift';
import { describe, expect, it } from 'vitest';
import { thriftEcho } from './echo-call.ts';

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
    const frame = thriftEcho.createCall(100, 7);
    thriftEcho.stampCall(frame, 0, 42);
    const { CALL, REPLY } = thrift.Thrift.MessageType;
    const { STRING, STOP } = thrift.Thrift.Type;
    const common = { fname: 'echo', rseqid: 42, ftype: STRING, textBytes: 100, stop: STOP };
    expect(readWithStockThrift(frame)).toEqual({ ...common, mtype: CALL, fid: 1 });
    const reply = thriftEcho.replyTo(frame, 0, frame.length);
    expect(readWithStockThrift(reply)).toEqual({ ...common, mtype: REPLY, fid: 0 });
  });

  it('names its number', () => {
    const frame = thriftEcho.createCall(100, 0);
    thriftEcho.stampCall(frame, 0, 0xfffffff0);
    expect(thriftEcho.callNumber(frame, 0, frame.length)).toBe(0xfffffff0);
    expect(thriftEcho.callNumber(frame, 0, 10)).toBe(-1);
  });
});
