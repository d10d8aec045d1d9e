import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeInPieces, fuzz } from '../../../test/harness/fuzz.ts';
import { ClientRig, describeHead, ServerRig } from '../../../test/harness/thrift/rigs.ts';
import { writeStock } from '../../../test/harness/thrift/stock-thrift.ts';
import { feed } from '../../conformance/feed.ts';
import type { Random } from '../../conformance/random.ts';
import { PYTHON_MESSAGES } from './fixtures/python-messages.ts';

const FRAME_LIMIT = 4_096;
const OPTIONS = [
  { frameLimitBytes: FRAME_LIMIT },
  { frameLimitBytes: FRAME_LIMIT, protocol: 'binary', oldBinary: true },
  { frameLimitBytes: FRAME_LIMIT, transport: 'unframed' },
  { frameLimitBytes: FRAME_LIMIT, transport: 'framed', protocol: 'compact' },
];

function mutated(random: Random): Buffer {
  const messages = Array.from(
    { length: 1 + random.below(3) },
    () => PYTHON_MESSAGES[random.below(PYTHON_MESSAGES.length)]!.bytes,
  );
  const bytes = Buffer.concat(messages);
  for (let edits = random.below(6); edits > 0; edits--) {
    const at = random.below(Math.min(bytes.length, 1 + random.below(bytes.length)));
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at] = [0x00, 0x7f, 0x80, 0xff][random.below(4)]!;
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

function noise(random: Random): Buffer {
  const bytes = Buffer.alloc(random.below(80));
  for (let at = 0; at < bytes.length; at++) bytes[at] = random.below(256);
  // Most noise would be refused at once: give some of it a start that is not.
  const start = ['', '', '80010001', '8221', '000000408001', '000000408241', '000000400fff'][random.below(7)]!;
  bytes.write(start, 0, 'hex');
  return bytes;
}

function tryInput(bytes: Buffer, random: Random): number {
  const options = OPTIONS[random.below(OPTIONS.length)];
  const server = new ServerRig(options);
  const client = new ClientRig(options);
  for (const side of [server, client]) decodeInPieces(side, bytes, random, FRAME_LIMIT + 4 + 65_536);
  for (const head of server.sink.heads) {
    describeHead(head);
    if (head.transport === 'theader') head.set('k', 'v');
    const answer =
      head.answer ??
      server.codec.reply({ name: 'timeout', source: 'local', retryable: false, detail: '', code: null }, head);
    server.codec.encode(1, answer, head);
    if (head.answer === null) new ClientRig(options).codec.encode(70_000, head);
  }
  for (const head of client.sink.heads) expect(head.outcome).not.toBeNull();
  return server.sink.heads.length;
}

describe('200,000 random and mutated inputs', () => {
  it.each([1, 2, 3, 4])('do not crash, hang or park too much (seed %i)', (seed) => {
    const heads = fuzz(seed, (random, n) => (n % 2 === 0 ? mutated(random) : noise(random)), tryInput);
    // The mutations must leave enough intact to get past the heads.
    expect(heads).toBeGreaterThan(20_000);
  });
});

describe('any split of any calls', () => {
  const calls = fc.array(
    fc.record({
      transport: fc.constantFrom('framed' as const, 'theader' as const),
      protocol: fc.constantFrom('binary' as const, 'compact' as const),
      name: fc.stringMatching(/^([A-Za-z]{1,9}:)?[a-z_]{1,20}$/),
      type: fc.constantFrom(1, 4),
      seqid: fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff }),
      argument: fc.string({ maxLength: 300 }),
      headers: fc.dictionary(fc.stringMatching(/^[a-z]{1,9}$/), fc.string({ maxLength: 40 }), { maxKeys: 4 }),
    }),
    { minLength: 1, maxLength: 8 },
  );

  it.each(['prefixed', 'unframed'] as const)('gives the same requests (%s)', (kind) => {
    fc.assert(
      fc.property(calls, fc.array(fc.integer({ min: 1, max: 400 }), { maxLength: 40 }), (messages, sizes) => {
        const bytes = messages.map((message) =>
          writeStock(kind === 'unframed' ? { ...message, transport: kind } : message),
        );
        const whole = new ServerRig();
        const cut = new ServerRig();
        feed(whole.codec, Buffer.concat(bytes));
        feed(cut.codec, Buffer.concat(bytes), sizes);
        expect(whole.sink.heads.map((head) => head.raw)).toEqual(bytes);
        expect(cut.sink.heads.map(describeHead)).toEqual(whole.sink.heads.map(describeHead));
        for (const [at, message] of messages.entries()) {
          const head = whole.sink.heads[at]!;
          const name = head.get('service') === undefined ? '' : `${head.get('service')}:`;
          expect(`${name}${head.get('method')}`).toBe(message.name);
          expect(head.seqid).toBe(message.seqid);
        }
      }),
      { numRuns: 200 },
    );
  });
});
