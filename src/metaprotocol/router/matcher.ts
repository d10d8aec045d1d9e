/** Attribute matchers, compiled from their description. Regular expressions are RE2 syntax in linear time and match the whole value. */
import { RE2JS } from 're2js';
import { ConfigError } from '../config-error.ts';
import type { AttributeMatch, AttributeTest } from '../description.ts';
import type { Message } from '../message.ts';

export interface Matcher {
  matches(message: Message): boolean;
}

class ExactMatcher implements Matcher {
  readonly #key: string;
  readonly #value: string;

  constructor(key: string, value: string) {
    this.#key = key;
    this.#value = value;
  }

  matches(message: Message): boolean {
    return message.get(this.#key) === this.#value;
  }
}

/** The usual way to route by key or path: asked of most requests, so codecs may answer from the bytes. */
class PrefixMatcher implements Matcher {
  readonly #key: string;
  readonly #prefix: string;

  constructor(key: string, prefix: string) {
    this.#key = key;
    this.#prefix = prefix;
  }

  matches(message: Message): boolean {
    const told = message.beginsWith?.(this.#key, this.#prefix) ?? null;
    return told ?? message.get(this.#key)?.startsWith(this.#prefix) === true;
  }
}

class TestMatcher implements Matcher {
  readonly #key: string;
  readonly #test: (value: string) => boolean;
  readonly #wanted: boolean;
  readonly #absent: boolean;

  constructor(match: AttributeMatch, test: (value: string) => boolean) {
    this.#key = match.key;
    this.#test = test;
    this.#wanted = !match.invert;
    // What an absent key gives, decided once.
    this.#absent = match.absentIsEmpty && test('') === this.#wanted;
  }

  matches(message: Message): boolean {
    const value = message.get(this.#key);
    return value === undefined ? this.#absent : this.#test(value) === this.#wanted;
  }
}

class PresenceMatcher implements Matcher {
  readonly #key: string;
  readonly #wanted: boolean;

  constructor(key: string, wanted: boolean) {
    this.#key = key;
    this.#wanted = wanted;
  }

  matches(message: Message): boolean {
    return (message.get(this.#key) !== undefined) === this.#wanted;
  }
}

/** Throws ConfigError for what cannot be compiled. */
export function compileMatcher(match: AttributeMatch): Matcher {
  if (match.test.kind === 'present') return new PresenceMatcher(match.key, !match.invert);
  const plain = !match.invert && !match.absentIsEmpty;
  if (plain && match.test.kind === 'exact' && !match.test.ignoreCase)
    return new ExactMatcher(match.key, match.test.value);
  if (plain && match.test.kind === 'prefix' && !match.test.ignoreCase) {
    return new PrefixMatcher(match.key, match.test.value);
  }
  return new TestMatcher(match, compileTest(match.test));
}

/** Throws ConfigError for what cannot be compiled. */
export function compileTest(test: Exclude<AttributeTest, { kind: 'present' }>): (value: string) => boolean {
  switch (test.kind) {
    case 'regex':
      return compileRegex(test.value);
    case 'range': {
      const { start, end } = test;
      return (value) => {
        if (!/^-?\d+$/.test(value)) return false;
        const number = Number(value);
        return number >= start && number < end;
      };
    }
    default: {
      const wanted = test.ignoreCase ? test.value.toLowerCase() : test.value;
      const compare = COMPARE[test.kind];
      return test.ignoreCase ? (value) => compare(value.toLowerCase(), wanted) : (value) => compare(value, wanted);
    }
  }
}

const COMPARE = {
  exact: (value: string, wanted: string) => value === wanted,
  prefix: (value: string, wanted: string) => value.startsWith(wanted),
  suffix: (value: string, wanted: string) => value.endsWith(wanted),
  contains: (value: string, wanted: string) => value.includes(wanted),
} as const;

function compileRegex(source: string): (value: string) => boolean {
  try {
    const regex = RE2JS.compile(source);
    return (value) => regex.matches(value);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new ConfigError([{ path: '', message: `regex ${JSON.stringify(source)} is not RE2 syntax: ${reason}` }]);
  }
}
