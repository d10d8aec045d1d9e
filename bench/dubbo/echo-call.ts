/**
 * The one call of the Dubbo benchmark, `String echo(String text)` of `bench.Echo`, as Java Dubbo 2.7 writes it in hessian2, attachments included. The text
 * is ASCII: its first 16 characters name the caller and the call.
 */
import type { EchoProtocol } from '../echo-protocol.ts';

const headerBytes = 16;
const idLowAt = 8;
const lengthAt = 12;
const nameDigits = 8;

const head = strings('2.0.2', 'bench.Echo', '0.0.0', 'echo', 'Ljava/lang/String;');
const callAttachments = map('path', 'bench.Echo', 'interface', 'bench.Echo', 'version', '0.0.0', 'timeout', '1000');
const valueWithAttachments = Buffer.from([0x94]);
const replyAttachments = map('dubbo', '2.0.2');

export const dubboEcho: EchoProtocol = {
  frame: { headBytes: headerBytes, lengthAt },

  createCall(payloadBytes, caller) {
    const text = textLead(payloadBytes);
    const fill = Buffer.alloc(payloadBytes, 'meltemi ');
    const call = frame(0xc2, 0, head, text, fill, callAttachments);
    writeDigits(call, headerBytes + head.length + text.length, caller);
    return call;
  },

  stampCall(bytes, from, call) {
    bytes.writeUInt32BE(call, from + idLowAt);
    const textAt = from + headerBytes + head.length;
    writeDigits(bytes, textAt + leadBytes(bytes, textAt) + nameDigits, call);
  },

  replyTo(bytes, from, to) {
    const text = bytes.subarray(from + headerBytes + head.length, to - callAttachments.length);
    const reply = frame(0x02, 20, valueWithAttachments, text, replyAttachments);
    bytes.copy(reply, 4, from + 4, from + lengthAt);
    return reply;
  },

  stampReply(reply, call) {
    reply.writeUInt32BE(call, idLowAt);
    const textAt = headerBytes + valueWithAttachments.length;
    writeDigits(reply, textAt + leadBytes(reply, textAt) + nameDigits, call);
  },

  callNumber(bytes, from, to) {
    return to - from < headerBytes ? -1 : bytes.readUInt32BE(from + idLowAt);
  },
};

function frame(flags: number, status: number, ...body: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat([Buffer.from([0xda, 0xbb, flags, status]), Buffer.alloc(12), ...body]);
  bytes.writeUInt32BE(bytes.length - headerBytes, lengthAt);
  return bytes;
}

/** All short. */
function strings(...texts: readonly string[]): Buffer {
  return Buffer.concat(texts.map((text) => Buffer.from(`${String.fromCharCode(text.length)}${text}`, 'latin1')));
}

function map(...entries: readonly string[]): Buffer {
  return Buffer.concat([Buffer.from('H'), strings(...entries), Buffer.from('Z')]);
}

function textLead(length: number): Buffer {
  if (length < 1024) return Buffer.from([0x30 + (length >> 8), length & 0xff]);
  return Buffer.from([0x53, length >> 8, length & 0xff]);
}

function leadBytes(bytes: Buffer, at: number): number {
  return bytes[at] === 0x53 ? 3 : 2;
}

/** Eight hexadecimal digits. */
function writeDigits(bytes: Buffer, at: number, value: number): void {
  for (let digit = 0; digit < nameDigits; digit++) {
    const nibble = (value >>> (28 - 4 * digit)) & 0xf;
    bytes[at + digit] = nibble < 10 ? 0x30 + nibble : 0x57 + nibble;
  }
}
