/** Bodies that stream: of any length, as fast as the other side takes them, and no faster. */
import { createHash } from 'node:crypto';
import type { Message } from '../../metaprotocol/message.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { decodeLent, feed, WIPED } from '../feed.ts';
import { Line } from '../line.ts';
import { Random } from '../random.ts';
import { dataOf } from '../received.ts';
import type { SinkEvent } from '../recording-sink.ts';
import { DIRECTIONS, type Direction, piece, readerOf, type Stretched, stretch } from '../stretch.ts';
import type { Subject } from '../subject.ts';
import { garbageCollector, heldBytes } from './cost.ts';

export const wholeMessages = ({ factory }: Subject): string | null =>
  factory.manifest.capabilities.streaming ? null : 'messages are whole';

/** Who says that messages are whole has only such. */
export function expectWholeMessages(subject: Subject): void {
  for (const exchange of subject.answered) {
    for (const { chunks, trailers } of [subject.request(exchange).message, subject.response(exchange)]) {
      const isWhole = chunks.length === 0 && trailers === null;
      expectThat(isWhole, `${exchange.name}: it has data behind its head, but the manifest says that nothing streams`);
    }
  }
}

const CHUNK_BYTES = 64 * 1024;
const LONG_BODY_BYTES = 32 * 1024 * 1024;
/** Between two looks at the memory. */
const STRETCH_BYTES = 8 * 1024 * 1024;
const GROWTH_LIMIT_BYTES = 1024 * 1024;

export const longBodyCheck: Check = {
  name: 'long-body',
  title: `a body of ${LONG_BODY_BYTES / 1024 / 1024} MiB is passed on as it comes, and nothing of it stays`,
  gate: wholeMessages,
  negative: expectWholeMessages,
  run(subject) {
    for (const direction of DIRECTIONS) expectPassedOn(subject, direction);
  },
};

function expectPassedOn(subject: Subject, direction: Direction): void {
  const writer = stretch(subject, direction);
  const { exchange, request } = writer;
  const what = `${direction} of ${exchange.name}, stretched`;
  const line = new Line(subject.factory, subject.options(), request.head.connectionKey);
  const [entry, exit] = direction === 'request' ? [line.server, line.toUpstream] : [line.client, line.toCaller];
  if (direction === 'response') {
    decodeLent(line.server, exchange.request.bytes);
    if (exchange.request.end === 'fin') line.server.peerEnded();
    line.toUpstream.lend();
  }
  const reader = direction === 'request' ? subject.server() : subject.asking(request);
  const [sent, got] = [createHash('sha1'), createHash('sha1')];
  let gotBytes = 0;
  let hasEnded = false;
  reader.sink.onData = (_id, chunk, end) => {
    gotBytes += chunk.length;
    hasEnded = end;
    got.update(chunk);
  };
  const pass = (bytes: Buffer) => {
    if (bytes.length > 0) decodeLent(entry, bytes);
    const passed = exit.lend();
    if (passed.length > 0) decodeLent(reader.codec, passed);
  };
  const chunk = new Random(subject.seed).bytes(CHUNK_BYTES);
  const collect = garbageCollector();
  let held = 0;
  pass(writer.head);
  for (let sentBytes = 0; sentBytes < LONG_BODY_BYTES; ) {
    chunk.writeUInt32BE(sentBytes);
    sent.update(chunk);
    pass(piece(writer, Buffer.from(chunk)));
    sentBytes += CHUNK_BYTES;
    // A read may end in the middle of a piece, but then the next one brings the rest.
    const isNear = gotBytes >= sentBytes - CHUNK_BYTES;
    expectThat(isNear, `${what}: ${gotBytes} of ${sentBytes} bytes are through: the rest is kept back`);
    if (sentBytes % STRETCH_BYTES !== CHUNK_BYTES) continue;
    collect();
    const now = heldBytes();
    if (held === 0) held = now;
    const grown = now - held;
    expectThat(grown <= GROWTH_LIMIT_BYTES, `${what}: after ${sentBytes} bytes ${grown} more are held than before`);
  }
  pass(piece(writer, Buffer.alloc(0), true));
  if (writer.out.ended) entry.peerEnded();
  pass(Buffer.alloc(0));
  if (exit.ended) reader.codec.peerEnded();
  expectThat(hasEnded, `${what}: it does not end`);
  expectSame(
    [gotBytes, got.digest('hex')],
    [LONG_BODY_BYTES, sent.digest('hex')],
    `bytes of the ${what}, and their hash`,
  );
}

