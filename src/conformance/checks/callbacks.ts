/** Callbacks: codecs are called back from inside what they call, and the connection may be gone by then. */
import { Flag, type Message } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectSame, expectThat } from '../expect.ts';
import { decodeLent, feed } from '../feed.ts';
import { shown, writeBody } from '../received.ts';
import type { SinkEvent } from '../recording-sink.ts';
import type { Exchange } from '../sample.ts';
import {
  type AnsweredExchange,
  answerWith,
  type ClientBench,
  feedWire,
  type ServerBench,
  type Subject,
} from '../subject.ts';

function routedExchanges(subject: Subject) {
  return subject.exchanges.filter((exchange) => subject.routed(exchange));
}

/** Events at which a sink is closed: a longer message has no others. */
const MOST_EVENTS = 40;

export const closeInCallback: Check = {
  name: 'close-in-callback',
  title: 'nothing is emitted into a sink that closed inside a call',
  run(subject) {
    for (const exchange of routedExchanges(subject)) closeAtEachRequestEvent(subject, exchange);
    for (const exchange of subject.answered) closeAtEachResponseEvent(subject, exchange);
  },
};

function closeAtEachRequestEvent(subject: Subject, exchange: Exchange): void {
  const { bytes, end } = exchange.request;
  const three = Buffer.concat([bytes, bytes, bytes]);
  for (let event = 1; event <= MOST_EVENTS; event++) {
    const server = subject.server();
    const before = server.sink.events.length;
    closeAt(server, event);
    // The recording sink throws when it is called after it closed.
    feed(server.codec, three, [bytes.length + 1]);
    server.codec.resume();
    server.codec.peerEnded();
    if (!server.sink.closed) return;
    if (event > 1) continue;
    const count = server.sink.events.length - before;
    expectSame(count, 1, `events of 3 × ${exchange.name} when the first closed the sink`);
    if (end !== 'fin') expectSame(server.sink.heads.length, 1, `requests of 3 × ${exchange.name} in a closed sink`);
  }
}

function closeAtEachResponseEvent(subject: Subject, exchange: AnsweredExchange): void {
  const { message } = subject.request(exchange);
  for (let event = 1; event <= MOST_EVENTS; event++) {
    const client = subject.asking(message);
    const sent = [client.sent.bytes];
    if (subject.upstreamStreams > 1) {
      client.codec.encode(2, message.head);
      sent.push(client.out.take());
    }
    const before = client.sink.events.length;
    closeAt(client, event);
    feed(client.codec, Buffer.concat(sent.map((bytes) => subject.withIdOf(exchange.response.bytes, bytes))));
    client.codec.peerEnded();
    if (!client.sink.closed) return;
    const count = client.sink.events.length - before;
    expectSame(count, event, `events of ${exchange.name}'s responses when number ${event} closed the sink`);
  }
}

function closeAt({ sink }: ServerBench | ClientBench, event: number): void {
  let left = event;
  sink.onEvent = () => {
    left--;
    if (left === 0) sink.closed = true;
  };
}

/** What a paused codec may take in before it stops the reading. */
const HELD_LIMIT_BYTES = 4 * 1024 * 1024;

export const pauseInCallback: Check = {
  name: 'pause-in-callback',
  title: 'a codec paused inside a call emits nothing further until it is resumed, and loses nothing',
  run(subject) {
    for (const exchange of routedExchanges(subject)) {
      expectOneEventAtATime(subject, exchange);
      expectBoundedWhilePaused(subject, exchange.name, exchange.request.bytes);
    }
  },
};

