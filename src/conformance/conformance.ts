/** What `import … from 'meltemi/conformance'` gives: the checks that every codec must pass, and the ends to test one by hand. */
export { capabilityMatrix, withMatrix } from './capability-matrix.ts';
export type { Check } from './check.ts';
export { type Cost, measureCost } from './checks/cost.ts';
export { benchClient, benchServer, type CodecBench } from './codec-bench.ts';
export { CheckFailure } from './expect.ts';
export { feed, feedBytewise } from './feed.ts';
export { readHexSample, readSamples } from './read-samples.ts';
export { RecordingOutput } from './recording-output.ts';
export { RecordingSink, type SinkEvent } from './recording-sink.ts';
export { reportJunit, reportText } from './report.ts';
export {
  CHECKS,
  type CheckResult,
  type ConformanceReport,
  type RegisterTest,
  runCheck,
  runConformance,
  testCodec,
} from './run-conformance.ts';
export type { Exchange, HeartbeatSample, ProtocolTraits, Sample, Samples } from './sample.ts';
export { type Conformance, Subject } from './subject.ts';
