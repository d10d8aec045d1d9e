/** Byte access: what a codec tells and takes as bytes, to save the text, is the text that it tells and takes otherwise. */
import type { ByteRange, Message } from '../../metaprotocol/message.ts';
import type { Check } from '../check.ts';
import { expectBytes, expectSame, expectThat } from '../expect.ts';
import { attributesOf } from '../received.ts';
import type { AnsweredExchange, Subject } from '../subject.ts';
import { type Direction, keysOf, OPEN_KEY, sideOf } from './mutation.ts';

const ABSENT_KEYS = ['conformance-absent-key', 'constructor'];
const ADDED = ['added', '', ' two words ', 'caf\u00e9', 'a\r\nb: c', 'a\0b'];
const AROUND = '<<>>';

export const byteAccess: Check = {
  name: 'byte-access',
  title: 'beginsWith and locate tell what get tells, and addBytes adds what add adds',
  run(subject) {
    for (const exchange of subject.exchanges) {
      expectSameText(subject, subject.request(exchange).head, `request of ${exchange.name}`);
    }
    for (const exchange of subject.answered) {
      expectSameText(subject, subject.response(exchange).head, `response of ${exchange.name}`);
      for (const direction of ['request', 'response'] as const) {
        const what = `${direction} of ${exchange.name}`;
        expectSameTextOfEdits(subject, exchange, direction, what);
        for (const key of [...new Set([OPEN_KEY, ...namesIn(subject, sideOf(subject, exchange, direction).message)])]) {
          for (const value of ADDED) expectSameAddition(subject, exchange, direction, key, value);
        }
      }
    }
  },
};

/** Every key that the message has or could have. */
function namesIn({ factory }: Subject, message: Message): string[] {
  const declared = factory.manifest.attributes.fixed.map(({ key }) => key);
  return [...new Set([...declared, ...attributesOf(message).map(([key]) => key)])];
}

/** Of the message as it came, when it was kept, and of a fork. */
function expectSameText(subject: Subject, message: Message, what: string): void {
  const keys = [...namesIn(subject, message), ...ABSENT_KEYS];
  const expectAll = (one: Message, state: string): void => {
    for (const key of keys) expectSameValue(one, key, `${what}${state}`);
  };
  expectAll(message, '');
  message.keep();
  expectAll(message, ', kept');
  expectAll(message.fork(), ', a fork');
}

function expectSameTextOfEdits(subject: Subject, exchange: AnsweredExchange, direction: Direction, what: string): void {
  for (const key of keysOf(subject, sideOf(subject, exchange, direction).message)) {
    const { message } = sideOf(subject, exchange, direction);
    if (message.set(key, 'changed')) expectSameValue(message, key, `${what}, set`);
    if (message.add(key, 'more')) expectSameValue(message, key, `${what}, added to`);
    if (message.remove(key)) expectSameValue(message, key, `${what}, removed`);
  }
}

/** Both may leave it to `get`, but tell nothing else. */
function expectSameValue(message: Message, key: string, what: string): void {
  const text = message.get(key);
  const value = text ?? '';
  for (const length of [0, 1, value.length >> 1, value.length]) {
    const prefix = value.slice(0, length);
    const expected = [[prefix, text !== undefined] as const, [`${prefix}\u0001`, false] as const];
    for (const [beginning, begins] of expected) {
      const told = message.beginsWith?.(key, beginning) ?? null;
      const call = `beginsWith(${JSON.stringify(key)}, ${JSON.stringify(beginning)})`;
      if (told !== null) expectSame(told, begins, `${call} of a ${what}`);
    }
  }
  const range: ByteRange = { bytes: Buffer.alloc(0), from: 0, to: 0 };
  const found = message.locate?.(key, range) ?? null;
  if (found === null) return;
  const call = `locate(${JSON.stringify(key)}) of a ${what}`;
  expectSame(found, text !== undefined, call);
  if (!found) return;
  const { bytes, from, to } = range;
  expectThat(0 <= from && from <= to && to <= bytes.length, `${call}: [${from}, ${to}) of ${bytes.length} bytes`);
  expectSame(bytes.toString('latin1', from, to), text, call);
}

/** On two of the same message. */
function expectSameAddition(
  subject: Subject,
  exchange: AnsweredExchange,
  direction: Direction,
  key: string,
  value: string,
): void {
  const [byText, byBytes] = [sideOf(subject, exchange, direction), sideOf(subject, exchange, direction)];
  if (byBytes.message.addBytes === undefined) return;
  const what = `${JSON.stringify(value)} added to ${key} as bytes, ${direction} of ${exchange.name}`;
  const bytes = Buffer.from(`${AROUND}${value}${AROUND}`, 'latin1');
  const range = { bytes, from: AROUND.length, to: AROUND.length + value.length };
  expectSame(byBytes.message.addBytes(key, range), byText.message.add(key, value), `whether it is taken: ${what}`);
  expectSame(attributesOf(byBytes.message), attributesOf(byText.message), `attributes: ${what}`);
  expectSameValue(byBytes.message, key, `message with ${what}`);
  expectBytes(byBytes.passed().bytes, byText.passed().bytes, what);
}
