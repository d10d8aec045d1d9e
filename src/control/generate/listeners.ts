/** One listener: its chains, each with the network filter of its protocol and, where it ends TLS, a transport socket. */
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { isHttp } from '../translate/mesh.ts';
import { codecConfig, filterConfig } from './filter-config.ts';
import { HTTP_LOG_FORMAT, httpConnectionManager } from './http-connection-manager.ts';
import type { ChainSpec, CodecService, ListenerSpec } from './listener-spec.ts';
import { weightedClusters } from './routes.ts';
import { downstreamTls } from './transport-sockets.ts';

const TYPE = 'type.googleapis.com/';
const DETECT_TIMEOUT = '5s';

export function listenerResource(spec: ListenerSpec): XdsResource {
  const value: JsonObject = {
    name: spec.name,
    address: { socketAddress: { address: spec.bind.address, portValue: spec.bind.port } },
    trafficDirection: spec.direction,
    metadata: {
      filterMetadata: {
        'meltemi.service_address': { address: spec.serviceAddress.address, port: spec.serviceAddress.port },
      },
    },
    filterChains: spec.chains.map((chain) => filterChain(chain, spec.accessLogFile)),
  };
  if (spec.fallback !== undefined) value.defaultFilterChain = filterChain(spec.fallback, spec.accessLogFile);
  const inspectors = inspectorsOf(spec);
  if (inspectors.length > 0) value.listenerFilters = inspectors;
  if (spec.detects !== undefined) {
    // Servers that speak first are waited with for this long, and then nothing is asked of their callers.
    value.listenerFiltersTimeout = DETECT_TIMEOUT;
    value.continueOnListenerFiltersTimeout = true;
  }
  return { typeUrl: TypeUrl.Listener, name: spec.name, value };
}

function inspectorsOf({ chains, detects }: ListenerSpec): JsonObject[] {
  const inspectors: JsonObject[] = [];
  if (chains.some(({ serverNames, transport }) => serverNames?.length || transport !== undefined))
    inspectors.push({ name: 'envoy.filters.listener.tls_inspector', typedConfig: { '@type': TypeUrl.TlsInspector } });
  // In the order of the list, which is that of preference.
  for (const protocol of detects ?? []) {
    inspectors.push(
      isHttp(protocol)
        ? { name: 'envoy.filters.listener.http_inspector', typedConfig: { '@type': TypeUrl.HttpInspector } }
        : {
            name: 'meltemi.listener.protocol_inspector',
            typedConfig: { '@type': TypeUrl.ProtocolInspector, protocols: [protocol.manifest.name] },
          },
    );
  }
  return inspectors;
}

function filterChain(chain: ChainSpec, accessLogFile: string): JsonObject {
  const value: JsonObject = { name: chain.name };
  const match: JsonObject = {};
  if (chain.serverNames?.length) match.serverNames = [...chain.serverNames];
  if (chain.transport !== undefined) match.transportProtocol = chain.transport;
  if (chain.detected !== undefined)
    match.applicationProtocols = isHttp(chain.detected) ? ['http/1.1', 'http/1.0'] : [chain.detected.manifest.name];
  if (Object.keys(match).length > 0) value.filterChainMatch = match;
  value.filters = [networkFilter(chain, accessLogFile)];
  if (chain.tls !== undefined) value.transportSocket = downstreamTls(chain.tls, alpnOf(chain.serves));
  return value;
}

function alpnOf(service: ChainSpec['serves']): string[] {
  return service.kind === 'codec' && isHttp(service.protocol) ? ['http/1.1'] : [];
}

function networkFilter({ serves, statPrefix }: ChainSpec, accessLogFile: string): JsonObject {
  if (serves.kind === 'connections') {
    const typedConfig = { '@type': TypeUrl.TcpProxy, statPrefix, ...weightedClusters(serves.clusters) };
    return { name: 'envoy.filters.network.tcp_proxy', typedConfig: { ...typedConfig, ...accessLog(accessLogFile) } };
  }
  if (!isHttp(serves.protocol)) return metaProtocolProxy(serves, statPrefix, accessLogFile);
  const filter = httpConnectionManager(serves, statPrefix);
  const typedConfig = { ...(filter.typedConfig as JsonObject), ...accessLog(accessLogFile, HTTP_LOG_FORMAT) };
  return { ...filter, typedConfig };
}

function metaProtocolProxy(serves: CodecService, statPrefix: string, accessLogFile: string): JsonObject {
  const { protocol } = serves;
  const options = codecConfig(protocol.manifest.name, { ...protocol.options, ...serves.codecOptions });
  return {
    name: 'aeraki.meta_protocol_proxy',
    typedConfig: {
      '@type': TypeUrl.MetaProtocolProxy,
      statPrefix,
      rds: { configSource: { ads: {}, resourceApiVersion: 'V3' }, routeConfigName: serves.routeConfigName },
      protocol: { name: protocol.name, codec: { name: protocol.manifest.name, config: options } },
      ...accessLog(accessLogFile),
      metaProtocolFilters: [
        ...serves.filters.map(({ name, options: raw }) => ({ name, config: filterConfig(name, raw) })),
        { name: 'aeraki.meta_protocol.filters.router', config: { '@type': TypeUrl.MetaProtocolRouter } },
      ],
    },
  };
}

/** `format` '': the proxy's own, of what every protocol has. */
function accessLog(file: string, format = ''): JsonObject {
  if (file === '') return {};
  const logFormat = format === '' ? {} : { logFormat: { textFormatSource: { inlineString: format } } };
  const typedConfig = {
    '@type': `${TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog`,
    path: file,
    ...logFormat,
  };
  return { accessLog: [{ name: 'envoy.access_loggers.file', typedConfig }] };
}
