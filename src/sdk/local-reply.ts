/** localReply: a ProxyStatus as an answer of the protocol. The head is the request's, so that versions and flags fit. */
import type { ProxyStatus } from '../metaprotocol/status.ts';
import { type FrameFormat, Kind } from './frame-format.ts';
import { type FramedRequest, FramedResponse } from './framed-message.ts';

export function localReply(format: FrameFormat, status: ProxyStatus, request: FramedRequest | null): FramedResponse {
  const { errors, codes } = format.declaration;
  const text = errors.body?.(status) ?? `${status.name}: ${status.detail}`;
  const partBytes = format.response.parts.reduce((sum, { field }) => sum + field.sizeOf(''), 0);
  const bodyAt = format.headBytes + partBytes + (format.open?.emptyBytes ?? 0);
  const body = upTo(format.largestBytes - bodyAt, typeof text === 'string' ? Buffer.from(text) : text);
  // Zeroed, as empty texts and maps are.
  const frame = Buffer.alloc(bodyAt + body.length);
  if (request === null) format.magic.copy(frame, 0);
  else request.bytes.copy(frame, 0, request.from, request.from + format.headBytes);
  frame.set(body, bodyAt);
  format.writeKind(frame, 0, Kind.Response);
  const code = status.code ?? codes[errors.of?.[status.name] ?? errors.otherwise]!;
  format.outcome.write(frame, format.outcomeAt, code);
  format.writeLength(frame, 0, frame.length);
  return new FramedResponse(format, frame, 0, frame.length, false, 0, 0, true);
}

/** A text that the length field cannot tell would make a frame whose end nobody finds. */
function upTo(most: number, body: Uint8Array): Uint8Array {
  if (body.length <= most) return body;
  let end = Math.max(0, most);
  while (end > 0 && (body[end]! & 0xc0) === 0x80) end--;
  return body.subarray(0, end);
}
