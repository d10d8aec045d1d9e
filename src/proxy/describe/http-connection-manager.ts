/** HttpConnectionManager into a chain of the HTTP codec. Its filters are those of this proxy, by name. */
import { CALLER_TIMEOUTS, type CallerTimeouts, type FilterDescription } from '../../metaprotocol/description.ts';
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import { readAccessLogs } from './access-log.ts';
import { messageNameOf, optionsOf } from './any.ts';
import type { ChainPlan, ChainStart } from './listener-plan.ts';
import type { Reader } from './reader.ts';

/** The codec of every HTTP listener. */
export const HTTP_CODEC = 'http1';
/** In front of the name of a filter of this proxy, and of the options of its codec, in their types. */
const OWN_FILTER = 'meltemi.filter.';
const OWN_CODEC = `meltemi.codec.${HTTP_CODEC}.Options`;
/** Envoy's, where the listener says nothing. */
const STREAM_IDLE_TIMEOUT_MS = 300_000;

/** As in Envoy, but that a head is bounded where nothing is said, and that tunnels may be silent for longer than other streams then. */
function readTimeouts(manager: Reader, common: Reader | null): CallerTimeouts {
  const { idleMs, headMs, requestMs } = CALLER_TIMEOUTS;
  const connectionIdleMs = common?.durationMs('idleTimeout', idleMs) ?? idleMs;
  const streamIdleMs = manager.durationMs('streamIdleTimeout', STREAM_IDLE_TIMEOUT_MS);
  return {
    idleMs: connectionIdleMs,
    headMs: manager.durationMs('requestHeadersTimeout', headMs),
    requestMs: manager.durationMs('requestTimeout', requestMs),
    streamIdleMs,
    tunnelIdleMs: manager.has('streamIdleTimeout') ? streamIdleMs : idleMs,
  };
}

export function readHttpConnectionManager(
  manager: Reader,
  start: ChainStart,
  readRoutes: (owner: Reader) => ChainPlan['routes'],
): ChainPlan {
  const codec = manager.string('codecType', 'AUTO');
  if (codec !== 'AUTO' && codec !== 'HTTP1')
    manager.error(`${codec} is not built yet, expected HTTP1 or AUTO`, 'codecType');
  let codecOptions: unknown = {};
  const filters: FilterDescription[] = [];
  for (const filter of manager.children('httpFilters')) {
    const name = filter.string('name');
    const config = filter.child('typedConfig');
    const kind = config === null ? '' : messageNameOf(config);
    filter.end('note');
    if (kind === messageName(TypeUrl.HttpRouter)) continue;
    if (config !== null && kind === OWN_CODEC) codecOptions = optionsOf(config);
    else if (config !== null && kind === `${OWN_FILTER}${name}`) filters.push({ name, options: optionsOf(config) });
    else
      filter.error(
        `HTTP filter ${kind === '' ? name : kind} is not supported; expected the router or ${OWN_FILTER}<name>`,
      );
  }
  if (manager.flag('normalizePath')) codecOptions = { pathNormalization: 'base', ...(codecOptions as object) };
  const common = manager.child('commonHttpProtocolOptions');
  const plan: ChainPlan = {
    ...start,
    protocol: HTTP_CODEC,
    codecOptions,
    routes: readRoutes(manager),
    filters: [...filters, ...readAccessLogs(manager)],
    statPrefix: manager.string('statPrefix', start.name),
    timeouts: readTimeouts(manager, common),
    maxStreams: null,
  };
  common?.end('note');
  // The listener's.
  manager.ignore('@type', 'useRemoteAddress');
  manager.end('note');
  return plan;
}
