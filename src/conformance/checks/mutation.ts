/** Mutation: what routes change is changed, and nothing else; what cannot be changed says so. */
import type { Message, RequestMessage, ResponseMessage } from '../../metaprotocol/message.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { attributesOf, dataOf, type Received } from '../received.ts';
import type { AnsweredExchange, Subject } from '../subject.ts';

export type Direction = 'request' | 'response';

const VALUES = ['changed', '', 'ünïcödé ✓', `${'long '.repeat(50)}end`];
export const OPEN_KEY = 'x-conformance';

export const requestMutation: Check = mutationCheck('request');
export const responseMutation: Check = mutationCheck('response');

function mutationCheck(direction: Direction): Check {
  return {
    name: `${direction}-mutation`,
    title: `an edited ${direction} decodes to the edit, and nothing else changed`,
    gate: ({ factory }) =>
      factory.manifest.capabilities[`${direction}Mutation`] === false ? `${direction}s cannot be changed` : null,
    negative(subject) {
      for (const exchange of subject.answered) {
        const { message } = sideOf(subject, exchange, direction);
        for (const key of keysOf(subject, message)) {
          expectSame(message.set(key, 'changed'), false, `set(${key}) of a ${direction} that cannot be changed`);
        }
      }
    },
    run(subject) {
      let applied = 0;
      for (const exchange of subject.answered) {
        for (const key of keysOf(subject, sideOf(subject, exchange, direction).message)) {
          // What is like the value that is there is of its form: a path stays a path.
          const { message } = sideOf(subject, exchange, direction);
          for (const value of [...VALUES, `${message.get(key) ?? ''}-changed`]) {
            applied += tryEdit(subject, exchange, direction, key, value);
          }
        }
        expectImmutable(subject, sideOf(subject, exchange, direction).message, direction);
      }
      expectThat(applied > 0, `no edit of any ${direction} was accepted`);
    },
  };
}

export interface Side {
  readonly message: Message;
  /** Goes through the codec and back: the bytes, and the message that the next codec reads in them. */
  passed(): Passed;
}

interface Passed {
  readonly bytes: Buffer;
  readonly received: Received<Message>;
}

export function sideOf(subject: Subject, exchange: AnsweredExchange, direction: Direction): Side {
  if (direction === 'request') {
    const { message } = subject.request(exchange);
    return {
      message: message.head,
      passed() {
        const wire = subject.sent(message);
        return {
          bytes: wire.bytes,
          received: subject.requestIn(wire, `edited request of ${exchange.name}`).message,
        };
      },
    };
  }
  const response = subject.response(exchange);
  return {
    message: response.head,
    passed() {
      const wire = subject.delivered(subject.request(exchange), response);
      const received = subject.responseIn(wire, exchange, `edited response of ${exchange.name}`);
      return { bytes: wire.bytes, received };
    },
  };
}

/** Mutable keys that routes may name. */
export function keysOf({ factory }: Subject, message: Message): string[] {
  const { fixed, open } = factory.manifest.attributes;
  const keys = fixed.filter(({ key, mutable }) => mutable && message.get(key) !== undefined).map(({ key }) => key);
  if (open?.mutable !== true) return keys;
  const fixedKeys = new Set(fixed.map(({ key }) => key));
  const present = new Set(attributesOf(message).flatMap(([key]) => (fixedKeys.has(key) ? [] : [key])));
  return [...keys, OPEN_KEY, ...present];
}

