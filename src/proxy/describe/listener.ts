/** Listener resources into the core's listeners: where to bind, and the chains that a connection may take. */
import { CALLER_TIMEOUTS, type ChainMatch, ROUTE, type RouteTableDescription } from '../../metaprotocol/description.ts';
import type { Address, Direction } from '../../metaprotocol/filter.ts';
import { messageName, TypeUrl } from '../../xds/type-urls.ts';
import { readAccessLogs } from './access-log.ts';
import { messageNameOf, optionsOf } from './any.ts';
import { readHttpConnectionManager } from './http-connection-manager.ts';
import { readInlineRoutes } from './inline-routes.ts';
import { readInspection } from './inspection.ts';
import type { ChainPlan, ChainStart, ListenerPlan } from './listener-plan.ts';
import type { Reader } from './reader.ts';
import { readWeightedClusters } from './route-table.ts';
import { readDownstreamTls } from './tls.ts';

/** In front of the name of a filter of this proxy, in the type of its options. */
const OWN_FILTER = 'meltemi.filter.';

export function readListener(listener: Reader): ListenerPlan {
  const bind = readAddress(listener.child('address'), listener, 'address');
  const chains = listener
    .children('filterChains')
    .flatMap((chain, index) => readChain(chain, `chain-${index}`, false) ?? []);
  const last = listener.child('defaultFilterChain');
  if (last !== null) chains.push(...(readChain(last, 'default', true) ?? []));
  if (chains.length === 0 && listener.report.errors.length === 0) listener.error('has no filter chain', 'filterChains');
  const plan = {
    name: listener.string('name'),
    bind,
    serviceAddress: readServiceAddress(listener) ?? bind,
    direction: readDirection(listener),
    chains,
    inspection: readInspection(listener),
  };
  listener.ignore('statPrefix', 'enableReusePort', 'reusePort');
  listener.end('note');
  return plan;
}

/** Envoy has no word for a listener at the edge: there, callers' addresses are those of their connections. */
function readDirection(listener: Reader): Direction {
  if (listener.string('trafficDirection') === 'INBOUND') return 'inbound';
  const filters = listener.children('filterChains').flatMap((chain) => chain.children('filters'));
  return filters.some((filter) => filter.child('typedConfig')?.flag('useRemoteAddress')) ? 'gateway' : 'outbound';
}

function readAddress(address: Reader | null, owner: Reader, field: string): Address {
  const socket = address?.child('socketAddress') ?? null;
  if (socket === null) {
    owner.error('expected a socketAddress', field);
    return { host: '127.0.0.1', port: 0 };
  }
  const read = { host: socket.string('address'), port: socket.number('portValue', 0) };
  socket.ignore('protocol', 'resolverName', 'ipv4Compat');
  socket.end('error');
  return read;
}

function readServiceAddress(listener: Reader): Address | null {
  const metadata = listener.child('metadata')?.child('filterMetadata')?.child('meltemi.service_address') ?? null;
  if (metadata === null) return null;
  const read = { host: metadata.string('address'), port: metadata.number('port', 0) };
  metadata.end('note');
  return read;
}

function readChain(chain: Reader, unnamed: string, isDefault: boolean): ChainPlan[] | null {
  const start: ChainStart = {
    name: chain.string('name', unnamed),
    match: { ...readChainMatch(chain.child('filterChainMatch')), isDefault },
    tls: readDownstreamTls(chain),
  };
  const filters = chain.children('filters');
  chain.ignore('metadata');
  chain.end('error');
  const [filter] = filters;
  if (filters.length !== 1 || filter === undefined) {
    chain.error(`${filters.length} network filters, expected one`, 'filters');
    return null;
  }
  const config = filter.child('typedConfig');
  filter.ignore('name');
  filter.end('error');
  if (config === null) {
    filter.error('expected a typedConfig');
    return null;
  }
  const kind = messageNameOf(config);
  if (kind === messageName(TypeUrl.MetaProtocolProxy)) return [readMetaProtocolProxy(config, start)];
  if (kind === messageName(TypeUrl.TcpProxy)) return [readTcpProxy(config, start)];
  if (kind === messageName(TypeUrl.HttpConnectionManager)) {
    return [readHttpConnectionManager(config, start, readRoutes)];
  }
  config.error(
    `network filter ${kind} is not supported; expected HttpConnectionManager, MetaProtocolProxy or TcpProxy`,
  );
  return null;
}

