/** Listener filters: what is asked of a connection's first bytes. TLS is asked wherever a chain needs it, whatever is written. */
import { type DetectedProtocol, INSPECTION, type InspectionDescription } from '../../metaprotocol/description.ts';
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import { messageNameOf } from './any.ts';
import { HTTP_CODEC } from './http-connection-manager.ts';
import type { Reader } from './reader.ts';

/** Of a listener that detects protocols: servers that speak first would be waited with for longer. */
const DETECT_TIMEOUT_MS = 5_000;
/** As Envoy's http_inspector names them. */
const HTTP: DetectedProtocol = { codec: HTTP_CODEC, applicationProtocols: ['http/1.1', 'http/1.0'] };

export function readInspection(listener: Reader): InspectionDescription {
  const detect: DetectedProtocol[] = [];
  let { detectBytes } = INSPECTION;
  for (const filter of listener.children('listenerFilters')) {
    const config = filter.child('typedConfig');
    const kind = config === null ? '' : messageNameOf(config);
    filter.ignore('name');
    filter.end('error');
    if (config !== null && kind === messageName(TypeUrl.ProtocolInspector)) {
      const protocols = config.strings('protocols');
      if (protocols.length === 0) config.error('names no protocol', 'protocols');
      detect.push(...protocols.map((codec) => ({ codec, applicationProtocols: [codec] })));
      detectBytes = config.number('maxBytes', detectBytes, 1);
      config.ignore('@type');
      config.end('note');
    } else if (kind === messageName(TypeUrl.HttpInspector)) detect.push(HTTP);
    else if (kind !== messageName(TypeUrl.TlsInspector)) {
      filter.error(
        `listener filter ${kind} is not supported; expected TlsInspector, HttpInspector or ProtocolInspector`,
      );
    }
  }
  return {
    detect,
    detectBytes,
    timeoutMs: listener.durationMs(
      'listenerFiltersTimeout',
      detect.length > 0 ? DETECT_TIMEOUT_MS : INSPECTION.timeoutMs,
    ),
    continueOnTimeout: listener.flag('continueOnListenerFiltersTimeout'),
  };
}
