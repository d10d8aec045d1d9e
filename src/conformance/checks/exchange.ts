/** What happens around an exchange: local replies, oneway, heartbeats, drain. */
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { type ProxyStatus, Status, statusOf } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { feed } from '../feed.ts';
import { attributesOf, dataOf } from '../received.ts';
import { type AnsweredExchange, feedWire, isOneway, type Subject, sentBytesOf, type Wire } from '../subject.ts';

export const repliesCheck: Check = {
  name: 'local-replies',
  title: "each ProxyStatus has a reply that the codec's own client side parses as an error",
  gate: ({ factory }) => (factory.manifest.capabilities.errorReply ? null : 'the protocol has no way to say an error'),
  negative(subject) {
    for (const exchange of subject.answered) {
      const { codec, out, head } = subject.request(exchange);
      codec.encode(1, codec.reply(Status.no_route, head), head);
      expectSame(out.take().length, 0, `bytes of a reply to ${exchange.name}`);
    }
  },
  run(subject) {
    const untunnelled = subject.answered.find((exchange) => !asksForTunnel(subject, exchange));
    const success = untunnelled === undefined ? null : outcomeOfReply(subject, untunnelled, Status.no_error);
    for (const exchange of subject.answered) {
      for (const status of Object.values(Status)) {
        if (status.name === 'no_error') continue;
        const outcome = outcomeOfReply(subject, exchange, statusOf(status, `${status.detail} (déjà vu)`));
        // Some errors are a success of the server's: it did what such a request deserves.
        const isOk = (outcome?.ok ?? true) && outcome?.code === success?.code;
        expectSame(isOk, false, `a reply of ${status.name} to ${exchange.name}: ok`);
      }
      // A named code may be the grant of what was asked for, which is no answer.
      if (asksForTunnel(subject, exchange)) continue;
      for (const { name, code } of subject.factory.manifest.codes) {
        const outcome = outcomeOfReply(subject, exchange, statusOf(Status.fault, 'injected', code));
        expectSame(outcome?.code, code, `code of a fault ${name} to ${exchange.name}`);
      }
    }
  },
};

function asksForTunnel(subject: Subject, exchange: AnsweredExchange): boolean {
  return (subject.request(exchange).head.flags & Flag.Tunnel) !== 0;
}

function outcomeOfReply(subject: Subject, exchange: AnsweredExchange, status: ProxyStatus) {
  const { codec, out, sink, head } = subject.request(exchange);
  codec.encode(1, codec.reply(status, head), head);
  if ((head.flags & Flag.Hold) !== 0) codec.resume();
  const wire = { bytes: out.take(), fin: out.ended || sink.goneAway };
  const { bytes } = wire;
  expectThat(bytes.length > 0, `a reply of ${status.name} to ${exchange.name} is empty`);
  expectBytes(bytes, subject.withIdOf(bytes, exchange.request.bytes), `id of a reply of ${status.name}`);
  const response = subject.responseIn(wire, exchange, `reply of ${status.name} to ${exchange.name}`);
  expectThat(response.ended, `a reply of ${status.name} to ${exchange.name} does not end`);
  return response.head.outcome;
}

export const onewayCheck: Check = {
  name: 'oneway',
  title: 'oneway requests are marked, sent on, owed no answer and never answered',
  gate: ({ factory }) => (factory.manifest.capabilities.oneway ? null : 'the protocol has no oneway requests'),
  negative(subject) {
    for (const exchange of subject.exchanges) {
      const { head } = subject.request(exchange);
      expectThat(!isOneway(head), `request of ${exchange.name} is oneway, but the manifest says there are none`);
    }
  },
  run(subject) {
    const oneways = subject.exchanges.filter((exchange) => isOneway(subject.request(exchange).head));
    expectThat(oneways.length > 0, 'the manifest says oneway, but no sample is a oneway request');
    for (const exchange of oneways) {
      const { message, head, codec, out } = subject.request(exchange);
      const client = subject.asking(message, 9);
      const { sent } = client;
      const expected = subject.withIdOf(sentBytesOf(exchange.request), sent.bytes);
      expectBytes(sent.bytes, expected, `oneway ${exchange.name} upstream`);
      const peer = subject.requestIn(sent, `oneway ${exchange.name} as sent upstream`);
      expectThat(isOneway(peer.head), `oneway ${exchange.name} is no longer oneway upstream`);
      expectSame(
        client.codec.reset(9, Status.timeout),
        Reset.Done,
        `reset of oneway ${exchange.name} (0 done, 1 owed)`,
      );
      codec.encode(1, codec.reply(Status.no_route, head), head);
      expectSame(out.take().length, 0, `bytes that answer oneway ${exchange.name}`);
    }
  },
};