function expectOneEventAtATime(subject: Subject, exchange: Exchange): void {
  const { bytes, end } = exchange.request;
  const whole = shown(subject.request(exchange).message);
  const count = end === undefined ? 4 : 1;
  const server = subject.server();
  const { codec, sink } = server;
  const isOf = ({ kind }: SinkEvent<Message>) => kind === 'head' || kind === 'data' || kind === 'trailers';
  sink.onEvent = (event) => {
    if (isOf(event)) codec.pause();
  };
  feedWire(server, { bytes: Buffer.concat(Array.from({ length: count }, () => bytes)), fin: end === 'fin' }, [
    Math.min(bytes.length * 2 + 1, bytes.length * count - 1),
  ]);
  const name = `${count} × ${exchange.name}`;
  let answered = 0;
  const seen = () => sink.events.filter(isOf).length;
  const most = subject.isOpaque ? 2 : 1;
  expectThat(seen() <= most, `messages and pieces of ${name} after 0 resumes: ${seen()}, expected ${most}`);
  for (let resumed = 1; sink.messages.filter(({ ended }) => ended).length < count; resumed++) {
    const before = seen();
    answered += answerHeld(server, answered);
    codec.resume();
    const after = seen();
    const what = `messages and pieces of ${name} after ${resumed} resumes`;
    expectThat(after === before + 1, `${what}: ${after}, expected ${before + 1}`);
  }
  expectSame(
    sink.messages.map(shown),
    Array.from({ length: count }, () => whole),
    `requests of ${name}`,
  );
  if (end !== undefined) return;
  sink.onEvent = () => {};
  answerHeld(server, answered);
  codec.resume();
  expectThat(codec.reading, 'not reading after the last resume');
  feed(codec, bytes);
  expectSame(sink.messages.length, count + 1, `requests after one more ${exchange.name}`);
}

/** Where the next request waits for an answer. Gives how many got one. */
function answerHeld({ codec, sink }: ServerBench, answered: number): number {
  const message = sink.messages[answered];
  if (message?.ended !== true || (message.head.flags & Flag.Hold) === 0) return 0;
  codec.encode(message.id, codec.reply(Status.no_route, message.head), message.head);
  return 1;
}

function expectBoundedWhilePaused(subject: Subject, name: string, bytes: Buffer): void {
  const { codec, sink } = subject.server();
  codec.pause();
  const before = sink.events.length;
  const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
  for (let held = 0; codec.reading; held += many.length) {
    expectThat(held <= HELD_LIMIT_BYTES, `still reading while paused, with ${held} bytes of ${name} held`);
    feed(codec, many);
  }
  expectSame(sink.events.length, before, `events of ${name} while paused from the start`);
}

export const quietCommands: Check = {
  name: 'quiet-commands',
  title: 'encode, reset, reply and pause call no sink, and a sink may call them',
  run(subject) {
    for (const exchange of subject.answered) {
      const server = subject.request(exchange);
      const client = subject.asking(server.message);
      const response = subject.response(exchange);
      const before = [server.sink.events.length, client.sink.events.length];
      if (subject.upstreamStreams > 1) {
        client.codec.encode(2, server.head);
        client.codec.reset(2, Status.timeout);
      }
      client.codec.reset(1, Status.timeout);
      client.codec.pause();
      answerWith(server, response);
      server.codec.reply(Status.timeout, server.head);
      server.codec.reset(1, Status.downstream_reset);
      expectSame(
        [server.sink.events.length, client.sink.events.length],
        before,
        `events made by commands, ${exchange.name}`,
      );
    }
    for (const exchange of subject.repeatable) expectAnswersFromInside(subject, exchange);
  },
};

/** Answering from inside the event that ends a request, while further requests wait in the same read. */
function expectAnswersFromInside(subject: Subject, exchange: AnsweredExchange): void {
  const { codec, sink, out } = subject.server();
  const single = out.take().length;
  sink.onEvent = () => {
    const message = sink.messages.at(-1);
    if (message?.ended !== true) return;
    const client = subject.client(message.head.connectionKey);
    client.codec.encode(message.id, message.head);
    writeBody(client.codec, message.id, message);
    codec.encode(message.id, codec.reply(Status.no_route, message.head), message.head);
    codec.resume();
  };
  decodeLent(codec, Buffer.concat([exchange.request.bytes, exchange.request.bytes, exchange.request.bytes]));
  expectThat(out.queuedBytes > single, `no answer was written from inside onHead to ${exchange.name}`);
  expectSame(sink.messages.length, 3, `requests of 3 × ${exchange.name}, each answered inside onHead`);
}
