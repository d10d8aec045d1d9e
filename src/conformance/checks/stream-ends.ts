/** How messages that stream end, and what comes of a connection then: early answers, trailers, tunnels. */
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag, type Message } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { decodeLent, feed } from '../feed.ts';
import { Line } from '../line.ts';
import { Random } from '../random.ts';
import { attributesOf, type Received, shown } from '../received.ts';
import { DIRECTIONS, piece, stretch, stretchRequest } from '../stretch.ts';
import { type AnsweredExchange, answerWith, feedWire, goOn, type Subject, wireOf } from '../subject.ts';
import { expectWholeMessages, wholeMessages } from './bodies.ts';

export const earlyAnswerCheck: Check = {
  name: 'early-answer',
  title: 'an answer that ends before its request is delivered whole, and what is left of the request harms nobody',
  gate: (subject) =>
    wholeMessages(subject) ?? (subject.isOpaque ? 'each direction goes on when the other has ended' : null),
  negative(subject) {
    if (!subject.isOpaque) expectWholeMessages(subject);
  },
  run(subject) {
    expectEarlyAnswerUpstream(subject);
    expectEarlyAnswerDownstream(subject);
  },
};

function expectEarlyAnswerUpstream(subject: Subject): void {
  const asking = stretchRequest(subject);
  const { exchange, codec, sink, id } = asking;
  const what = `early response of ${exchange.name}`;
  feedWire(asking, wireOf(exchange.response));
  const [answer] = sink.messages;
  expectThat(answer?.ended === true, `${what}: not read to its end`);
  expectSame(shown(answer), shown(subject.response(exchange)), what);
  const given = codec.reset(id, Status.no_error);
  expectThat(given !== Reset.Owed, `${what}: reset of its request says that an answer is owed`);
  if (subject.upstreamStreams > 1) return;
  // The core looks for a connection for the next request as soon as the answer has ended.
  const last = sink.events.length - 1;
  const away = sink.events.findIndex(({ kind }) => kind === 'go-away');
  expectThat(away !== -1 && away < last, `${what}: no onGoAway before it ends, so its connection would be used again`);
}

function expectEarlyAnswerDownstream(subject: Subject): void {
  const asking = stretchRequest(subject);
  const { exchange, request } = asking;
  const what = `early response of ${exchange.name}`;
  const { codec, sink, out } = subject.server();
  feed(codec, Buffer.concat([asking.head, piece(asking, Buffer.from('the beginning'))]));
  const [begun] = sink.messages;
  expectThat(begun !== undefined && !begun.ended, `request of ${exchange.name}, stretched: not begun`);
  answerWith({ codec, sink, out, message: begun, head: begun.head }, subject.response(exchange));
  const given = codec.reset(begun.id, Status.no_error);
  feedWire(asking, { bytes: out.take(), fin: given === Reset.Close });
  const [answer] = asking.sink.messages;
  expectThat(answer?.ended === true, `${what}: its caller does not get all of it`);
  const rest = Buffer.concat([piece(asking, Buffer.from('the rest')), subject.sent(request).bytes]);
  const before = sink.messages.length;
  if (!sink.closed) feed(codec, rest);
  codec.resume();
  const isClosing = given === Reset.Close || sink.closed;
  const more = sink.messages.length - before;
  expectThat(more === 0 || !isClosing, `${what}: ${more} further requests are read out of the rest of its request`);
}

export const trailersCheck: Check = {
  name: 'trailers',
  title: 'trailers can be read, changed and removed, and nothing else of them changes',
  gate: (subject) => wholeMessages(subject) ?? (hasTrailers(subject) ? null : 'the protocol has no trailers'),
  negative(subject) {
    if (wholeMessages(subject) !== null) expectWholeMessages(subject);
    else expectNoTrailers(subject);
  },
  run(subject) {
    for (const exchange of subject.answered) {
      const { message } = subject.request(exchange);
      expectTrailers(message, `request of ${exchange.name}`, (edited) => {
        return subject.requestIn(subject.sent(edited), `request of ${exchange.name} with other trailers`).message;
      });
      expectTrailers(subject.response(exchange), `response of ${exchange.name}`, (edited) => {
        const wire = subject.delivered(subject.request(exchange), edited);
        return subject.responseIn(wire, exchange, `response of ${exchange.name} with other trailers`);
      });
    }
  },
};

function hasTrailers(subject: Subject): boolean {
  return subject.answered.some((exchange) => {
    return subject.request(exchange).message.trailers !== null || subject.response(exchange).trailers !== null;
  });
}