function readChainMatch(match: Reader | null): Omit<ChainMatch, 'isDefault'> {
  const transport = match?.string('transportProtocol') ?? '';
  const read = {
    destinationPort: match?.has('destinationPort') ? match.number('destinationPort', 0) : null,
    destinationRanges:
      match?.children('prefixRanges').map((range) => {
        const cidr = `${range.string('addressPrefix')}/${range.number('prefixLen', 0)}`;
        range.end('error');
        return cidr;
      }) ?? [],
    serverNames: match?.strings('serverNames') ?? [],
    transport: transport === 'tls' ? ('tls' as const) : transport === 'raw_buffer' ? ('plaintext' as const) : null,
    applicationProtocols: match?.strings('applicationProtocols') ?? [],
  };
  if (transport !== '' && read.transport === null) {
    match?.error(`${JSON.stringify(transport)} is neither "tls" nor "raw_buffer"`, 'transportProtocol');
  }
  // A condition that nobody tests would take more connections than it says.
  match?.end('error');
  return read;
}

function readMetaProtocolProxy(proxy: Reader, start: ChainStart): ChainPlan {
  const protocol = proxy.child('protocol');
  const codec = protocol?.child('codec') ?? proxy.child('codec');
  const codecConfig = codec?.child('config') ?? null;
  // The codec's name is what loads code; the application protocol is only what people call it.
  const codecName = codec?.string('name') ?? '';
  const name = codecName === '' ? (protocol?.string('name') ?? proxy.string('applicationProtocol')) : codecName;
  if (name === '') proxy.error('names no protocol', 'protocol.codec.name');
  const plan: ChainPlan = {
    ...start,
    protocol: name,
    codecOptions: codecConfig === null ? {} : optionsOf(codecConfig),
    routes: readRoutes(proxy),
    filters: [...proxy.children('metaProtocolFilters').flatMap(readFilter), ...readAccessLogs(proxy)],
    statPrefix: proxy.string('statPrefix', start.name),
    timeouts: { ...CALLER_TIMEOUTS, idleMs: proxy.durationMs('idleTimeout', CALLER_TIMEOUTS.idleMs) },
    maxStreams: null,
  };
  protocol?.ignore('name');
  protocol?.end('note');
  codec?.end('note');
  proxy.ignore('@type', 'applicationProtocol');
  proxy.end('note');
  return plan;
}

function readRoutes(proxy: Reader): string | RouteTableDescription {
  const rds = proxy.child('rds');
  const inline = proxy.child('routeConfig');
  if (inline !== null) return readInlineRoutes(inline);
  const name = rds?.string('routeConfigName') ?? '';
  if (name === '') proxy.error('expected rds.routeConfigName or routeConfig');
  // Every resource comes over the one ADS stream, whatever source is written here.
  rds?.ignore('configSource');
  rds?.end('note');
  return name;
}

function readFilter(filter: Reader): { name: string; options: unknown }[] {
  const name = filter.string('name');
  const config = filter.child('config');
  const kind = config === null ? '' : messageNameOf(config);
  filter.end('note');
  if (kind === messageName(TypeUrl.MetaProtocolRouter) || (kind === '' && name.endsWith('filters.router'))) return [];
  if (config !== null && kind === `${OWN_FILTER}${name}`) return [{ name, options: optionsOf(config) }];
  filter.error(`filter ${kind === '' ? name : kind} is not supported; expected the router or ${OWN_FILTER}<name>`);
  return [];
}

function readTcpProxy(proxy: Reader, start: ChainStart): ChainPlan {
  const route = { ...ROUTE, name: 'tcp', clusters: readWeightedClusters(proxy) };
  const idleMs = proxy.durationMs('idleTimeout', CALLER_TIMEOUTS.idleMs);
  const plan: ChainPlan = {
    ...start,
    protocol: 'tcp',
    codecOptions: {},
    routes: { name: start.name, virtualHosts: [{ name: 'tcp', domains: ['*'], routes: [route] }] },
    filters: readAccessLogs(proxy),
    statPrefix: proxy.string('statPrefix', start.name),
    // A connection is one stream, and a tunnel once the server spoke.
    timeouts: { ...CALLER_TIMEOUTS, streamIdleMs: idleMs, tunnelIdleMs: idleMs },
    maxStreams: null,
  };
  proxy.ignore('@type');
  proxy.end('note');
  return plan;
}
