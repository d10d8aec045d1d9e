/** Bytes come as they like; what is read must not depend on it. */
import type { Message } from '../../metaprotocol/message.ts';
import { type Check, expectBytes, expectSame, expectThat } from '../check.ts';
import { decodeLent, feed, feedBytewise, WIPED } from '../feed.ts';
import { attributesOf, goOn, type Subject } from '../subject.ts';

/** Every two-part split of a longer message would take long and find no more. */
const MOST_SPLITS = 600;

function shown(head: Message): string {
  return JSON.stringify([head.flags, head.raw?.toString('hex') ?? null, attributesOf(head)]);
}

function shownAll(heads: readonly Message[]): string[] {
  return heads.map(shown);
}

export const splitPoints: Check = {
  name: 'split-points',
  title: 'a message is the same at every split point and byte by byte',
  run(subject) {
    for (const exchange of subject.exchanges) {
      const { bytes } = exchange.request;
      const whole = shown(subject.request(exchange).head);
      for (const at of splitsOf(bytes.length)) {
        const { codec, sink } = subject.server();
        feed(codec, bytes, [at]);
        expectSame(shownAll(sink.heads), [whole], `request of ${exchange.name}, split at byte ${at}`);
      }
      const { codec, sink } = subject.server();
      feedBytewise(codec, bytes);
      expectSame(shownAll(sink.heads), [whole], `request of ${exchange.name}, byte by byte`);
    }
    for (const exchange of subject.answered) {
      const whole = subject.response(exchange);
      const { head } = subject.request(exchange);
      for (const at of [...splitsOf(exchange.response.bytes.length), 0]) {
        const client = subject.client(head.connectionKey);
        client.codec.encode(1, head);
        const bytes = subject.withIdOf(exchange.response.bytes, client.out.take());
        if (at === 0) feedBytewise(client.codec, bytes);
        else feed(client.codec, bytes, [at]);
        const where = at === 0 ? 'byte by byte' : `split at byte ${at}`;
        expectSame(shownAll(client.sink.heads), [shown(whole)], `response of ${exchange.name}, ${where}`);
      }
    }
  },
};

function splitsOf(length: number): number[] {
  const step = Math.ceil(length / MOST_SPLITS);
  return Array.from({ length: Math.ceil((length - 1) / step) }, (_, index) => 1 + index * step);
}

export const manyInOneRead: Check = {
  name: 'many-in-one-read',
  title: 'many messages in one read are all read, in order',
  run(subject) {
    const exchanges = subject.exchanges.filter((exchange) => subject.routed(exchange));
    for (const exchange of exchanges) {
      const count = 40;
      const { codec, sink } = subject.server();
      feed(codec, Buffer.concat(Array.from({ length: count }, () => exchange.request.bytes)));
      goOn(codec, sink);
      expectThat(sink.error === null, `${count} × ${exchange.name} in one read: refused: ${sink.error?.detail}`);
      expectSame(sink.heads.length, count, `requests in one read of ${count} × ${exchange.name}`);
      expectSame(
        sink.headIds,
        Array.from({ length: count }, (_, index) => index + 1),
        'downstream ids',
      );
      const different = shownAll(sink.heads).findIndex((head) => head !== shown(subject.request(exchange).head));
      expectSame(different, -1, `which of ${count} × ${exchange.name} reads differently`);
    }
  },
};

export const passThrough: Check = {
  name: 'pass-through',
  title: 'unmodified messages go both ways byte for byte but for the id, and raw is never written to',
  run(subject) {
    for (const exchange of subject.answered) {
      const { head } = subject.request(exchange);
      const before = head.raw === null ? null : Buffer.from(head.raw);
      const { upstream, caller } = subject.roundTrip(exchange.request.bytes, exchange, 5);
      expectBytes(upstream, subject.withIdOf(exchange.request.bytes, upstream), `request of ${exchange.name} upstream`);
      expectBytes(caller, exchange.response.bytes, `response of ${exchange.name} downstream`);
      subject.sent(head, 77);
      if (before !== null) expectBytes(head.raw!, before, `raw of ${exchange.name} after it was sent`);
      if (before !== null) expectBytes(before, exchange.request.bytes, `raw of ${exchange.name}`);
    }
  },
};

export const lentBytes: Check = {
  name: 'lent-bytes',
  title: 'messages can be sent on at once, and outlive their bytes after keep()',
  run(subject) {
    for (const exchange of subject.answered) {
      expectForwarded(subject, exchange.name, exchange.request.bytes);
      const { head } = subject.request(exchange);
      const { codec, sink, out } = subject.server();
      // Sent on at once, a request is never kept: its bytes are gone when its answer is encoded.
      let lent: typeof head | null = null;
      sink.onHead = (_id, request) => {
        lent = request as typeof head;
      };
      feed(codec, exchange.request.bytes);
      const client = subject.client(head.connectionKey);
      client.codec.encode(1, head);
      const bytes = subject.withIdOf(exchange.response.bytes, client.out.take());
      client.sink.onHead = (_id, response) => {
        codec.encode(1, response as Parameters<typeof codec.encode>[1], lent);
      };
      decodeLent(client.codec, bytes);
      expectBytes(out.take(), exchange.response.bytes, `response of ${exchange.name}, forwarded while it was lent`);
    }
    expectKept(subject);
  },
};

function expectForwarded(subject: Subject, name: string, bytes: Buffer): void {
  const { codec, sink } = subject.server();
  let sent: Buffer | null = null;
  // The sink's own onHead would keep the message.
  sink.onHead = (_id, head) => {
    sent = subject.sent(head as Parameters<Subject['sent']>[0]);
  };
  decodeLent(codec, bytes);
  expectThat(sent !== null, `request of ${name}: not read`);
  expectBytes(sent!, subject.withIdOf(bytes, sent!), `request of ${name}, forwarded while it was lent`);
}

function expectKept(subject: Subject): void {
  for (const exchange of subject.exchanges) {
    const { codec, sink } = subject.server();
    const chunk = Buffer.from(exchange.request.bytes);
    codec.decode(chunk, true);
    const head = sink.heads[0]!;
    const before = shown(head);
    chunk.fill(WIPED);
    head.keep();
    expectSame(shown(head), before, `request of ${exchange.name} after keep() and a second keep()`);
    const sent = subject.sent(head);
    expectBytes(sent, subject.withIdOf(exchange.request.bytes, sent), `request of ${exchange.name}, sent after keep()`);
  }
}
