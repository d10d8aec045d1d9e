/** Access logs of a network filter, as filters of its chain. */
import type { FilterDescription } from '../../metaprotocol/description.ts';
import { messageNameOf } from './any.ts';
import type { Reader } from './reader.ts';

const FILE = 'envoy.extensions.access_loggers.file.v3.FileAccessLog';
const STDOUT = 'envoy.extensions.access_loggers.stream.v3.StdoutAccessLog';

export function readAccessLogs(proxy: Reader): FilterDescription[] {
  return proxy.children('accessLog').flatMap((log): FilterDescription[] => {
    const config = log.child('typedConfig');
    log.ignore('name');
    // A condition that nobody tests would log more than it says: harmless, so a note.
    log.end('note');
    const kind = config === null ? '' : messageNameOf(config);
    if (config === null || (kind !== FILE && kind !== STDOUT)) {
      log.note(`not applied: access log ${kind} is not supported; expected FileAccessLog or StdoutAccessLog`);
      return [];
    }
    const path = kind === STDOUT ? '/dev/stdout' : config.string('path');
    const options = { path, ...readFormat(config.child('logFormat')) };
    config.ignore('@type');
    config.end('note');
    return [{ name: 'access_log', options }];
  });
}

function readFormat(logFormat: Reader | null): { format?: string; jsonFormat?: unknown } {
  const text = logFormat?.child('textFormatSource') ?? null;
  const inline = text?.string('inlineString') ?? logFormat?.string('textFormat') ?? '';
  const json = logFormat?.raw('jsonFormat');
  text?.end('note');
  logFormat?.end('note');
  return { ...(inline === '' ? {} : { format: inline }), ...(json === undefined ? {} : { jsonFormat: json }) };
}
