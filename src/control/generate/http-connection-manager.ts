/** The network filter of an HTTP port: Envoy's own, with the HTTP filter of ours in front of the router. */
import type { JsonObject } from '../../xds/json.ts';
import { TypeUrl } from '../../xds/type-urls.ts';
import { HTTP_FILTER } from '../translate/http-actions.ts';
import { codecConfig, filterConfig } from './filter-config.ts';
import type { CodecService } from './listener-spec.ts';

/** The path is the one that went upstream. */
export const HTTP_LOG_FORMAT =
  '[%START_TIME%] "%REQ(:method)% %REQ(:path)%" %RESPONSE_CODE% %STATUS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION_US% "%DOWNSTREAM_REMOTE_ADDRESS%" "%REQ(:authority)%" "%REQ(x-request-id)%" "%REQ(user-agent)%" "%ROUTE_NAME%" "%UPSTREAM_CLUSTER%" "%UPSTREAM_HOST%" "%RESPONSE_DETAILS%"';
/** In front of the codec's name, where its options stand among the HTTP filters. */
const CODEC = 'codec.';

export function httpConnectionManager(spec: CodecService, statPrefix: string): JsonObject {
  const { protocol } = spec;
  const codec = protocol.manifest.name;
  const options = { ...protocol.options, ...spec.codecOptions };
  const filters: JsonObject[] = spec.filters.map(({ name, options: raw }) => ({
    name,
    typedConfig: filterConfig(name, raw),
  }));
  if (Object.keys(options).length > 0) {
    filters.unshift({ name: `${CODEC}${codec}`, typedConfig: codecConfig(codec, options) });
  }
  return {
    name: 'envoy.filters.network.http_connection_manager',
    typedConfig: {
      '@type': TypeUrl.HttpConnectionManager,
      codecType: 'HTTP1',
      statPrefix,
      // Istio's default. An ApplicationProtocol may say otherwise.
      normalizePath: options.pathNormalization !== 'none',
      ...(spec.isEdge ? { useRemoteAddress: true } : {}),
      rds: { configSource: { ads: {}, resourceApiVersion: 'V3' }, routeConfigName: spec.routeConfigName },
      httpFilters: [
        ...filters,
        { name: HTTP_FILTER, typedConfig: filterConfig(HTTP_FILTER, {}) },
        { name: 'envoy.filters.http.router', typedConfig: { '@type': TypeUrl.HttpRouter } },
      ],
    },
  };
}
