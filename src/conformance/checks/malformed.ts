/** Malformed, truncated and oversize input: refused early, said clearly, and never the end of more than its connection. */
import { Flag } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { CheckFailure, expectSame, expectThat, fail } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { feed, feedBytewise, WIPED } from '../feed.ts';
import { Random } from '../random.ts';
import { attributesOf, writeBody } from '../received.ts';
import type { Exchange } from '../sample.ts';
import { type ClientBench, goOn, isWhole, type ServerBench, type Subject } from '../subject.ts';

/** Refused: an error, or a last request that the codec answers itself. */
function isRefused({ sink }: ServerBench | ClientBench): boolean {
  return sink.error !== null || sink.goneAway;
}

export const oversizeCheck: Check = {
  name: 'oversize',
  title: 'a frame over the limit is refused by its head, before its body is buffered',
  gate: ({ isOpaque }) => (isOpaque ? 'bytes without messages have no size' : null),
  negative({ factory }) {
    const { fixed, open } = factory.manifest.attributes;
    expectThat(fixed.length === 0 && open === null, 'a stream that opens before its first byte has attributes');
  },
  run(subject) {
    const option = limitOf(subject);
    for (const exchange of subject.exchanges.filter((one) => subject.routed(one))) {
      const { bytes } = exchange.request;
      const limit = Math.max(option.minimum, Math.floor(bytes.length / 2));
      // A sample as long as its own head cannot be over a limit that heads must fit in.
      if (limit >= bytes.length - 1) continue;
      const whole = subject.server({ [option.key]: limit });
      feed(whole.codec, bytes);
      if (!isRefused(whole)) continue;
      expectThat(
        whole.sink.heads.every(({ answer }) => answer !== null),
        `${exchange.name} over the limit was routed`,
      );
      const status = whole.sink.error;
      if (status !== null)
        expectSame(status.name, 'too_large', `status of ${exchange.name} over ${option.key} ${limit}`);
      const slow = subject.server({ [option.key]: limit });
      feedBytewise(slow.codec, bytes.subarray(0, -1));
      expectThat(isRefused(slow), `${exchange.name} over ${option.key} ${limit} was buffered up to its last byte`);
      return;
    }
    fail(`no sample request is refused with ${option.key} at half its size: make one longer, or the limit is not kept`);
  },
};

function limitOf({ factory }: Subject): { key: string; minimum: number } {
  const option = factory.manifest.options.find(({ key }) => key === 'frameLimitBytes');
  const other = factory.manifest.options.find(({ key, type }) => type === 'integer' && key.endsWith('LimitBytes'));
  const limit = option ?? other;
  if (limit === undefined) fail('no option ends in LimitBytes: limits are mandatory');
  return { key: limit.key, minimum: limit.minimum ?? 1 };
}

export const truncatedCheck: Check = {
  name: 'truncated',
  title: 'input that ends inside a message gives no message and is an error',
  gate: ({ answered }) =>
    answered.every(({ request, response }) => request.end === 'fin' && response.end === 'fin')
      ? 'only the end of a connection ends a message'
      : null,
  negative: expectEnds,
  run(subject) {
    for (const exchange of subject.exchanges.filter(({ request }) => request.end !== 'fin')) {
      const { bytes } = exchange.request;
      for (const length of prefixesOf(bytes.length)) {
        const bench = subject.server();
        feed(bench.codec, bytes.subarray(0, length));
        const what = `the first ${length} of ${bytes.length} bytes of ${exchange.name}`;
        const whole = () => bench.sink.messages.filter((one) => one.head.answer === null && isWhole(one)).length;
        expectSame(whole(), 0, `requests in ${what}`);
        const hasBegun = bench.sink.heads.length > 0;
        const { midHead } = bench.codec;
        if (midHead !== undefined && !isRefused(bench)) expectSame(midHead, !hasBegun, `midHead in ${what}`);
        if (!bench.sink.closed) bench.codec.peerEnded();
        expectSame(whole(), 0, `requests in ${what} and the end of the connection`);
        // Who has got a head is owed the end of its message, good or bad.
        const isTold = isRefused(bench) || bench.sink.messages.some(({ reset }) => reset !== null);
        const mayDrop = subject.dropsHalfRequests && !hasBegun;
        expectThat(isTold || mayDrop, `${what}: the end of the connection went unnoticed`);
      }
      expectSlowHeadRefused(subject, exchange);
    }
    for (const exchange of subject.answered.filter(({ response }) => response.end !== 'fin')) {
      const { message } = subject.request(exchange);
      for (const length of prefixesOf(exchange.response.bytes.length)) {
        const client = subject.asking(message);
        const answer = subject.withIdOf(exchange.response.bytes, client.sent.bytes);
        // Under a shorter id it is shorter.
        feed(client.codec, answer.subarray(0, Math.min(length, answer.length - 1)));
        const what = `the first ${length} of ${exchange.response.bytes.length} bytes of the response of ${exchange.name}`;
        const whole = () => client.sink.messages.filter(isWhole).length;
        expectSame(whole(), 0, `responses in ${what}`);
        if (!client.sink.closed) client.codec.peerEnded();
        expectSame(whole(), 0, `responses in ${what} and the end of the connection`);
        const isTold = client.sink.error !== null || client.sink.events.some(({ kind }) => kind === 'reset');
        expectThat(isTold, `${what}: the request that is owed it was neither reset nor failed`);
      }
    }
  },
};

