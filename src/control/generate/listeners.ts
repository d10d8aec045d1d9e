/** One listener, with the network filter of its port's protocol. */
import type { JsonObject } from '../../xds/json.ts';
import type { XdsResource } from '../../xds/resource.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import type { CodecOptions, PortProtocol, TableFilter } from '../translate/mesh.ts';
import type { Bind } from './bind.ts';
import { codecConfig, filterConfig } from './filter-config.ts';
import { HTTP_LOG_FORMAT, httpConnectionManager } from './http-connection-manager.ts';

const TYPE = 'type.googleapis.com/';

export interface ListenerSpec {
  readonly name: string;
  readonly direction: 'OUTBOUND' | 'INBOUND';
  readonly bind: Bind;
  /** What clients mean: the service's own address, else the bind. */
  readonly serviceAddress: Bind;
  readonly protocol: Exclude<PortProtocol, { kind: 'unsupported' }>;
  readonly routeConfigName: string;
  /** Where opaque TCP goes; also the prefix of statistics. */
  readonly cluster: string;
  /** '' = none. */
  readonly accessLogFile: string;
  /** In front of the router. */
  readonly filters: readonly TableFilter[];
  /** Beside those of the protocol. */
  readonly codecOptions: CodecOptions;
}

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
    filterChains: [
      {
        name: spec.routeConfigName,
        filters: [networkFilter(spec)],
      },
    ],
  };
  return { typeUrl: TypeUrl.Listener, name: spec.name, value };
}

function networkFilter(spec: ListenerSpec): JsonObject {
  const { protocol } = spec;
  if (protocol.kind === 'tcp') return tcpProxy(spec);
  const { manifest } = protocol;
  if (manifest.family !== 'http') return metaProtocolProxy(spec, protocol);
  const filter = httpConnectionManager(spec, manifest.name, { ...protocol.options, ...spec.codecOptions });
  return { ...filter, typedConfig: { ...(filter.typedConfig as JsonObject), ...accessLog(spec, HTTP_LOG_FORMAT) } };
}

function tcpProxy(spec: ListenerSpec): JsonObject {
  return {
    name: 'envoy.filters.network.tcp_proxy',
    typedConfig: { '@type': TypeUrl.TcpProxy, statPrefix: spec.cluster, cluster: spec.cluster, ...accessLog(spec) },
  };
}

function metaProtocolProxy(spec: ListenerSpec, protocol: Extract<PortProtocol, { kind: 'codec' }>): JsonObject {
  const options = codecConfig(protocol.manifest.name, { ...protocol.options, ...spec.codecOptions });
  return {
    name: 'aeraki.meta_protocol_proxy',
    typedConfig: {
      '@type': TypeUrl.MetaProtocolProxy,
      statPrefix: spec.cluster,
      rds: { configSource: { ads: {}, resourceApiVersion: 'V3' }, routeConfigName: spec.routeConfigName },
      protocol: { name: protocol.name, codec: { name: protocol.manifest.name, config: options } },
      ...accessLog(spec),
      metaProtocolFilters: [
        ...spec.filters.map(({ name, options: raw }) => ({ name, config: filterConfig(name, raw) })),
        { name: 'aeraki.meta_protocol.filters.router', config: { '@type': TypeUrl.MetaProtocolRouter } },
      ],
    },
  };
}

/** `format` '': the proxy's own, of what every protocol has. */
function accessLog({ accessLogFile }: ListenerSpec, format = ''): JsonObject {
  if (accessLogFile === '') return {};
  const logFormat = format === '' ? {} : { logFormat: { textFormatSource: { inlineString: format } } };
  const typedConfig = {
    '@type': `${TYPE}envoy.extensions.access_loggers.file.v3.FileAccessLog`,
    path: accessLogFile,
    ...logFormat,
  };
  return { accessLog: [{ name: 'envoy.access_loggers.file', typedConfig }] };
}
