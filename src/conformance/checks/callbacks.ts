/** Callbacks: codecs are called back from inside what they call, and the connection may be gone by then. */
import { Status } from '../../metaprotocol/status.ts';
import { type Check, expectSame, expectThat } from '../check.ts';
import { decodeLent, feed } from '../feed.ts';
import type { Subject } from '../subject.ts';

function routedExchanges(subject: Subject) {
  return subject.exchanges.filter((exchange) => subject.routed(exchange));
}

export const closeInCallback: Check = {
  name: 'close-in-callback',
  title: 'nothing is emitted into a sink that closed inside a call',
  run(subject) {
    for (const exchange of routedExchanges(subject)) {
      const { codec, sink } = subject.server();
      sink.onEvent = () => {
        sink.closed = true;
      };
      const three = Buffer.concat([exchange.request.bytes, exchange.request.bytes, exchange.request.bytes]);
      // The recording sink throws when it is called after it closed.
      feed(codec, three, [exchange.request.bytes.length + 1]);
      codec.resume();
      codec.peerEnded();
      expectSame(sink.heads.length, 1, `requests of 3 × ${exchange.name} when the first closed the sink`);
    }
    for (const exchange of subject.answered) {
      const { head } = subject.request(exchange);
      const client = subject.client(head.connectionKey);
      const sent = [1, 2].map((id) => {
        client.codec.encode(id, head);
        return client.out.take();
      });
      client.sink.onEvent = () => {
        client.sink.closed = true;
      };
      feed(client.codec, Buffer.concat(sent.map((bytes) => subject.withIdOf(exchange.response.bytes, bytes))));
      client.codec.peerEnded();
      expectSame(client.sink.heads.length, 1, `responses of 2 × ${exchange.name} when the first closed the sink`);
    }
  },
};

/** What a paused codec may take in before it stops the reading. */
const HELD_LIMIT_BYTES = 4 * 1024 * 1024;

export const pauseInCallback: Check = {
  name: 'pause-in-callback',
  title: 'a codec paused inside a call emits no further head until it is resumed, and loses none',
  run(subject) {
    for (const exchange of routedExchanges(subject)) {
      const { codec, sink } = subject.server();
      const { bytes } = exchange.request;
      const count = 4;
      sink.onEvent = () => codec.pause();
      feed(codec, Buffer.concat(Array.from({ length: count }, () => bytes)), [bytes.length * 2 + 1]);
      for (let resumed = 1; resumed <= count; resumed++) {
        expectSame(sink.heads.length, resumed, `requests of ${count} × ${exchange.name} after ${resumed - 1} resumes`);
        codec.resume();
      }
      expectSame(sink.heads.length, count, `requests of ${count} × ${exchange.name} after all resumes`);
      sink.onEvent = () => {};
      codec.resume();
      expectThat(codec.reading, 'not reading after the last resume');
      feed(codec, bytes);
      expectSame(sink.heads.length, count + 1, `requests after one more ${exchange.name}`);
      expectBoundedWhilePaused(subject, exchange.name, bytes);
    }
  },
};

function expectBoundedWhilePaused(subject: Subject, name: string, bytes: Buffer): void {
  const { codec, sink } = subject.server();
  codec.pause();
  const many = Buffer.concat(Array.from({ length: Math.ceil(65_536 / bytes.length) }, () => bytes));
  for (let held = 0; codec.reading; held += many.length) {
    expectThat(held <= HELD_LIMIT_BYTES, `still reading while paused, with ${held} bytes of ${name} held`);
    feed(codec, many);
  }
  expectSame(sink.heads.length, 0, `requests of ${name} while paused from the start`);
}

export const quietCommands: Check = {
  name: 'quiet-commands',
  title: 'encode, reset, reply and pause call no sink, and a sink may call them',
  run(subject) {
    for (const exchange of subject.answered) {
      const server = subject.request(exchange);
      const client = subject.client(server.head.connectionKey);
      const response = subject.response(exchange);
      const before = [server.sink.events.length, client.sink.events.length];
      client.codec.encode(1, server.head);
      client.codec.encode(2, server.head);
      client.codec.reset(2, Status.timeout);
      client.codec.pause();
      server.codec.encode(1, response, server.head);
      server.codec.reply(Status.timeout, server.head);
      server.codec.reset(1, Status.downstream_reset);
      expectSame(
        [server.sink.events.length, client.sink.events.length],
        before,
        `events made by commands, ${exchange.name}`,
      );
    }
    for (const exchange of subject.answered) {
      // Answering from inside onHead, while further requests wait in the same read.
      const { codec, sink, out } = subject.server();
      const client = subject.client(subject.request(exchange).head.connectionKey);
      sink.onEvent = (event) => {
        if (event.kind !== 'head') return;
        client.codec.encode(event.id, event.head);
        codec.encode(event.id, codec.reply(Status.no_route, event.head), event.head);
        codec.resume();
      };
      const single = out.take().length;
      decodeLent(codec, Buffer.concat([exchange.request.bytes, exchange.request.bytes, exchange.request.bytes]));
      expectThat(out.queuedBytes > single, `no answer was written from inside onHead to ${exchange.name}`);
      expectSame(sink.heads.length, 3, `requests of 3 × ${exchange.name}, each answered inside onHead`);
    }
  },
};