/** A codec that can write them is judged by samples that have some. */
function expectNoTrailers(subject: Subject): void {
  for (const direction of DIRECTIONS) {
    const { codec, id, exchange } = stretch(subject, direction);
    let refused = false;
    try {
      codec.trailers(id, { outcome: null, get: () => undefined, entries() {}, set: () => false, remove: () => true });
    } catch {
      refused = true;
    }
    expectThat(
      refused,
      `${direction} of ${exchange.name}: the codec writes trailers, but no message of the samples has any`,
    );
  }
}

const KEY = 'x-conformance';

/** `passed`: through the codec and back. */
function expectTrailers<M extends Message>(
  message: Received<M>,
  what: string,
  passed: (message: Received<M>) => Received<M>,
): void {
  const { trailers } = message;
  if (trailers === null) return;
  const before = attributesOf(trailers);
  for (const [key, value] of before) expectSame(trailers.get(key), value, `${what}: get of trailer ${key}`);
  expectSame(trailers.get(KEY), undefined, `${what}: get of a trailer that is not there`);
  expectSame(trailers.set(KEY, 'changed'), true, `${what}: set of a trailer`);
  const edited = passed(message);
  const seen = edited.trailers === null ? null : attributesOf(edited.trailers);
  expectSame(seen, [...before, [KEY, 'changed']], `${what}: trailers that the next codec reads`);
  expectSame(trailers.remove(KEY), true, `${what}: remove of a trailer`);
  const restored = passed(message);
  expectSame(restored.trailers && attributesOf(restored.trailers), before, `${what}: trailers after it was undone`);
}

export const tunnelCheck: Check = {
  name: 'tunnel',
  title: 'a tunnel passes any bytes as they are, and its halves end one by one; one refused is not read on',
  gate: (subject) =>
    wholeMessages(subject) ?? (tunnelsOf(subject).length === 0 ? 'no request of the samples asks for a tunnel' : null),
  negative(subject) {
    if (wholeMessages(subject) !== null) expectWholeMessages(subject);
  },
  run(subject) {
    for (const exchange of tunnelsOf(subject)) {
      for (const first of ['caller', 'upstream'] as const) expectHalves(subject, exchange, first);
      if (!subject.isOpaque) expectRefused(subject, exchange);
    }
  },
};

function tunnelsOf(subject: Subject): readonly AnsweredExchange[] {
  if (subject.isOpaque) return subject.answered;
  return subject.answered.filter((exchange) => (subject.request(exchange).head.flags & Flag.Tunnel) !== 0);
}

function expectHalves(subject: Subject, exchange: AnsweredExchange, first: 'caller' | 'upstream'): void {
  const line = new Line(subject.factory, subject.options(), subject.request(exchange).head.connectionKey);
  const halves = {
    caller: { codec: line.server, exit: line.toUpstream, name: `caller of ${exchange.name}` },
    upstream: { codec: line.client, exit: line.toCaller, name: `upstream of ${exchange.name}` },
  };
  decodeLent(line.server, exchange.request.bytes);
  decodeLent(line.client, exchange.response.bytes);
  // What looks like a message is not one here.
  const bytes = Buffer.concat([exchange.request.bytes, new Random(subject.seed).bytes(300), exchange.response.bytes]);
  const pass = ({ codec, exit, name }: (typeof halves)['caller' | 'upstream']) => {
    exit.lend();
    decodeLent(codec, bytes);
    expectBytes(exit.lend(), bytes, `bytes of the ${name} through the tunnel`);
  };
  const [one, other] = first === 'caller' ? [halves.caller, halves.upstream] : [halves.upstream, halves.caller];
  pass(one);
  pass(other);
  one.codec.peerEnded();
  expectThat(one.exit.ended, `the ${one.name} ended, and the other side was not told`);
  expectThat(!other.exit.ended, `the ${one.name} ended, and so did the half of the ${other.name}`);
  pass(other);
  other.codec.peerEnded();
  expectThat(other.exit.ended, `the ${other.name} ended too, and the other side was not told`);
}

/** What a caller sent into a tunnel that it did not get are no requests. */
function expectRefused(subject: Subject, exchange: AnsweredExchange): void {
  const what = `refused ${exchange.name}`;
  const server = subject.server();
  feed(server.codec, Buffer.concat([exchange.request.bytes, exchange.request.bytes]));
  expectSame(server.sink.messages.length, 1, `requests before the answer to ${exchange.name}`);
  goOn(server);
  expectSame(server.sink.messages.length, 1, `requests behind a ${what}`);
  expectThat(server.sink.goneAway, `${what}: no onGoAway, though bytes lie behind it`);
}
