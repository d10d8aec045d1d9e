/** Many random inputs for a codec: seeded, wiped behind its back, and told when one of them fails. */
import { WIPED } from '../../src/conformance/feed.ts';
import { Random } from '../../src/conformance/random.ts';

const INPUTS = 50_000;

/** Adds up what `tryInput` gives for each input. */
export function fuzz(
  seed: number,
  inputOf: (random: Random, n: number) => Buffer,
  tryInput: (bytes: Buffer, random: Random, n: number) => number,
): number {
  const random = new Random(seed);
  let sum = 0;
  for (let n = 0; n < INPUTS; n++) {
    const bytes = inputOf(random, n);
    try {
      sum += tryInput(bytes, random, n);
    } catch (error) {
      throw new Error(`seed ${seed}, input ${n}: ${bytes.toString('hex')}`, { cause: error });
    }
  }
  return sum;
}

interface Side {
  readonly codec: { decode(chunk: Buffer, lent: boolean): void; peerEnded(): void; readonly parkedBytes: number };
  readonly sink: { readonly closed: boolean };
}

/** Lends the bytes in pieces, then ends. Throws where the codec parks more than the limit. */
export function decodeInPieces({ codec, sink }: Side, bytes: Buffer, random: Random, parkedLimit: number): void {
  for (let at = 0; at < bytes.length && !sink.closed; ) {
    const size = 1 + random.below(bytes.length);
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    codec.decode(chunk, true);
    chunk.fill(WIPED);
    const { parkedBytes } = codec;
    if (parkedBytes > parkedLimit) throw new Error(`${parkedBytes} bytes parked, expected ${parkedLimit} at most`);
    at += size;
  }
  if (!sink.closed) codec.peerEnded();
}
