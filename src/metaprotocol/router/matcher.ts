/** Attribute matchers, compiled from their description. Regular expressions are RE2 syntax in linear time and match the whole value. */
import { RE2JS } from 're2js';
import { bytewise, isAscii, textOfBytewise } from '../bytewise-text.ts';
import { ConfigError } from '../config-error.ts';
import type { AttributeMatch, AttributeTest } from '../description.ts';
import type { Message } from '../message.ts';

type ValueTest = Exclude<AttributeTest, { kind: 'present' }>;

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
    const value = this.valueOf(message);
    return value === undefined ? this.#absent : this.#test(value) === this.#wanted;
  }

  protected valueOf(message: Message): string | undefined {
    return message.get(this.#key);
  }
}

/** Characters, not bytes, are what a regular expression is about. */
class RegexMatcher extends TestMatcher {
  protected override valueOf(message: Message): string | undefined {
    const value = super.valueOf(message);
    return value !== undefined && message.bytewise === true ? textOfBytewise(value) : value;
  }
}

/** A text that is not the same in a bytewise message. */
class WideMatcher implements Matcher {
  readonly #text: Matcher;
  readonly #bytes: Matcher;

  constructor(text: Matcher, bytes: Matcher) {
    this.#text = text;
    this.#bytes = bytes;
  }

  matches(message: Message): boolean {
    return (message.bytewise === true ? this.#bytes : this.#text).matches(message);
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
  const { test } = match;
  if (test.kind === 'present') return new PresenceMatcher(match.key, !match.invert);
  if (test.kind === 'regex') return new RegexMatcher(match, compileTest(test));
  if (test.kind === 'range' || isAscii(test.value)) return compileText(match, test);
  return new WideMatcher(compileText(match, test), compileText(match, { ...test, value: bytewise(test.value) }));
}

function compileText(match: AttributeMatch, test: ValueTest): Matcher {
  const plain = !match.invert && !match.absentIsEmpty;
  if (plain && test.kind === 'exact' && !test.ignoreCase) return new ExactMatcher(match.key, test.value);
  if (plain && test.kind === 'prefix' && !test.ignoreCase) return new PrefixMatcher(match.key, test.value);
  return new TestMatcher(match, compileTest(test));
}

/** Throws ConfigError for what cannot be compiled. */
export function compileTest(test: ValueTest): (value: string) => boolean {
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
