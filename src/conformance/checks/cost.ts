/** Cost: what a message may leave behind and allocate on its way through. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectThat } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { answerer } from '../frame-ids.ts';
import { Line } from '../line.ts';
import type { AnsweredExchange, Subject } from '../subject.ts';

const MESSAGES = 20_000;
/** What a connection may have grown by when everything on it was answered or given up. */
const GROWTH_LIMIT_BYTES = 512 * 1024;
/** Heap and buffers of one request and its answer on their way through. */
export const ALLOCATION_LIMIT_BYTES = 4_096;

export interface Cost {
  readonly exchange: string;
  readonly nanoseconds: number;
  readonly allocatedBytes: number;
  /** Still held at the end of all. */
  readonly grownBytes: number;
}

export const costCheck: Check = {
  name: 'bounded-memory',
  title: `${MESSAGES} exchanges leave nothing behind and allocate at most ${ALLOCATION_LIMIT_BYTES} bytes each`,
  gate: ({ repeatable }) => (repeatable.length === 0 ? 'a request is alone on its connection' : null),
  negative: expectEnds,
  run(subject) {
    for (const exchange of subject.repeatable.slice(0, 3)) {
      const { grownBytes, allocatedBytes } = measureCost(subject, exchange, MESSAGES);
      const what = `${MESSAGES} × ${exchange.name}`;
      expectThat(grownBytes <= GROWTH_LIMIT_BYTES, `${what}: ${grownBytes} bytes more are held than before`);
      const limit = ALLOCATION_LIMIT_BYTES + 4 * (exchange.request.bytes.length + exchange.response.bytes.length);
      expectThat(allocatedBytes <= limit, `${what}: ${allocatedBytes} bytes are allocated for each, limit ${limit}`);
    }
  },
};

/** One request and its answer through a server and a client codec of one connection each, `messages` times. */
export function measureCost(subject: Subject, exchange: AnsweredExchange, messages: number): Cost {
  const line = new Repeated(subject, exchange);
  line.run(Math.min(messages, 2_000));
  const collect = garbageCollector();
  collect();
  const before = heldBytes();
  const allocatedBefore = heldBytes();
  const startedAt = process.hrtime.bigint();
  let allocated = 0;
  let last = allocatedBefore;
  for (let done = 0; done < messages; done += 100) {
    line.run(Math.min(100, messages - done));
    const now = heldBytes();
    // Where it shrank a collection ran: that stretch says nothing.
    if (now > last) allocated += now - last;
    last = now;
  }
  const nanoseconds = Number(process.hrtime.bigint() - startedAt) / messages;
  collect();
  const grownBytes = heldBytes() - before;
  return { exchange: exchange.name, nanoseconds, allocatedBytes: Math.round(allocated / messages), grownBytes };
}

export function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Buffers are swept beside the collection that found them dead: collects until nothing more goes. */
export function garbageCollector(): () => void {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  return () => {
    for (let before = Number.POSITIVE_INFINITY, tries = 0; tries < 10; tries++) {
      collect();
      const now = heldBytes();
      if (now >= before) return;
      before = now;
    }
  };
}

/** One exchange again and again. */
class Repeated {
  readonly #request: Buffer;
  readonly #answerTo: (sent: Buffer) => Buffer;
  readonly #line: Line;
  /** Callers may give up where their connection goes on. */
  readonly #isShared: boolean;

  constructor(subject: Subject, exchange: AnsweredExchange) {
    this.#request = Buffer.from(exchange.request.bytes);
    this.#answerTo = answerer(subject.factory, exchange.request.bytes, exchange.response.bytes);
    this.#line = new Line(subject.factory, subject.options(), subject.request(exchange).head.connectionKey);
    this.#isShared = subject.upstreamStreams > 1;
  }

  run(messages: number): void {
    const { server, client, toCaller, toUpstream } = this.#line;
    for (let done = 0; done < messages; done++) {
      server.decode(this.#request, true);
      const response = this.#answerTo(toUpstream.slab);
      toUpstream.clear();
      // Every eighth caller gives up before its answer comes.
      if (this.#isShared && done % 8 === 7) client.reset(this.#line.coreId, Status.timeout);
      client.decode(response, true);
      server.resume();
      toCaller.clear();
    }
  }
}
