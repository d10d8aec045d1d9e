import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ClientRig, describeHead, ServerRig } from '../../../test/harness/dubbo/rigs.ts';
import { stockCall } from '../../../test/harness/dubbo/stock-dubbo.ts';
import { decodeInPieces, fuzz } from '../../../test/harness/fuzz.ts';
import { feed } from '../../conformance/feed.ts';
import type { Random } from '../../conformance/random.ts';
import { Status } from '../../metaprotocol/status.ts';
import { JAVA_FRAMES } from './fixtures/java-frames.ts';

const FRAME_LIMIT = 4_096;
const OPTIONS = [
  { frameLimitBytes: FRAME_LIMIT },
  { frameLimitBytes: FRAME_LIMIT, checkArguments: false },
  { frameLimitBytes: FRAME_LIMIT, nestingLimit: 3, valueLimit: 20, classLimit: 2 },
];
const SAMPLES = JAVA_FRAMES.filter(({ bytes }) => bytes.length < 600).map(({ bytes }) => bytes);

function mutated(random: Random): Buffer {
  const count = 1 + random.below(2);
  const bytes = Buffer.concat(Array.from({ length: count }, () => SAMPLES[random.below(SAMPLES.length)]!));
  for (let edits = random.below(5); edits > 0; edits--) {
    // Mostly behind the header, where the values are.
    const at = random.below(6) === 0 ? random.below(16) : random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = [0x00, 0x43, 0x48, 0x4d, 0x57, 0x58, 0x5a, 0x7f, 0x80, 0xff][random.below(10)]!;
        break;
      case 2:
        bytes.copyWithin(at, random.below(bytes.length));
        break;
      case 3:
        bytes[at] = bytes[at]! ^ (1 << random.below(8));
        break;
    }
  }
  return bytes.subarray(0, random.below(8) === 0 ? random.below(bytes.length) : bytes.length);
}

/** Any bytes where the arguments are, in a good frame; else any bytes. */
function noise(random: Random): Buffer {
  const body = Buffer.alloc(random.below(60));
  for (let at = 0; at < body.length; at++) body[at] = random.below(256);
  if (random.below(4) === 0) return body;
  const bytes = Buffer.concat([HEAD, body]);
  bytes.writeInt32BE(bytes.length - 16, 12);
  return bytes;
}

const HEAD = stockCall({ args: [], types: 'II', attachments: null }).subarray(0, -1);

function tryInput(bytes: Buffer, random: Random): number {
  const options = OPTIONS[random.below(OPTIONS.length)];
  const server = new ServerRig(options);
  const client = new ClientRig(options);
  for (const side of [server, client]) decodeInPieces(side, bytes, random, FRAME_LIMIT + 16 + 65_536);
  for (const head of server.sink.heads) {
    describeHead(head);
    const written = head.set('k', 'v');
    head.remove('tier');
    server.codec.encode(1, head.answer ?? server.codec.reply(Status.timeout), head);
    if (head.answer !== null) continue;
    const upstream = new ClientRig(options);
    upstream.codec.encode(70_000, head);
    if (written) expectCarries(upstream.out.take(), options);
  }
  for (const head of client.sink.heads) {
    expect(head.outcome).not.toBeNull();
    describeHead(head);
    head.set('k', 'v');
  }
  return server.sink.heads.filter((head) => head.answer === null).length;
}

/** What was edited is read again by another codec. */
function expectCarries(bytes: Buffer, options: unknown): void {
  const { sink, codec } = new ServerRig(options);
  feed(codec, bytes);
  const [head] = sink.heads;
  if (head?.answer === null) expect(head.get('k')).toBe('v');
}

describe('200,000 random and mutated inputs', () => {
  it.each([1, 2, 3, 4])('do not crash, hang or park too much (seed %i)', (seed) => {
    const heads = fuzz(seed, (random, n) => (n % 2 === 0 ? mutated(random) : noise(random)), tryInput);
    // The mutations must leave enough intact to get past the heads.
    expect(heads).toBeGreaterThan(15_000);
  });
});

describe('any split of any calls', () => {
  const calls = fc.array(
    fc.record({
      id: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      oneway: fc.boolean(),
      path: fc.stringMatching(/^[a-z.]{1,40}$/),
      method: fc.string({ unit: 'binary', maxLength: 40 }),
      args: fc.array(fc.oneof(fc.string({ maxLength: 300 }), fc.integer(), fc.boolean(), fc.constant(null)), {
        maxLength: 4,
      }),
      attachments: fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string({ unit: 'binary', maxLength: 40 }), {
        maxKeys: 4,
      }),
    }),
    { minLength: 1, maxLength: 8 },
  );

  it('gives the same requests', () => {
    fc.assert(
      fc.property(calls, fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }), (messages, sizes) => {
        const bytes = messages.map(stockCall);
        const whole = new ServerRig();
        const cut = new ServerRig();
        feed(whole.codec, Buffer.concat(bytes));
        feed(cut.codec, Buffer.concat(bytes), sizes);
        expect(whole.sink.heads.map((head) => head.raw)).toEqual(bytes);
        expect(cut.sink.heads.map(describeHead)).toEqual(whole.sink.heads.map(describeHead));
        for (const [at, message] of messages.entries()) {
          const head = whole.sink.heads[at]!;
          expect(head.get('method')).toBe(message.method);
          for (const [key, value] of Object.entries(message.attachments)) {
            if (!['method', 'interface', 'version', 'serialization'].includes(key)) expect(head.get(key)).toBe(value);
          }
          expect((BigInt(head.idHigh) << 32n) | BigInt(head.idLow >>> 0)).toBe(message.id);
        }
      }),
      { numRuns: 200 },
    );
  });
});
