/** expectThat, expectSame, expectBytes: how a check says what went wrong. */
import { inspect } from 'node:util';

/** What a check throws: actual and expected, in words. */
export class CheckFailure extends Error {}

export function fail(message: string): never {
  throw new CheckFailure(message);
}

export function expectThat(condition: boolean, message: string): asserts condition {
  if (!condition) fail(message);
}

export function expectSame(actual: unknown, expected: unknown, what: string): void {
  const shown = [actual, expected].map((value) => inspect(value, { depth: 6, breakLength: Number.POSITIVE_INFINITY }));
  if (shown[0] !== shown[1]) fail(`${what}: ${shown[0]}, expected ${shown[1]}`);
}

/** Names the first byte that differs. */
export function expectBytes(actual: Buffer, expected: Buffer, what: string): void {
  if (actual.equals(expected)) return;
  let at = 0;
  while (at < actual.length && at < expected.length && actual[at] === expected[at]) at++;
  const from = Math.max(0, at - 8);
  const part = (bytes: Buffer) => bytes.toString('hex', from, at + 8);
  fail(
    `${what}: byte ${at} differs: …${part(actual)}… (${actual.length} bytes), expected …${part(expected)}… (${expected.length} bytes)`,
  );
}