const PIECE = Buffer.from('a piece of a body that is not like any other'.repeat(20));

export const backpressureCheck: Check = {
  name: 'backpressure',
  title:
    'data is taken and answered with false while the peer takes no more; onWritable comes once, when it does again',
  gate: wholeMessages,
  negative: expectWholeMessages,
  run(subject) {
    for (const direction of DIRECTIONS) {
      for (const end of [false, true]) expectHeldOff(stretch(subject, direction), direction, end);
    }
  },
};

function expectHeldOff(writer: Stretched, direction: Direction, end: boolean): void {
  const { codec, id, sink, out, exchange } = writer;
  const what = `${direction} of ${exchange.name}, stretched${end ? ' and ended' : ''}`;
  const events: readonly SinkEvent<Message>[] = sink.events;
  const writable = () => events.flatMap((event) => (event.kind === 'writable' ? [event.id] : []));
  expectSame(codec.data(id, PIECE, false, false), true, `${what}: data() while there is room`);
  out.take();
  out.highWaterBytes = 1;
  const lent = Buffer.from(PIECE);
  expectSame(codec.data(id, lent, end, true), false, `${what}: data() while the output is full`);
  lent.fill(WIPED);
  expectSame(writable(), [], `${what}: onWritable before there is room`);
  expectThat(out.take().includes(PIECE), `${what}: the data that was answered with false is not written`);
  codec.room();
  expectSame(writable(), [id], `${what}: onWritable when there is room again`);
  codec.room();
  expectSame(writable(), [id], `${what}: onWritable after a second room()`);
}

/** What may be handed on, or held while paused, before the reading stops. */
const WINDOW_LIMIT_BYTES = 4 * 1024 * 1024;

export const windowCheck: Check = {
  name: 'window',
  title: 'what is not credited stops the reading, and so does what is held while paused; both go on without a loss',
  gate: wholeMessages,
  negative: expectWholeMessages,
  run(subject) {
    for (const direction of DIRECTIONS) {
      expectStopped(subject, direction, false);
      expectStopped(subject, direction, true);
    }
  },
};

function expectStopped(subject: Subject, direction: Direction, isPaused: boolean): void {
  const writer = stretch(subject, direction);
  const { codec, sink } = readerOf(subject, writer, direction);
  const what = `${direction} of ${writer.exchange.name}, stretched, ${isPaused ? 'paused' : 'without credit'}`;
  const dataBytes = () => dataOf(sink.messages[0]!).length;
  expectThat(codec.reading, `${what}: not reading at its start`);
  if (isPaused) codec.pause();
  const before = sink.events.length;
  const sent: Buffer[] = [];
  const random = new Random(subject.seed);
  for (let bytes = 0; codec.reading; bytes += CHUNK_BYTES) {
    expectThat(bytes <= WINDOW_LIMIT_BYTES, `${what}: still reading after ${bytes} bytes`);
    sent.push(random.bytes(CHUNK_BYTES));
    feed(codec, piece(writer, sent.at(-1)!));
  }
  if (isPaused) {
    expectSame(sink.events.length, before, `events of the ${what}`);
    codec.resume();
  }
  const { id } = sink.messages[0]!;
  codec.credit(id, dataBytes());
  expectThat(codec.reading, `${what}: not reading after all was credited`);
  feed(codec, piece(writer, Buffer.alloc(0), true));
  if (writer.out.ended) codec.peerEnded();
  expectSame(sink.messages[0]!.ended, true, `${what}: ended`);
  expectBytes(dataOf(sink.messages[0]!), Buffer.concat(sent), `data of the ${what}`);
}
