/** How the frames of a protocol carry their ids: as its factory says, or where it names them in its fields. */
import type { CodecFactory, FrameField, FrameId } from '../metaprotocol/codec.ts';

/** null: nobody tells; `sample` is any message of the protocol. */
export function frameIdOf(factory: CodecFactory, sample: Buffer): FrameId | null {
  if (factory.frameId !== undefined) return factory.frameId;
  const [first] = placesIn(factory, sample);
  if (first === undefined) return null;
  return {
    bytes: first.bytes,
    read(frame) {
      const [{ at, bytes }] = placesIn(factory, frame) as [FrameField];
      return BigInt(`0x${frame.toString('hex', at, at + bytes)}`);
    },
    write(frame, id) {
      const copy = Buffer.from(frame);
      for (const { at, bytes } of placesIn(factory, frame)) {
        copy.write(id.toString(16).padStart(bytes * 2, '0'), at, bytes, 'hex');
      }
      return copy;
    },
  };
}

/** `response` under the id of what was sent for `request`, again and again. Where ids have a place it makes nothing new. */
export function answerer(factory: CodecFactory, request: Buffer, response: Buffer): (sent: Buffer) => Buffer {
  const frameId = frameIdOf(factory, request);
  if (frameId === null) return () => response;
  if (factory.frameId !== undefined) return (sent) => frameId.write(response, frameId.read(sent));
  const [{ at, bytes }] = placesIn(factory, request) as [FrameField];
  const places = placesIn(factory, response);
  const answer = Buffer.from(response);
  return (sent) => {
    for (const place of places) sent.copy(answer, place.at, at, at + bytes);
    return answer;
  };
}

function placesIn(factory: CodecFactory, frame: Buffer): readonly FrameField[] {
  return factory.fieldsOf?.(frame).filter(({ name }) => name === 'id') ?? [];
}
