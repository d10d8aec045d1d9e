/** Ids: whose answer is whose. The worst failure of a proxy is to hand one caller another caller's answer. */
import { Reset } from '../../metaprotocol/codec.ts';
import { Flag } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { feed } from '../feed.ts';
import { writeBody } from '../received.ts';
import { type AnsweredExchange, goOn, type Subject, sentBytesOf } from '../subject.ts';

const gate = (subject: Subject) => {
  if (subject.idBytes > 0) return null;
  if (subject.factory.replies === 'in-order') return 'answers are paired by their order';
  if (subject.upstreamStreams === 1) return 'a connection carries one request at a time';
  // A protocol that answers in any order has ids, so the check may not be left out.
  throw new Error('neither fieldsOf nor frameId tells the id of a frame');
};

/** Bit patterns that break numbers: above 2^53, above 2^31, all ones, ascending. */
function patternsOf(bytes: number): bigint[] {
  const patterns = [0n, 0x0020_0000_0000_0001n, 0xffff_ffff_ffff_ffffn, 0x8000_0000_ffff_fffdn, 0x0102_0304_0506_0708n];
  return patterns.map((pattern) => BigInt.asUintN(bytes * 8, pattern));
}

export const idsCheck: Check = {
  name: 'ids',
  title: "the caller's id is restored bit by bit, and the core's id pairs the answer",
  gate,
  negative(subject) {
    if (subject.factory.replies === 'any-order') expectOneAtATime(subject);
  },
  run(subject) {
    const { write } = subject.frameId!;
    for (const exchange of subject.answered) {
      for (const id of patternsOf(subject.idBytes)) {
        const request = write(exchange.request.bytes, id);
        for (const coreId of [1, 0x7fff_fffe]) {
          const what = `${exchange.name} under id ${id.toString(16).padStart(subject.idBytes * 2, '0')}`;
          const trip = subject.roundTrip({ bytes: request, fin: false }, exchange, coreId);
          const upstream = trip.upstream.bytes;
          expectBytes(upstream, subject.withIdOf(request, upstream), `request of ${what} upstream`);
          expectSame(trip.id, coreId, `core id that the answer to ${what} came under`);
          expectBytes(trip.caller.bytes, write(exchange.response.bytes, id), `response of ${what} downstream`);
        }
      }
    }
  },
};

/** Nothing tells whose answer it is, so a second request may not come out before the first has got its own. */
function expectOneAtATime(subject: Subject): void {
  for (const exchange of subject.repeatable) {
    const { codec, sink } = subject.server();
    feed(codec, Buffer.concat([exchange.request.bytes, exchange.request.bytes]));
    codec.resume();
    expectSame(sink.messages.length, 1, `requests of 2 × ${exchange.name} while the first has got no answer`);
    expectThat((sink.heads[0]!.flags & Flag.Hold) !== 0, `request of ${exchange.name}: it has no Hold`);
  }
  if (subject.repeatable.length === 0) expectEnds(subject);
}

export const repeatedIds: Check = {
  name: 'repeated-ids',
  title: 'requests that repeat an id, answered in any order, each get their own answer',
  gate: ({ repeatable }) => (repeatable.length === 0 ? 'a request is alone on its connection' : null),
  negative: expectEnds,
  run(subject) {
    for (const exchange of subject.repeatable) {
      if (subject.upstreamStreams === 1) expectOneAfterTheOther(subject, exchange);
      else expectOwnAnswers(subject, exchange);
    }
  },
};

const COUNT = 5;

