import { describe, expect, test } from 'vitest';
import { ConfigError } from '../config-error.ts';
import type { AttributeMatch, AttributeTest } from '../description.ts';
import type { Message } from '../message.ts';
import { compileMatcher } from './matcher.ts';

/** Only `get` is asked by matchers. */
function messageWith(attributes: Record<string, string>): Message {
  return { get: (key: string) => attributes[key] } as Message;
}

function matches(test: AttributeTest, value: string | undefined, more: Partial<AttributeMatch> = {}): boolean {
  const matcher = compileMatcher({ key: 'k', test, invert: false, absentIsEmpty: false, ...more });
  return matcher.matches(messageWith(value === undefined ? {} : { k: value }));
}

const exact = (value: string, ignoreCase = false): AttributeTest => ({ kind: 'exact', value, ignoreCase });
const regex = (value: string): AttributeTest => ({ kind: 'regex', value });

describe('compileMatcher', () => {
  test.each([
    [exact('sayHello'), 'sayHello', true],
    [exact('sayHello'), 'sayHello01', false],
    [exact('SAYHELLO', true), 'sayHello', true],
    [{ kind: 'prefix', value: 'say', ignoreCase: false }, 'sayHello', true],
    [{ kind: 'prefix', value: 'sayHello', ignoreCase: false }, 'say', false],
    [{ kind: 'suffix', value: 'Hello', ignoreCase: false }, 'sayHello', true],
    [{ kind: 'contains', value: 'yHe', ignoreCase: false }, 'sayHello', true],
    [{ kind: 'contains', value: 'YHE', ignoreCase: true }, 'sayHello', true],
    [regex('say.*'), 'sayHello', true],
    [regex('Hello'), 'sayHello', false],
    [regex('1|2'), '2', true],
    [regex('1|2'), '12', false],
    [{ kind: 'range', start: 1, end: 10 }, '9', true],
    [{ kind: 'range', start: 1, end: 10 }, '10', false],
    [{ kind: 'range', start: 1, end: 10 }, '5x', false],
    [{ kind: 'present' }, '', true],
  ] as [AttributeTest, string, boolean][])('%j on %j: %s', (test, value, expected) => {
    expect(matches(test, value)).toBe(expected);
    expect(matches(test, value, { invert: true })).toBe(!expected);
  });

  test('an absent key matches only presence inverted, or what an empty value would', () => {
    expect(matches(exact('a'), undefined)).toBe(false);
    expect(matches(exact('a'), undefined, { invert: true })).toBe(false);
    expect(matches(exact('a'), undefined, { invert: true, absentIsEmpty: true })).toBe(true);
    expect(matches(exact(''), undefined, { absentIsEmpty: true })).toBe(true);
    expect(matches({ kind: 'present' }, undefined)).toBe(false);
    expect(matches({ kind: 'present' }, undefined, { invert: true })).toBe(true);
  });

  test('a prefix may be answered by the message, which may also leave it to the text', () => {
    const prefix: AttributeTest = { kind: 'prefix', value: 'say', ignoreCase: false };
    const matcher = compileMatcher({ key: 'k', test: prefix, invert: false, absentIsEmpty: false });
    const asked: string[][] = [];
    const message = (told: boolean | null, text: string) =>
      ({
        get: () => text,
        beginsWith(...question: string[]) {
          asked.push(question);
          return told;
        },
      }) as unknown as Message;
    expect([true, false, null].map((told) => matcher.matches(message(told, 'sayHello')))).toEqual([true, false, true]);
    expect(matcher.matches(message(null, 'Hello'))).toBe(false);
    expect(asked[0]).toEqual(['k', 'say']);
  });

  test.each([
    [exact('Zürich'), 'Zürich', true],
    [exact('Zürich'), 'Zurich', false],
    [{ kind: 'prefix', value: 'Zü', ignoreCase: false }, 'Zürich', true],
    [{ kind: 'suffix', value: '東', ignoreCase: false }, 'a東', true],
    [regex('Z.rich'), 'Zürich', true],
    [regex('[東京]{2}'), '東京', true],
    [regex('.'), '東京', false],
  ] as [AttributeTest, string, boolean][])('%j on %j, as text and as bytes: %s', (test, value, expected) => {
    const message = { bytewise: true, get: () => Buffer.from(value).toString('latin1') } as unknown as Message;
    for (const invert of [false, true]) {
      const matcher = compileMatcher({ key: 'k', test, invert, absentIsEmpty: false });
      expect(matcher.matches(message)).toBe(expected !== invert);
      expect(matcher.matches(messageWith({ k: value }))).toBe(expected !== invert);
    }
  });

  test('bytes that are no UTF-8 are other characters than any text', () => {
    const message = { bytewise: true, get: () => 'Z\xfcrich' } as unknown as Message;
    const holds = (test: AttributeTest) =>
      compileMatcher({ key: 'k', test, invert: false, absentIsEmpty: false }).matches(message);
    expect([exact('Zürich'), regex('Zürich'), regex('Z.*')].map(holds)).toEqual([false, false, true]);
  });

  test('a regular expression that would backtrack for ever takes linear time', () => {
    expect(matches(regex('(a+)+'), `${'a'.repeat(50_000)}b`)).toBe(false);
  });

  test('what is not RE2 syntax is a config error that quotes it', () => {
    expect(() => matches(regex('(?=x)'), '')).toThrow(ConfigError);
    expect(() => matches(regex('*'), '')).toThrow('regex "*" is not RE2 syntax');
  });
});
