/** Ids: whose answer is whose. The worst failure of a proxy is to hand one caller another caller's answer. */
import { Reset } from '../../metaprotocol/codec.ts';
import { Status } from '../../metaprotocol/status.ts';
import { type Check, expectBytes, expectSame, expectThat } from '../check.ts';
import { feed } from '../feed.ts';
import { goOn, type Subject } from '../subject.ts';

const gate = (subject: Subject) =>
  subject.exchanges.some(({ request }) => subject.idBytesOf(request.bytes) > 0)
    ? null
    : subject.factory.replies === 'in-order'
      ? 'answers are paired by their order'
      : missingIds(subject);

function missingIds({ factory }: Subject): string | null {
  // A protocol that answers in any order has ids, so the check may not be left out.
  if (factory.replies === 'any-order') throw new Error('neither fieldsOf, idOf nor idValue tells the id of a frame');
  return null;
}

/** Bit patterns that break numbers: above 2^53, above 2^31, all ones, ascending. */
function patternsOf(bytes: number): Buffer[] {
  const patterns = ['0000000000000000', '0020000000000001', 'ffffffffffffffff', '80000000fffffffd', '0102030405060708'];
  return patterns.map((hex) => Buffer.from(hex, 'hex').subarray(8 - bytes));
}

export const idsCheck: Check = {
  name: 'ids',
  title: "the caller's id is restored bit by bit, and the core's id pairs the answer",
  gate,
  run(subject) {
    for (const exchange of subject.answered) {
      for (const id of patternsOf(subject.idBytesOf(exchange.request.bytes))) {
        const request = subject.withId(exchange.request.bytes, id);
        for (const coreId of [1, 0x7fff_fffe]) {
          const what = `${exchange.name} under id ${id.toString('hex')}`;
          const { upstream, caller, id: answeredId } = subject.roundTrip(request, exchange, coreId);
          expectBytes(upstream, subject.withIdOf(request, upstream), `request of ${what} upstream`);
          expectSame(answeredId, coreId, `core id that the answer to ${what} came under`);
          expectBytes(caller, subject.withId(exchange.response.bytes, id), `response of ${what} downstream`);
        }
      }
    }
  },
};

export const repeatedIds: Check = {
  name: 'repeated-ids',
  title: 'requests that repeat an id, answered in any order, each get their own answer',
  run(subject) {
    const inOrder = subject.factory.replies === 'in-order';
    for (const exchange of subject.answered) {
      const count = 5;
      const server = subject.server();
      feed(server.codec, Buffer.concat(Array.from({ length: count }, () => exchange.request.bytes)));
      goOn(server.codec, server.sink);
      const { heads } = server.sink;
      expectSame(heads.length, count, `requests in ${count} × ${exchange.name}`);
      const client = subject.client(heads[0]!.connectionKey);
      const sent = heads.map((head, index) => {
        client.codec.encode(index + 1, head);
        return client.out.take();
      });
      const order = inOrder ? [1, 2, 3, 4, 5] : [4, 2, 5, 1, 3];
      const answers = order.map((id) => subject.withIdOf(exchange.response.bytes, sent[id - 1]!));
      feed(client.codec, Buffer.concat(answers));
      expectSame(client.sink.headIds, order, `core ids that the answers to ${count} × ${exchange.name} came under`);
      for (const [index, id] of order.entries()) server.codec.encode(id, client.sink.heads[index]!, heads[id - 1]!);
      const expected = Buffer.concat(order.map(() => exchange.response.bytes));
      expectBytes(server.out.take(), expected, `answers to ${count} × ${exchange.name}`);
    }
  },
};

export const lateAnswers: Check = {
  name: 'late-answers',
  title: 'late, repeated and unknown answers reach nobody else, and the connection goes on',
  run(subject) {
    const inOrder = subject.factory.replies === 'in-order';
    for (const exchange of subject.answered) {
      const { head } = subject.request(exchange);
      const client = subject.client(head.connectionKey);
      const sent = [1, 2].map((id) => {
        client.codec.encode(id, head);
        return client.out.take();
      });
      const given = client.codec.reset(1, Status.timeout);
      if (given === Reset.Close) continue;
      expectSame(given, Reset.Owed, `reset of ${exchange.name} before its answer (0 done, 1 owed, 2 close)`);
      const [late, good] = sent.map((bytes) => subject.withIdOf(exchange.response.bytes, bytes));
      feed(client.codec, late!);
      if (!inOrder) feed(client.codec, late!);
      feed(client.codec, good!);
      expectThat(client.sink.error === null, `after a late answer to ${exchange.name}: ${client.sink.error?.detail}`);
      const { headIds } = client.sink;
      expectSame(headIds.filter((id) => id === 2).length, 1, `answers under core id 2, ${exchange.name}`);
      expectSame(headIds.at(-1), 2, `core id of the last answer, ${exchange.name}`);
      expectSame(client.codec.reset(2, Status.timeout), Reset.Done, `reset of ${exchange.name} after its answer`);
    }
  },
};
