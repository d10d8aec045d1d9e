/** Header matchers of a route, as matches on a message's attributes. */
import type { AttributeMatch, AttributeTest, TextTest } from '../../metaprotocol/description.ts';
import type { Reader } from './reader.ts';

/** The older fields of `HeaderMatcher` that stand beside `string_match`. */
const LEGACY = {
  exactMatch: 'exact',
  prefixMatch: 'prefix',
  suffixMatch: 'suffix',
  containsMatch: 'contains',
} as const;

export function readAttributeMatch(matcher: Reader): AttributeMatch | null {
  const key = matcher.string('name');
  if (key === '') matcher.error('a name is required', 'name');
  let invert = matcher.flag('invertMatch');
  const absentIsEmpty = matcher.flag('treatMissingHeaderAsEmpty');

  const tests: AttributeTest[] = [];
  const stringMatch = matcher.child('stringMatch');
  if (stringMatch !== null) {
    const test = readTextTest(stringMatch);
    if (test !== null) tests.push(test);
  }
  for (const [field, kind] of Object.entries(LEGACY)) {
    if (matcher.has(field)) tests.push({ kind, value: matcher.string(field), ignoreCase: false });
  }
  const regex = matcher.child('safeRegexMatch');
  if (regex !== null) tests.push(readRegex(regex));
  const range = matcher.child('rangeMatch');
  if (range !== null) {
    const lowest = Number.MIN_SAFE_INTEGER;
    tests.push({ kind: 'range', start: range.number('start', 0, lowest), end: range.number('end', 0, lowest) });
  }
  if (matcher.has('presentMatch') && !matcher.flag('presentMatch')) invert = !invert;
  matcher.end('error');

  if (tests.length > 1) matcher.error(`${tests.length} tests for one header, expected one`);
  if (tests.length === 0 && stringMatch !== null) return null;
  // Without a test the header only has to be there.
  return { key, test: tests[0] ?? { kind: 'present' }, invert, absentIsEmpty };
}

/** A StringMatcher. */
export function readTextTest(match: Reader): TextTest | null {
  const ignoreCase = match.flag('ignoreCase');
  let test: TextTest | null = null;
  for (const kind of ['exact', 'prefix', 'suffix', 'contains'] as const) {
    if (match.has(kind)) test = { kind, value: match.string(kind), ignoreCase };
  }
  const regex = match.child('safeRegex');
  if (regex !== null) {
    test = readRegex(regex);
    if (ignoreCase) match.error('has no effect on a regex; write (?i) into it', 'ignoreCase');
  }
  match.end('error');
  if (test === null) match.error('expected one of exact, prefix, suffix, contains, safeRegex');
  return test;
}

export function readRegex(regex: Reader): TextTest {
  // RE2 is the only engine; its own settings object says nothing more.
  regex.ignore('googleRe2');
  const value = regex.string('regex');
  regex.end('error');
  return { kind: 'regex', value };
}
