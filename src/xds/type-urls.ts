/** The names under which resources and their parts travel. */

const prefix = 'type.googleapis.com/';

export const TypeUrl = {
  Listener: `${prefix}envoy.config.listener.v3.Listener`,
  RouteConfiguration: `${prefix}envoy.config.route.v3.RouteConfiguration`,
  Cluster: `${prefix}envoy.config.cluster.v3.Cluster`,
  ClusterLoadAssignment: `${prefix}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  Secret: `${prefix}envoy.extensions.transport_sockets.tls.v3.Secret`,
  MetaProtocolProxy: `${prefix}aeraki.meta_protocol_proxy.v1alpha.MetaProtocolProxy`,
  MetaProtocolRouter: `${prefix}aeraki.meta_protocol_proxy.filters.router.v1alpha.Router`,
  HttpConnectionManager: `${prefix}envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager`,
  HttpRouter: `${prefix}envoy.extensions.filters.http.router.v3.Router`,
  TcpProxy: `${prefix}envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy`,
  HttpProtocolOptions: `${prefix}envoy.extensions.upstreams.http.v3.HttpProtocolOptions`,
  UpstreamTlsContext: `${prefix}envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext`,
  TlsInspector: `${prefix}envoy.extensions.filters.listener.tls_inspector.v3.TlsInspector`,
  DownstreamTlsContext: `${prefix}envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext`,
  HttpInspector: `${prefix}envoy.extensions.filters.listener.http_inspector.v3.HttpInspector`,
  ProtocolInspector: `${prefix}meltemi.listener.v1.ProtocolInspector`,
  /** The one that Istio and Aeraki write. */
  TypedStruct: `${prefix}xds.type.v3.TypedStruct`,
  UdpaTypedStruct: `${prefix}udpa.type.v1.TypedStruct`,
  ResourceError: `${prefix}meltemi.xds.v1.ResourceError`,
} as const;

/** The kinds of resource ADS carries, in the order in which a control plane sends them (XDS rule 5). */
export const resourceTypeUrls = [
  TypeUrl.Cluster,
  TypeUrl.ClusterLoadAssignment,
  TypeUrl.Secret,
  TypeUrl.Listener,
  TypeUrl.RouteConfiguration,
] as const;

/** `envoy.config.listener.v3.Listener` of a type URL; the part before the last slash says nothing. */
export function messageName(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('/') + 1);
}

/** `Listener`: how a type is called in messages to people. */
export function shortTypeName(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
}
