import { describe, expect, it } from 'vitest';
import { PYTHON_MESSAGES } from './fixtures/python-messages.ts';
import { frameId } from './frame-id.ts';

describe('the id of a Thrift frame', () => {
  it('is what Python wrote, in all transports and protocols', () => {
    for (const { bytes, seqid } of PYTHON_MESSAGES) expect(BigInt.asIntN(32, frameId.read(bytes))).toBe(BigInt(seqid));
  });

  it('is changed and changed back, whatever its size', () => {
    for (const { bytes } of PYTHON_MESSAGES) {
      for (const id of [0n, 127n, 128n, 0x7fff_ffffn, 0xffff_fffbn]) {
        const written = frameId.write(bytes, id);
        expect(frameId.read(Buffer.concat([written, bytes]))).toBe(id);
        expect(frameId.write(written, frameId.read(bytes)).equals(bytes)).toBe(true);
      }
    }
  });
});