export const heartbeatCheck: Check = {
  name: 'heartbeat',
  title: 'heartbeats are answered by the codec and never routed; its own are understood by the other side',
  run(subject) {
    for (const { name, bytes, answer } of subject.samples.heartbeats) {
      const { codec, sink, out } = subject.server();
      feed(codec, bytes);
      expectThat(sink.error === null, `heartbeat ${name}: refused: ${sink.error?.detail}`);
      const routed = sink.heads.filter((head) => head.answer === null).length;
      expectSame(routed, 0, `requests routed for heartbeat ${name}`);
      for (const [index, head] of sink.heads.entries()) codec.encode(index + 1, head.answer!, head);
      expectBytes(out.take(), answer ?? Buffer.alloc(0), `answer to heartbeat ${name}`);
      const [exchange] = subject.answered;
      feed(codec, exchange!.request.bytes);
      expectSame(sink.heads.filter((head) => head.answer === null).length, 1, `requests behind heartbeat ${name}`);
    }
    // Each side asks the other; nobody may go on for ever.
    const client = subject.client();
    const server = subject.server();
    // Opaque bytes have begun their one stream.
    server.sink.events.splice(0);
    client.codec.keepalive();
    server.codec.keepalive();
    for (let turn = 0; turn < 4; turn++) {
      const [up, down] = [client.out.take(), server.out.take()];
      if (turn === 3) expectSame(up.length + down.length, 0, 'bytes still exchanged after three turns of keepalive');
      if (up.length > 0) feed(server.codec, up);
      for (const event of server.sink.events.splice(0)) {
        expectThat(event.kind !== 'error', 'keepalive of the client codec is refused by the server codec');
        if (event.kind !== 'head') continue;
        expectThat(event.head.answer !== null, 'the client codec asks for a sign of life by a request that is routed');
        server.codec.encode(event.id, event.head.answer, event.head);
      }
      if (down.length > 0) feed(client.codec, down);
    }
    expectThat(client.sink.error === null, `keepalive of the server codec: refused: ${client.sink.error?.detail}`);
  },
};

export const drainCheck: Check = {
  name: 'drain',
  title: 'after goAway the requests in flight still get their answers',
  run(subject) {
    for (const exchange of subject.answered) {
      const { name, response } = exchange;
      const server = subject.request(exchange);
      const client = subject.asking(server.message);
      server.codec.goAway();
      const goodbye = server.out.take();
      client.codec.goAway();
      client.out.take();
      feedWire(client, {
        bytes: subject.withIdOf(response.bytes, client.sent.bytes),
        fin: response.end === 'fin',
      });
      const answers = client.sink.messages;
      expectSame(
        answers.map(({ id }) => id),
        [1],
        `answers to ${name} after goAway upstream`,
      );
      const caller = subject.delivered(server, answers[0]!);
      if (!caller.bytes.equals(sentBytesOf(response))) expectGoodbyeIn(subject, exchange, caller);
      // What says goodbye must be understood.
      const peer = subject.client();
      if (goodbye.length > 0) feed(peer.codec, goodbye);
      expectThat(peer.sink.error === null, `goodbye of the server codec: refused: ${peer.sink.error?.detail}`);
    }
  },
};

/** Where the answer itself says goodbye (Connection: close), it is the same answer, and it does say so. */
function expectGoodbyeIn(subject: Subject, exchange: AnsweredExchange, caller: Wire): void {
  const what = `response of ${exchange.name} after goAway`;
  const { streaming } = subject.factory.manifest.capabilities;
  if (!streaming) expectBytes(caller.bytes, sentBytesOf(exchange.response), what);
  const peer = subject.asking(subject.request(exchange).message);
  feedWire(peer, caller);
  const [answer] = peer.sink.messages;
  expectThat(answer !== undefined && peer.sink.goneAway, `${what}: it is another one, and says no goodbye`);
  const expected = subject.responseIn({ bytes: sentBytesOf(exchange.response), fin: true }, exchange, what);
  expectSame(attributesOf(answer.head), attributesOf(expected.head), `attributes of the ${what}`);
  expectBytes(dataOf(answer), dataOf(expected), `data of the ${what}`);
}
