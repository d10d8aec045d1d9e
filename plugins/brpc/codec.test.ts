import { fileURLToPath } from 'node:url';
import { type IdValue, readSamples, testCodec } from 'meltemi/conformance';
import { describe, it } from 'vitest';
import brpc from './codec.ts';
import { FieldWalker, varintField } from './field-walker.ts';
import { HEAD_BYTES, META_BYTES_AT, MetaTag } from './wire.ts';

const samples = await readSamples(fileURLToPath(new URL('samples', import.meta.url)));

const metaEndOf = (frame: Buffer) => HEAD_BYTES + frame.readUInt32BE(META_BYTES_AT);
const bodyOf = (frame: Buffer) => frame.subarray(metaEndOf(frame));

/** Goes to the correlation id, which every sample has. */
function idIn(frame: Buffer): FieldWalker {
  const walker = new FieldWalker();
  walker.start(frame, HEAD_BYTES, metaEndOf(frame));
  while (walker.next()) if (walker.tag === MetaTag.CorrelationId) return walker;
  throw new Error('no correlation id');
}

const idValue: IdValue = {
  bytes: 8,
  read(frame) {
    const { high, low } = idIn(frame);
    return (BigInt(high) << 32n) | BigInt(low);
  },
  write(frame, id) {
    const { at, end } = idIn(frame);
    const field = varintField(MetaTag.CorrelationId, Number(id >> 32n), Number(id & 0xffff_ffffn));
    const written = Buffer.concat([frame.subarray(0, at), field, frame.subarray(end)]);
    written.writeUInt32BE(frame.readUInt32BE(4) + field.length - (end - at), 4);
    written.writeUInt32BE(frame.readUInt32BE(8) + field.length - (end - at), 8);
    return written;
  },
};

describe('brpc', () => testCodec({ factory: brpc.codecs[0], samples, idValue, bodyOf }, it));
