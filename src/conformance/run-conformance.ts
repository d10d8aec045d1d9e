/** runConformance: every check on one codec, one result each. `testCodec` gives the same checks to a test runner. */
import type { Check } from './check.ts';
import { backpressureCheck, longBodyCheck, windowCheck } from './checks/bodies.ts';
import { byteAccess } from './checks/byte-access.ts';
import { closeInCallback, pauseInCallback, quietCommands } from './checks/callbacks.ts';
import { costCheck } from './checks/cost.ts';
import { drainCheck, heartbeatCheck, onewayCheck, repliesCheck } from './checks/exchange.ts';
import { lentBytes, manyInOneRead, passThrough, splitPoints } from './checks/framing.ts';
import { attributesCheck, detectCheck, goldenRequests, goldenResponses, manifestCheck } from './checks/golden.ts';
import { idsCheck, lateAnswers, repeatedIds } from './checks/ids.ts';
import { fuzzCheck, oversizeCheck, truncatedCheck } from './checks/malformed.ts';
import { forkCheck, requestMutation, responseMutation } from './checks/mutation.ts';
import { runsCheck } from './checks/runs.ts';
import { earlyAnswerCheck, trailersCheck, tunnelCheck } from './checks/stream-ends.ts';
import { CheckFailure } from './expect.ts';
import { type Conformance, Subject } from './subject.ts';

/** In the order in which a codec is best made to pass. Only those with a gate can be switched off by a capability. */
export const CHECKS: readonly Check[] = Object.freeze([
  manifestCheck,
  goldenRequests,
  goldenResponses,
  attributesCheck,
  byteAccess,
  splitPoints,
  manyInOneRead,
  passThrough,
  lentBytes,
  idsCheck,
  repeatedIds,
  lateAnswers,
  runsCheck,
  requestMutation,
  responseMutation,
  forkCheck,
  repliesCheck,
  onewayCheck,
  heartbeatCheck,
  drainCheck,
  closeInCallback,
  pauseInCallback,
  quietCommands,
  oversizeCheck,
  truncatedCheck,
  fuzzCheck,
  detectCheck,
  costCheck,
  longBodyCheck,
  backpressureCheck,
  windowCheck,
  earlyAnswerCheck,
  trailersCheck,
  tunnelCheck,
]);

export interface CheckResult {
  readonly name: string;
  readonly title: string;
  /** `not applicable`: a capability says so, and that was checked. */
  readonly verdict: 'passed' | 'failed' | 'not applicable';
  /** Why it failed or does not apply. */
  readonly reason: string;
  readonly ms: number;
}

export interface ConformanceReport {
  readonly codec: string;
  readonly version: string;
  readonly seed: number;
  readonly passed: boolean;
  readonly results: readonly CheckResult[];
}

export function runConformance(conformance: Conformance, checks: readonly Check[] = CHECKS): ConformanceReport {
  const subject = new Subject(conformance);
  const { name, version } = conformance.factory.manifest;
  const results = checks.map((check) => runCheck(check, subject));
  const passed = results.every(({ verdict }) => verdict !== 'failed');
  return { codec: name, version, seed: subject.seed, passed, results };
}

export function runCheck(check: Check, subject: Subject): CheckResult {
  const { name, title } = check;
  const startedAt = performance.now();
  const done = (verdict: CheckResult['verdict'], reason: string): CheckResult => {
    return { name, title, verdict, reason, ms: Math.round(performance.now() - startedAt) };
  };
  try {
    const absent = check.gate?.(subject) ?? null;
    if (absent !== null) {
      check.negative?.(subject);
      return done('not applicable', absent);
    }
    check.run(subject);
    return done('passed', '');
  } catch (error) {
    if (error instanceof CheckFailure) return done('failed', error.message);
    return done('failed', error instanceof Error ? (error.stack ?? error.message) : String(error));
  }
}

/** Registers a test: vitest's and node:test's `it` and `test` fit. */
export type RegisterTest = (name: string, run: () => void) => void;

/** Every check as a test of its own. */
export function testCodec(conformance: Conformance, it: RegisterTest): void {
  const subject = new Subject(conformance);
  for (const check of CHECKS) {
    it(`${check.name}: ${check.title}`, () => {
      const { verdict, reason } = runCheck(check, subject);
      if (verdict === 'failed') throw new CheckFailure(reason);
    });
  }
}