function expectOwnAnswers(subject: Subject, exchange: AnsweredExchange): void {
  const inOrder = subject.factory.replies === 'in-order';
  const server = subject.server();
  feed(server.codec, Buffer.concat(Array.from({ length: COUNT }, () => exchange.request.bytes)));
  goOn(server);
  const { heads } = server.sink;
  expectSame(heads.length, COUNT, `requests in ${COUNT} × ${exchange.name}`);
  const client = subject.client(heads[0]!.connectionKey);
  const sent = heads.map((head, index) => {
    client.codec.encode(index + 1, head);
    return client.out.take();
  });
  const order = inOrder ? [1, 2, 3, 4, 5] : [4, 2, 5, 1, 3];
  const answers = order.map((id) => subject.withIdOf(exchange.response.bytes, sent[id - 1]!));
  feed(client.codec, Buffer.concat(answers));
  expectSame(client.sink.headIds, order, `core ids that the answers to ${COUNT} × ${exchange.name} came under`);
  for (const [index, id] of order.entries()) server.codec.encode(id, client.sink.heads[index]!, heads[id - 1]!);
  const expected = Buffer.concat(order.map(() => exchange.response.bytes));
  expectBytes(server.out.take(), expected, `answers to ${COUNT} × ${exchange.name}`);
}

/** Both connections are used again and again. */
function expectOneAfterTheOther(subject: Subject, exchange: AnsweredExchange): void {
  const server = subject.server();
  feed(server.codec, Buffer.concat(Array.from({ length: COUNT }, () => exchange.request.bytes)));
  const client = subject.client(server.sink.heads[0]?.connectionKey);
  for (let id = 1; id <= COUNT; id++) {
    const what = `of ${COUNT} × ${exchange.name}, number ${id}`;
    const message = server.sink.messages[id - 1];
    expectThat(message?.ended === true, `request ${what}: not read`);
    client.codec.encode(id, message.head);
    writeBody(client.codec, id, message);
    expectBytes(client.out.take(), sentBytesOf(exchange.request), `request ${what} upstream`);
    feed(client.codec, exchange.response.bytes);
    const answer = client.sink.messages[id - 1];
    expectSame(answer?.id, id, `core id that the answer ${what} came under`);
    const caller = subject.delivered({ ...server, message, head: message.head }, answer!);
    expectBytes(caller.bytes, sentBytesOf(exchange.response), `answer ${what}`);
  }
  expectSame(server.sink.messages.length, COUNT, `requests in ${COUNT} × ${exchange.name}`);
}

export const lateAnswers: Check = {
  name: 'late-answers',
  title: 'late, repeated and unknown answers reach nobody else, and the connection goes on',
  run(subject) {
    const inOrder = subject.factory.replies === 'in-order';
    for (const exchange of subject.answered) {
      const { message, head } = subject.request(exchange);
      const { codec, sink, out, sent } = subject.asking(message);
      const isShared = subject.upstreamStreams > 1;
      if (isShared) codec.encode(2, head);
      const second = out.take();
      const given = codec.reset(1, Status.timeout);
      if (given === Reset.Close) {
        const before = sink.events.length;
        feed(codec, subject.withIdOf(exchange.response.bytes, sent.bytes));
        expectSame(sink.events.length, before, `events of ${exchange.name} after a reset that closes`);
        continue;
      }
      expectSame(given, Reset.Owed, `reset of ${exchange.name} before its answer (0 done, 1 owed, 2 close)`);
      expectThat(isShared, `reset of ${exchange.name}: its answer is owed on a connection for one request`);
      const [late, good] = [sent.bytes, second].map((one) => subject.withIdOf(exchange.response.bytes, one));
      feed(codec, late!);
      if (!inOrder) feed(codec, late!);
      feed(codec, good!);
      expectThat(sink.error === null, `after a late answer to ${exchange.name}: ${sink.error?.detail}`);
      const { headIds } = sink;
      expectSame(headIds.filter((id) => id === 2).length, 1, `answers under core id 2, ${exchange.name}`);
      expectSame(headIds.at(-1), 2, `core id of the last answer, ${exchange.name}`);
      expectSame(codec.reset(2, Status.timeout), Reset.Done, `reset of ${exchange.name} after its answer`);
    }
  },
};