/** A head that is too long in coming. */
function expectSlowHeadRefused(subject: Subject, exchange: Exchange): void {
  const { midHead } = subject.request(exchange).codec;
  if (midHead !== undefined) expectSame(midHead, false, `midHead behind ${exchange.name}`);
  const bench = subject.server();
  if (bench.codec.refuseHead === undefined) return;
  const what = `the first byte of ${exchange.name}`;
  feed(bench.codec, exchange.request.bytes.subarray(0, 1));
  bench.codec.refuseHead(Status.timeout);
  expectThat(isRefused(bench), `${what}: refuseHead() did not refuse it`);
  const isRouted = bench.sink.heads.some(({ answer }) => answer === null);
  expectThat(!isRouted, `${what}, refused, was routed`);
}

function prefixesOf(length: number): number[] {
  const step = Math.ceil(length / 200);
  return Array.from({ length: Math.ceil((length - 1) / step) }, (_, index) => 1 + index * step);
}

export const fuzzCheck: Check = {
  name: 'fuzz',
  title: 'random and mutated input never throws, hangs, or gives more than it holds',
  run(subject) {
    const random = new Random(subject.seed);
    const requests = subject.exchanges.map(({ request }) => request.bytes);
    const responses = subject.answered.map(({ response }) => response.bytes);
    for (let input = 0; input < subject.fuzzInputs; input++) {
      const isRequest = input % 2 === 0;
      const bytes =
        input % 5 === 0 ? random.bytes(random.below(120)) : mutated(random, isRequest ? requests : responses);
      try {
        if (isRequest) tryRequests(subject, random, bytes);
        else tryResponses(subject, random, bytes);
      } catch (error) {
        const text = error instanceof CheckFailure ? error.message : String((error as Error).stack ?? error);
        fail(
          `seed ${subject.seed}, input ${input}, ${isRequest ? 'request' : 'response'} ${bytes.toString('hex')}: ${text}`,
        );
      }
    }
  },
};

function mutated(random: Random, samples: readonly Buffer[]): Buffer {
  const bytes = Buffer.concat(
    Array.from({ length: 1 + random.below(3) }, () => samples[random.below(samples.length)]!),
  );
  for (let edits = random.below(5); edits > 0; edits--) {
    // Heads are where the meaning is: nearer bytes are hit more often.
    const at = random.below(1 + random.below(bytes.length));
    if (random.below(3) === 0) bytes[at] = [0x00, 0x7f, 0x80, 0xff][random.below(4)]!;
    else if (random.below(2) === 0) bytes[at] = random.below(256);
    else bytes[at] = bytes[at]! ^ (1 << random.below(8));
  }
  return bytes.subarray(0, random.below(8) === 0 ? random.below(bytes.length) : bytes.length);
}

function feedRandomly({ codec, sink }: ServerBench | ClientBench, random: Random, bytes: Buffer): void {
  // Some come in small pieces all the way.
  const mostBytes = random.below(4) === 0 ? 8 : bytes.length;
  for (let at = 0; at < bytes.length && !sink.closed; ) {
    const size = 1 + random.below(mostBytes);
    const chunk = Buffer.from(bytes.subarray(at, at + size));
    codec.decode(chunk, true);
    chunk.fill(WIPED);
    expectThat(sink.events.length <= 2 * at + 2 * size + 8, `${sink.events.length} events from ${at + size} bytes`);
    at += size;
  }
}

function tryRequests(subject: Subject, random: Random, bytes: Buffer): void {
  const server = subject.server();
  feedRandomly(server, random, bytes);
  // Half of them stay at what holds the connection.
  if (random.below(2) === 0) goOn(server);
  if (!server.sink.closed) server.codec.peerEnded();
  const last = server.sink.messages.at(-1);
  for (const message of server.sink.messages) {
    const { id, head } = message;
    attributesOf(head);
    if (message.trailers !== null) attributesOf(message.trailers);
    void head.replaySafe;
    head.fork().set('conformance', 'edited');
    if (head.answer !== null) {
      server.codec.encode(id, head.answer, head);
      continue;
    }
    if (message.reset === null) subject.sent(message);
    // Behind a Hold the others have got their answers.
    const isHeld = (head.flags & Flag.Hold) !== 0;
    if (message.reset !== null || (isHeld && message !== last)) continue;
    server.codec.encode(id, server.codec.reply(Status.timeout, head), head);
  }
}

function tryResponses(subject: Subject, random: Random, bytes: Buffer): void {
  const { answered } = subject;
  const server = subject.request(answered[random.below(answered.length)]!);
  const client = subject.asking(server.message);
  feedRandomly(client, random, bytes);
  if (!client.sink.closed) client.codec.peerEnded();
  for (const [index, response] of client.sink.messages.entries()) {
    attributesOf(response.head);
    void response.head.outcome;
    response.head.fork().set('conformance', 'edited');
    if (index !== 0) continue;
    server.codec.encode(server.message.id, response.head, server.head);
    writeBody(server.codec, server.message.id, response);
  }
}
