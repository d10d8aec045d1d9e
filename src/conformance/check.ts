/** Check: one thing that every codec must do, and how a failure says what went wrong. */
import { inspect } from 'node:util';
import type { Subject } from './subject.ts';

export interface Check {
  /** Stable name: `split-points`. */
  readonly name: string;
  /** What is promised if it passes. */
  readonly title: string;
  /**
   * Why it does not apply to this codec; null: it does. Only what a capability gates may say so, and then `run` is replaced by
   * `negative`: a codec that says it cannot must not do it half.
   */
  readonly gate?: (subject: Subject) => string | null;
  readonly negative?: (subject: Subject) => void;
  readonly run: (subject: Subject) => void;
}

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
