/** Runs: pipelined calls that a codec offers to join go as one request and are answered as one, and nobody sees it. */

import type { RequestMessage, ResponseMessage, Run } from '../../metaprotocol/message.ts';
import { Status } from '../../metaprotocol/status.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat, fail } from '../expect.ts';
import { expectEnds } from '../expect-ends.ts';
import { feed } from '../feed.ts';
import type { AnsweredExchange, ClientBench, ServerBench, Subject } from '../subject.ts';

const COUNT = 3;
/** Every point of longer answers would take long and find no more. */
const MOST_CUTS = 300;

/** Calls of one read, as far as the codec joins them. */
interface SentRun {
  readonly server: ServerBench;
  readonly client: ClientBench;
  readonly head: RequestMessage;
  readonly run: Run;
  /** What went upstream. */
  readonly sent: Buffer;
}

export const runsCheck: Check = {
  name: 'runs',
  title: 'calls that are joined go upstream as they came, are answered whole wherever answers are cut, and each counts',
  gate: (subject) => (joins(subject) ? null : 'its requests are not joined'),
  negative: expectNoneOffered,
  run(subject) {
    const joined = subject.repeatable.filter((exchange) => sendRun(subject, exchange) !== null);
    if (joined.length === 0) fail('the client codec has `join`, but no request of the samples is offered to be joined');
    for (const exchange of joined) {
      expectSent(subject, exchange);
      const length = exchange.response.bytes.length * COUNT;
      const step = Math.ceil(length / MOST_CUTS);
      for (let at = 0; at < length; at += step) expectAnswers(subject, exchange, at);
      for (let answered = 0; answered < COUNT; answered++) expectRest(subject, exchange, answered);
    }
  },
};

function joins(subject: Subject): boolean {
  return subject.client().codec.join !== undefined;
}

/** Half of it is of no use: the core would be asked for each call, in vain. */
function expectNoneOffered(subject: Subject): void {
  for (const exchange of subject.repeatable) {
    const { codec, sink } = subject.server();
    sink.join = () => fail(`request of ${exchange.name}: offered to be joined, and the client codec has no \`join\``);
    feed(codec, Buffer.concat([exchange.request.bytes, exchange.request.bytes]));
  }
  if (subject.repeatable.length === 0) expectEnds(subject);
}

/** null: the codec does not offer these to be joined. */
function sendRun(subject: Subject, { request }: AnsweredExchange): SentRun | null {
  const server = subject.server();
  let client: ClientBench | null = null;
  let head: RequestMessage | null = null;
  server.sink.onEvent = (event) => {
    if (event.kind !== 'head' || head !== null) return;
    head = event.head;
    client = subject.client(head.connectionKey);
    client.codec.encode(1, head);
  };
  server.sink.join = (_id, next) => {
    client!.codec.join!(1, head!, next as RequestMessage);
    return true;
  };
  feed(server.codec, Buffer.concat(Array.from({ length: COUNT }, () => request.bytes)));
  const run = (head as RequestMessage | null)?.run;
  if (!run) return null;
  return { server, client: client!, head: head!, run, sent: client!.out.take() };
}

function expectSent(subject: Subject, exchange: AnsweredExchange): void {
  const { name, request } = exchange;
  const { server, run, sent } = sendRun(subject, exchange)!;
  const what = `of ${COUNT} × ${name} in one read`;
  expectSame(server.sink.heads.length, 1, `heads ${what}, all joined`);
  expectBytes(sent, Buffer.concat(Array.from({ length: COUNT }, () => request.bytes)), `run ${what} upstream`);
  expectSame(run.calls, COUNT, `calls ${what}`);
  const sizes = Array.from({ length: COUNT }, (_, index) => run.requestBytes(index));
  expectSame(sizes, Array(COUNT).fill(request.bytes.length), `requestBytes ${what}`);
}

/** What the caller gets is looked at after each read. */
function expectAnswers(subject: Subject, exchange: AnsweredExchange, at: number): void {
  const { name, response } = exchange;
  const { server, client, head, run } = sendRun(subject, exchange)!;
  const bytes = Buffer.concat(Array.from({ length: COUNT }, () => response.bytes));
  const what = `answers to ${COUNT} × ${name}, cut at byte ${at}`;
  deliverTo(server, client, head);
  feed(client.codec, bytes.subarray(0, at));
  const whole = Math.floor(at / response.bytes.length);
  const first = server.out.take();
  expectBytes(first, bytes.subarray(0, whole * response.bytes.length), `${what}: given behind the first read`);
  expectSame(run.answered, whole, `${what}: answered behind the first read`);
  feed(client.codec, bytes.subarray(at));
  expectSame(client.sink.headIds, [1], `${what}: core ids of heads`);
  expectBytes(Buffer.concat([first, server.out.take()]), bytes, what);
  expectSame(run.answered, COUNT, `${what}: answered`);
  const { ok } = run.outcome(0)!;
  expectSame(run.failed, ok ? 0 : COUNT, `${what}: failed`);
  const sizes = Array.from({ length: COUNT }, (_, index) => run.responseBytes(index));
  expectSame(sizes, Array(COUNT).fill(response.bytes.length), `${what}: responseBytes`);
  expectThat(client.sink.messages.at(-1)?.ended === true, `${what}: the response did not end with the last of them`);
}

/** As the core does: what the client codec emits is written by the server codec. */
function deliverTo(server: ServerBench, client: ClientBench, request: RequestMessage): void {
  const { id } = server.sink.messages[0]!;
  client.sink.onEvent = (event) => {
    if (event.kind === 'head') server.codec.encode(id, event.head as ResponseMessage, request);
    else if (event.kind === 'data') server.codec.data(id, event.chunk, event.end, true);
  };
}

/** The upstream is lost: those that were not answered get local replies, each its own, and late answers harm nobody. */
function expectRest(subject: Subject, exchange: AnsweredExchange, answered: number): void {
  const { server, client, head, run } = sendRun(subject, exchange)!;
  const what = `local replies to ${COUNT} × ${exchange.name}, ${answered} answered`;
  const { bytes: answer } = exchange.response;
  deliverTo(server, client, head);
  feed(client.codec, Buffer.concat(Array.from({ length: answered }, () => answer)));
  expectThat(server.codec.replyRest !== undefined, 'the server codec offers calls to be joined and has no `replyRest`');
  client.codec.encode(2, subject.request(exchange).head);
  client.codec.reset(1, Status.timeout);
  const rest = server.codec.replyRest(Status.timeout, head);
  expectSame(run.answered, answered, `${what}: answered`);
  const sizes = Array.from({ length: COUNT }, (_, index) => run.responseBytes(index));
  const expected = Array.from({ length: COUNT }, (_, index) => {
    return index < answered ? answer.length : rest.length / (COUNT - answered);
  });
  expectSame(sizes, expected, `${what}: responseBytes`);
  for (let index = answered; index < COUNT; index++) {
    expectSame(run.outcome(index)?.ok, false, `${what}: outcome of call ${index}`);
  }
  client.sink.onEvent = () => {};
  feed(client.codec, Buffer.concat(Array.from({ length: COUNT - answered + 1 }, () => answer)));
  expectThat(client.sink.error === null, `${what}, then late answers: ${client.sink.error?.detail}`);
  expectSame(client.sink.headIds.at(-1), 2, `${what}: core id of the answer behind the late ones`);
}