/** 1 if the message took it. */
function tryEdit(
  subject: Subject,
  exchange: AnsweredExchange,
  direction: Direction,
  key: string,
  value: string,
): 0 | 1 {
  const what = `${direction} of ${exchange.name} with ${key} set to ${JSON.stringify(value.slice(0, 20))}`;
  const side = sideOf(subject, exchange, direction);
  const untouched = sideOf(subject, exchange, direction).passed();
  const before = attributesOf(side.message);
  const original = side.message.get(key);
  if (!side.message.set(key, value)) {
    expectSame(attributesOf(side.message), before, `attributes after a refused edit: ${what}`);
    expectBytes(side.passed().bytes, untouched.bytes, `bytes after a refused edit: ${what}`);
    return 0;
  }
  expectSame(side.message.get(key), value, `get after set: ${what}`);
  const edited = side.passed();
  expectSame(edited.received.head.get(key), value, `what the next codec reads: ${what}`);
  expectOthersSame(subject, edited, untouched, key, what);

  const undone = original === undefined ? side.message.remove(key) : side.message.set(key, original);
  expectThat(undone, `the edit could not be undone: ${what}`);
  const restored = side.passed();
  expectSame(restored.received.head.get(key), original, `after the edit was undone: ${what}`);
  expectOthersSame(subject, restored, untouched, key, `${what}, undone`);
  return 1;
}

function expectOthersSame(subject: Subject, actual: Passed, expected: Passed, key: string, what: string): void {
  const touched = [key, ...subject.followersOf(key)];
  const others = ({ received }: Passed) =>
    attributesOf(received.head)
      .filter(([other]) => !touched.includes(other))
      .sort(([a], [b]) => (a < b ? -1 : 1));
  expectSame(others(actual), others(expected), `other attributes: ${what}`);
  expectSame(actual.received.head.flags, expected.received.head.flags, `flags: ${what}`);
  const body = subject.bodyOf(actual.bytes);
  if (body !== null) expectBytes(body, subject.bodyOf(expected.bytes)!, `body: ${what}`);
  expectBytes(dataOf(actual.received), dataOf(expected.received), `data: ${what}`);
  const trailers = ({ received }: Passed) => received.trailers && attributesOf(received.trailers);
  expectSame(trailers(actual), trailers(expected), `trailers: ${what}`);
  const { frameId } = subject;
  if (frameId !== null) expectSame(frameId.read(actual.bytes), frameId.read(expected.bytes), `id: ${what}`);
}

function expectImmutable({ factory }: Subject, message: Message, direction: Direction): void {
  const before = attributesOf(message);
  for (const { key, mutable } of factory.manifest.attributes.fixed) {
    if (!mutable) expectSame(message.set(key, 'changed'), false, `set(${key}) of a ${direction}: it is not mutable`);
  }
  expectSame(attributesOf(message), before, `attributes of a ${direction} after refused edits`);
}

export const forkCheck: Check = {
  name: 'fork',
  title: "a fork's edits never show in the original, nor the other way round",
  run(subject) {
    for (const exchange of subject.answered) {
      const { message } = subject.request(exchange);
      subject.sent({ ...message, head: expectForks(subject, exchange, 'request', message.head) });
      expectForks(subject, exchange, 'response', subject.response(exchange).head);
    }
  },
};

/** Gives a fork with edits of its own. */
function expectForks<M extends RequestMessage | ResponseMessage>(
  subject: Subject,
  exchange: AnsweredExchange,
  direction: Direction,
  message: M,
): M {
  const what = `${direction} of ${exchange.name}`;
  const before = attributesOf(message);
  const bytesBefore = message.raw === null ? null : Buffer.from(message.raw);
  const fork = message.fork();
  expectThat(fork !== message, `fork of a ${what} is the message itself`);
  expectSame(attributesOf(fork), before, `attributes of a fork, ${what}`);
  for (const key of keysOf(subject, message)) {
    if (!fork.set(key, 'forked')) continue;
    expectSame(attributesOf(message), before, `attributes after an edit of its fork, ${what}`);
    message.set(key, 'original');
    expectSame(fork.get(key), 'forked', `attribute ${key} of a fork after an edit of the original, ${what}`);
    const second = fork.fork();
    expectSame(second.get(key), 'forked', `attribute ${key} of a fork's fork, ${what}`);
    second.set(key, 'second');
    expectSame(fork.get(key), 'forked', `attribute ${key} after an edit of its fork, ${what}`);
    break;
  }
  if (bytesBefore !== null) expectBytes(message.raw!, bytesBefore, `raw after edits, ${what}`);
  return fork as M;
}
