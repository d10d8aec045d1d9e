/** Bytes come as they like; what is read must not depend on it. */
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { decodeLent, WIPED } from '../feed.ts';
import { Line } from '../line.ts';
import { dataOf, shown } from '../received.ts';
import type { Exchange } from '../sample.ts';
import {
  type AnsweredExchange,
  type ClientBench,
  feedWire,
  goOn,
  type ServerBench,
  type Subject,
  sentBytesOf,
  wireOf,
} from '../subject.ts';

/** Every two-part split of a longer message would take long and find no more. */
const MOST_SPLITS = 600;

export const splitPoints: Check = {
  name: 'split-points',
  title: 'a message is the same at every split point and byte by byte',
  run(subject) {
    for (const exchange of subject.exchanges) {
      const wire = wireOf(exchange.request);
      const whole = shown(subject.request(exchange).message);
      for (const split of splitsOf(wire.bytes.length)) {
        const server = subject.server();
        feedWire(server, wire, split.sizes);
        expectSame(server.sink.messages.map(shown), [whole], `request of ${exchange.name}, ${split.where}`);
      }
    }
    for (const exchange of subject.answered) {
      const whole = shown(subject.response(exchange));
      const { message } = subject.request(exchange);
      const wire = wireOf(exchange.response);
      for (const split of splitsOf(wire.bytes.length)) {
        const client = subject.asking(message);
        feedWire(client, { ...wire, bytes: subject.withIdOf(wire.bytes, client.sent.bytes) }, split.sizes);
        expectSame(client.sink.messages.map(shown), [whole], `response of ${exchange.name}, ${split.where}`);
      }
    }
  },
};

interface Split {
  readonly where: string;
  readonly sizes: readonly number[] | 'bytewise';
}

function splitsOf(length: number): Split[] {
  const step = Math.ceil(length / MOST_SPLITS);
  const points = Array.from({ length: Math.ceil((length - 1) / step) }, (_, index) => 1 + index * step);
  return [
    ...points.map((at) => ({ where: `split at byte ${at}`, sizes: [at] })),
    { where: 'byte by byte', sizes: 'bytewise' },
  ];
}

export const manyInOneRead: Check = {
  name: 'many-in-one-read',
  title: 'many messages in one read are all read, in order',
  gate: ({ exchanges }) =>
    exchanges.every(({ request }) => request.end !== undefined) ? 'a request is alone on its connection' : null,
  negative: expectEnds,
  run(subject) {
    for (const exchange of subject.exchanges.filter((one) => subject.routed(one))) {
      const { bytes, end } = exchange.request;
      if (end === 'fin') continue;
      const count = end === 'close' ? 1 : 40;
      const server = subject.server();
      feedWire(server, { bytes: Buffer.concat(Array.from({ length: 40 }, () => bytes)), fin: false });
      goOn(server);
      const { error, messages, headIds, goneAway } = server.sink;
      expectThat(error === null, `40 × ${exchange.name} in one read: refused: ${error?.detail}`);
      expectSame(headIds.length, count, `requests in one read of 40 × ${exchange.name}`);
      const ids = Array.from({ length: count }, (_, index) => index + 1);
      expectSame(headIds, ids, 'downstream ids');
      expectThat(end !== 'close' || goneAway, `behind ${exchange.name} the server codec would read on`);
      const whole = shown(subject.request(exchange).message);
      const different = messages.findIndex((message) => shown(message) !== whole);
      expectSame(different, -1, `which of ${count} × ${exchange.name} reads differently`);
    }
  },
};

