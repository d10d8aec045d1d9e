/** Cost: what a message may leave behind and allocate on its way through. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { Output, UpstreamSink } from '../../metaprotocol/codec.ts';
import type { RequestMessage } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import { type Check, expectThat } from '../check.ts';
import type { Exchange } from '../sample.ts';
import type { Subject } from '../subject.ts';

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
  run(subject) {
    for (const exchange of subject.answered.slice(0, 3)) {
      const { grownBytes, allocatedBytes } = measureCost(subject, exchange, MESSAGES);
      const what = `${MESSAGES} × ${exchange.name}`;
      expectThat(grownBytes <= GROWTH_LIMIT_BYTES, `${what}: ${grownBytes} bytes more are held than before`);
      const limit = ALLOCATION_LIMIT_BYTES + 4 * (exchange.request.bytes.length + exchange.response.bytes.length);
      expectThat(allocatedBytes <= limit, `${what}: ${allocatedBytes} bytes are allocated for each, limit ${limit}`);
    }
  },
};

/** One request and its answer through a server and a client codec of one connection each, `messages` times. Not whole without a response. */
export function measureCost(subject: Subject, exchange: Exchange, messages: number): Cost {
  const line = new Line(subject, exchange);
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

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

/** Buffers are swept beside the collection that found them dead: collects until nothing more goes. */
function garbageCollector(): () => void {
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

/** Two codecs of one connection each, with ends that keep nothing. */
class Line {
  readonly #request: Buffer;
  readonly #response: Buffer;
  readonly #subject: Subject;
  readonly #serverOut = new ScratchOutput();
  readonly #clientOut = new ScratchOutput();
  readonly #server;
  readonly #client;
  #coreId = 0;
  #head: RequestMessage | null = null;
  #downstreamId = 0;

  constructor(subject: Subject, exchange: Exchange) {
    const { factory } = subject;
    const options = factory.parseOptions(subject.options());
    this.#subject = subject;
    this.#request = Buffer.from(exchange.request.bytes);
    this.#response = Buffer.from(exchange.response!.bytes);
    const sink: Omit<UpstreamSink, 'onHead'> = {
      closed: false,
      onData() {},
      onTrailers() {},
      onReset() {},
      onWritable() {},
      onGoAway() {},
      onReady() {},
      onError(status) {
        throw new Error(status.detail);
      },
    };
    const key = subject.request(exchange).head.connectionKey;
    this.#server = factory.createServerCodec(
      {
        ...sink,
        onHead: (id, head) => {
          this.#downstreamId = id;
          this.#head = head;
          this.#client.encode(++this.#coreId, head);
        },
      },
      this.#serverOut,
      options,
      factory.concurrency.downstream,
    );
    this.#client = factory.createClientCodec(
      {
        ...sink,
        onHead: (_id, head) => this.#server.encode(this.#downstreamId, head, this.#head),
      },
      this.#clientOut,
      options,
      key,
    );
    this.#server.start();
    this.#client.start();
    this.#clientOut.used = 0;
  }

  run(messages: number): void {
    const places = this.#subject.idOf(this.#response);
    const sentPlaces = this.#subject.idOf(this.#request);
    const { idValue } = this.#subject;
    for (let done = 0; done < messages; done++) {
      this.#server.decode(this.#request, true);
      for (let index = 0; index < places.length; index++) {
        const { at, bytes } = sentPlaces[index]!;
        this.#clientOut.slab.copy(this.#response, places[index]!.at, at, at + bytes);
      }
      const response =
        idValue === null ? this.#response : idValue.write(this.#response, idValue.read(this.#clientOut.slab));
      // Every eighth caller gives up before its answer comes.
      if (done % 8 === 7) this.#client.reset(this.#coreId, Status.timeout);
      this.#client.decode(response, true);
      this.#server.resume();
      this.#serverOut.used = 0;
      this.#clientOut.used = 0;
    }
  }
}

class ScratchOutput implements Output {
  slab: Buffer = Buffer.alloc(64 * 1024);
  used = 0;
  readonly full = false;

  append(bytes: Buffer, from: number, to: number): number {
    const at = this.reserve(to - from);
    bytes.copy(this.slab, at, from, to);
    return at;
  }

  reserve(n: number): number {
    if (this.used + n > this.slab.length) {
      const grown = Buffer.alloc((this.used + n) * 2);
      this.slab.copy(grown, 0, 0, this.used);
      this.slab = grown;
    }
    const at = this.used;
    this.used += n;
    return at;
  }

  view(bytes: Buffer): void {
    this.append(bytes, 0, bytes.length);
  }

  end(): void {}
}
