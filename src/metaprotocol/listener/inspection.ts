/** Compiles what a listener asks of first bytes: nothing, where its chains need nothing. */
import type { CodecFactory } from '../codec.ts';
import type { ConfigIssue } from '../config-error.ts';
import type { Log } from '../core.ts';
import type { DetectedProtocol, InspectionDescription } from '../description.ts';
import { textOf } from '../error-text.ts';
import type { Registry } from '../registry.ts';
import type { Detector, Inspection } from './inspected-wire.ts';

/** Above it a connection could make the proxy hold much before it is known for anything. */
const DETECT_LIMIT_BYTES = 65_536;

/** `readsHello`: a chain needs what a ClientHello says. */
export function compileInspection(
  description: InspectionDescription,
  readsHello: boolean,
  registry: Registry,
  log: Log,
  issues: ConfigIssue[],
): Inspection | null {
  const { detectBytes, timeoutMs, continueOnTimeout } = description;
  if (!(detectBytes >= 1 && detectBytes <= DETECT_LIMIT_BYTES)) {
    issues.push({
      path: 'inspection.detectBytes',
      message: `${detectBytes} is not a number of bytes from 1 to ${DETECT_LIMIT_BYTES}`,
    });
  }
  const detectors = description.detect.flatMap((protocol, index): Detector[] => {
    const factory = registry.codec(protocol.codec);
    if (factory?.detect !== undefined) return [detectorOf(factory, factory.detect, protocol, log)];
    const what = factory === undefined ? 'this proxy has no such codec' : 'its first bytes do not tell it from others';
    issues.push({ path: `inspection.detect[${index}]`, message: `${JSON.stringify(protocol.codec)}: ${what}` });
    return [];
  });
  if (!readsHello && detectors.length === 0) return null;
  return { readsHello, detectors, detectBytes, timeoutMs, continueOnTimeout };
}

/** A codec is a plugin's code: what it throws ends nobody's connection but by being no match. */
function detectorOf(
  factory: CodecFactory,
  detect: Detector['detect'],
  { applicationProtocols }: DetectedProtocol,
  log: Log,
): Detector {
  return {
    applicationProtocols,
    detect: (head) => {
      try {
        return detect.call(factory, head);
      } catch (error) {
        log.error({ codec: factory.manifest.name, error }, `codec failed in detect: ${textOf(error)}`);
        return 'reject';
      }
    },
  };
}