export const passThrough: Check = {
  name: 'pass-through',
  title:
    'unmodified messages go both ways byte for byte but for the id (streams in the form that samples tell), and raw is never written to',
  run(subject) {
    const { streaming } = subject.factory.manifest.capabilities;
    for (const exchange of subject.answered) {
      const { name } = exchange;
      const samples = [exchange.request, exchange.response];
      expectThat(streaming || samples.every(({ sent }) => sent === undefined), `${name}: whole messages have no -sent`);
      const { message, head } = subject.request(exchange);
      const before = head.raw === null ? null : Buffer.from(head.raw);
      const { upstream, caller } = subject.roundTrip(wireOf(exchange.request), exchange, 5);
      const [request, response] = samples.map((sample) => sentBytesOf(sample!)) as [Buffer, Buffer];
      expectBytes(upstream.bytes, subject.withIdOf(request, upstream.bytes), `request of ${name} upstream`);
      expectBytes(caller.bytes, response, `response of ${name} downstream`);
      subject.sent(message, 77);
      if (before !== null) expectBytes(head.raw!, before, `raw of ${name} after it was sent`);
      if (before !== null) expectBytes(before, exchange.request.bytes, `raw of ${name}`);
      if (exchange.request.sent !== undefined) expectCanonical(subject, exchange, request);
    }
  },
};

/** The other spelling of a message is the same message, and nothing of it changes any more. */
function expectCanonical(subject: Subject, exchange: AnsweredExchange, sent: Buffer): void {
  const what = `request of ${exchange.name} as sent upstream`;
  const again = subject.requestIn({ bytes: sent, fin: exchange.request.end === 'fin' }, what);
  expectBytes(dataOf(again.message), dataOf(subject.request(exchange).message), `data of the ${what}`);
  expectBytes(subject.sent(again.message).bytes, sent, `${what}, sent on once more`);
}

export const lentBytes: Check = {
  name: 'lent-bytes',
  title: 'messages can be sent on at once, and outlive their bytes after keep()',
  run(subject) {
    for (const exchange of subject.answered) {
      const { name } = exchange;
      const line = new Line(subject.factory, subject.options(), subject.request(exchange).head.connectionKey);
      // Sent on at once, a request is never kept: its bytes are gone when its answer is encoded.
      decodeLent(line.server, exchange.request.bytes);
      if (exchange.request.end === 'fin') line.server.peerEnded();
      const sent = Buffer.from(line.toUpstream.lend());
      const expected = subject.withIdOf(sentBytesOf(exchange.request), sent);
      expectBytes(sent, expected, `request of ${name}, forwarded while it was lent`);
      decodeLent(line.client, subject.withIdOf(exchange.response.bytes, sent));
      if (exchange.response.end === 'fin') line.client.peerEnded();
      const answer = sentBytesOf(exchange.response);
      expectBytes(line.toCaller.lend(), answer, `response of ${name}, forwarded while it was lent`);
    }
    for (const exchange of subject.exchanges) expectKept(subject, exchange);
    for (const exchange of subject.answered) {
      const client = subject.asking(subject.request(exchange).message);
      const bytes = subject.withIdOf(exchange.response.bytes, client.sent.bytes);
      expectSameAfterWipe(client, bytes, `response of ${exchange.name}`);
    }
  },
};

function expectKept(subject: Subject, { name, request }: Exchange): void {
  const server = subject.server();
  expectSameAfterWipe(server, request.bytes, `request of ${name}`);
  const [message] = server.sink.messages;
  // What only its connection ends is not whole yet.
  if (request.end === 'fin') return;
  const sent = subject.sent(message!);
  const expected = subject.withIdOf(sentBytesOf(request), sent.bytes);
  expectBytes(sent.bytes, expected, `request of ${name}, sent after keep()`);
}

/** The recording sink keeps each head. */
function expectSameAfterWipe({ codec, sink }: ServerBench | ClientBench, bytes: Buffer, what: string): void {
  const chunk = Buffer.from(bytes);
  codec.decode(chunk, true);
  const before = sink.messages.map(shown);
  chunk.fill(WIPED);
  for (const { head } of sink.messages) head.keep();
  expectSame(sink.messages.map(shown), before, `${what} after keep() and a second keep()`);
}
