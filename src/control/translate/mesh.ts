/** Mesh: the control plane's own model, made from the resources of all sources. It knows neither YAML nor xDS. */
import type { ProtocolManifest } from '../../metaprotocol/manifest.ts';
import type { JsonObject } from '../../xds/json.ts';
import type { Credentials } from './credentials.ts';

/** Who may see a thing: its own namespace and what it is exported to. */
export interface Visibility {
  readonly namespace: string;
  /** `*` all, `.` the own namespace, `~` nobody, else names of namespaces. */
  readonly exportTo: readonly string[];
}

export interface Service extends Visibility {
  /** Key of the resource it comes from. */
  readonly source: string;
  /** Lower case. */
  readonly host: string;
  /** IP addresses and CIDR ranges that clients mean; may be empty. */
  readonly addresses: readonly string[];
  readonly ports: readonly ServicePort[];
  readonly discovery: 'endpoints' | 'dns' | 'none';
  readonly endpoints: readonly Endpoint[];
  /** Labels of the workloads that belong to it; null: the endpoints are listed. */
  readonly selector: ReadonlyMap<string, string> | null;
  /** Names that the certificates of its servers have. */
  readonly subjectAltNames: readonly string[];
}

export interface ServicePort {
  readonly number: number;
  readonly name: string;
  readonly targetPort: number;
  readonly protocol: ServiceProtocol;
}

export type PortProtocol =
  | {
      readonly kind: 'codec';
      readonly name: string;
      readonly manifest: ProtocolManifest;
      readonly options: CodecOptions;
    }
  /** `meant`: the protocol the port's name says, whose bytes pass as they are; '' = plain TCP. */
  | { readonly kind: 'tcp'; readonly meant: string }
  | { readonly kind: 'unsupported'; readonly name: string };

export type CodecProtocol = Extract<PortProtocol, { kind: 'codec' }>;

/** `detected`: a connection's first bytes tell which one it is; bytes of no known one pass as they are. */
export type ServiceProtocol =
  | PortProtocol
  | { readonly kind: 'detected'; readonly protocols: readonly CodecProtocol[] };

/** All that requests of a port may be of. */
export function codecsOf(protocol: ServiceProtocol): readonly CodecProtocol[] {
  return protocol.kind === 'codec' ? [protocol] : protocol.kind === 'detected' ? protocol.protocols : [];
}

export type CodecOptions = Readonly<Record<string, string | number | boolean>>;

export interface Endpoint {
  /** An IP address, or a name where the service's discovery is `dns`. */
  readonly address: string;
  /** By port name; a port that is not named here is the service's target port. */
  readonly ports: ReadonlyMap<string, number>;
  readonly labels: ReadonlyMap<string, string>;
  /** `region/zone/subzone`; '' = unknown. */
  readonly locality: string;
  readonly weight: number;
  /** Keys of the resources it comes from. */
  readonly sources: readonly string[];
}

/** The traffic policy that applies to one cluster, with all defaults filled in. */
export interface ClusterPolicy {
  readonly balancer: 'round_robin' | 'least_request' | 'random' | 'ring_hash';
  /** The attribute that is hashed; null unless the balancer is `ring_hash`. */
  readonly hashKey: string | null;
  readonly minimumRingSize: number;
  readonly connectTimeoutMs: number;
  readonly idleTimeoutMs: number | null;
  readonly maxConnections: number;
  readonly maxPendingRequests: number;
  /** Requests at once on one upstream connection; null: the codec's default. */
  readonly maxConcurrentStreams: number | null;
  /** null: plaintext. */
  readonly tls: UpstreamTls | null;
  /** Of the upstream side alone; absent: as the listener's. */
  readonly codecOptions?: { readonly codec: string; readonly options: CodecOptions };
}

export interface Subset {
  readonly name: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly policy: PolicyBlocks;
}

/** One level of a DestinationRule; a level overrides the one above block by block. */
export interface PolicyBlocks {
  readonly loadBalancer: LoadBalancerBlock | null;
  readonly connectionPool: ConnectionPoolBlock | null;
  readonly tls: TlsBlock | null;
  /** Replaces the blocks above for one port. */
  readonly ports: ReadonlyMap<number, Omit<PolicyBlocks, 'ports'>>;
}

/** Those of the level that count at a port. */
export function blocksOf(level: PolicyBlocks, port: number): Omit<PolicyBlocks, 'ports'> {
  return level.ports.get(port) ?? level;
}

export interface LoadBalancerBlock {
  readonly balancer: ClusterPolicy['balancer'];
  readonly hashKey: string | null;
  readonly minimumRingSize: number;
}

export interface ConnectionPoolBlock {
  readonly connectTimeoutMs: number | null;
  readonly idleTimeoutMs: number | null;
  readonly maxConnections: number | null;
  readonly maxPendingRequests: number | null;
  readonly maxConcurrentStreams: number | null;
}

/** Empty texts and lists: unset. */
export interface TlsBlock {
  /** `disable` takes TLS away that a level above asks for. */
  readonly mode: 'disable' | 'simple';
  readonly sni: string;
  /** Of the proxy's machine. */
  readonly caFile: string;
  /** Name of a Secret of the proxy's namespace that holds the CA. */
  readonly credential: string;
  readonly subjectAltNames: readonly string[];
  readonly verifies: boolean;
}

/** How the servers of one cluster are encrypted to, with all defaults filled in. */
export interface UpstreamTls {
  readonly sni: string;
  /** Where the CA is that servers are verified with; null: they are not verified. */
  readonly ca: { readonly file: string } | { readonly credential: string } | 'system' | null;
  /** A server's certificate must have one of them. */
  readonly subjectAltNames: readonly string[];
}

/** All DestinationRules of one namespace for one host, merged. */
export interface DestinationPolicy extends Visibility {
  readonly sources: readonly string[];
  /** Exact, `*.suffix` or `*`; lower case. */
  readonly host: string;
  readonly policy: PolicyBlocks;
  readonly subsets: ReadonlyMap<string, Subset>;
}

/** Bytes that begin with a ClientHello, and end where the certificate is. */
const ENCRYPTED: readonly string[] = ['https', 'tls'];

export function isEncrypted(protocol: ServiceProtocol): boolean {
  return protocol.kind === 'tcp' && ENCRYPTED.includes(protocol.meant);
}

/** By what services that have one address and port are told apart; null: they are not. */
export function sharedBy(protocol: ServiceProtocol): 'host' | 'sni' | null {
  return isHttp(protocol) ? 'host' : isEncrypted(protocol) ? 'sni' : null;
}

/** Its requests say which host they are for. */
export function isHttp(protocol: ServiceProtocol): boolean {
  return protocol.kind === 'codec' && protocol.manifest.family === 'http';
}

export interface RouteTable extends Visibility {
  /** Key of the MetaRouter. */
  readonly source: string;
  readonly host: string;
  readonly port: number;
  /** Name of the codec whose requests they are. */
  readonly codec: string;
  /** In order; the first match wins. */
  readonly routes: readonly Route[];
  /** In order, in front of the router. */
  readonly filters: readonly TableFilter[];
  /** Beside those of the port's protocol. */
  readonly codecOptions: CodecOptions;
}

export interface TableFilter {
  readonly name: string;
  readonly options: JsonObject;
}

export interface Route {
  readonly name: string;
  /** All must hold, sorted by key. */
  readonly match: readonly AttributeMatch[];
  /** Of weights that are all above 0; none where the route answers by itself. */
  readonly destinations: readonly WeightedDestination[];
  readonly mirrors: readonly Mirror[];
  /** 0: none. */
  readonly timeoutMs: number;
  readonly requestMutation: Mutation;
  readonly responseMutation: Mutation;
  /** Absent: everybody. */
  readonly callers?: Callers;
  /** Of filters of its table, by their names. */
  readonly filterOptions: Readonly<Record<string, JsonObject>>;
}

/** The proxies whose callers a route is for. */
export interface Callers {
  readonly labels: ReadonlyMap<string, string>;
  /** null: any. */
  readonly namespace: string | null;
}

export interface Mirror {
  readonly destination: Destination;
  readonly percent: number;
}

export interface AttributeMatch {
  readonly key: string;
  readonly test:
    | { readonly kind: 'exact' | 'prefix'; readonly value: string; readonly ignoreCase: boolean }
    | { readonly kind: 'regex'; readonly value: string }
    | { readonly kind: 'present' };
  readonly negated: boolean;
}

export interface Destination {
  readonly host: string;
  readonly port: number;
  /** '' = all endpoints. */
  readonly subset: string;
}

export interface WeightedDestination extends Destination {
  readonly weight: number;
  /** Before those of the route, as in Envoy; absent: none. */
  readonly requestMutation?: Mutation;
  readonly responseMutation?: Mutation;
  /** Of HTTP requests; absent: the route's. */
  readonly authority?: string;
}

/** Where connections go that are passed on as they are; the first whose condition holds. */
export interface ConnectionRoute {
  /** Exact or `*.suffix`; empty: every connection. */
  readonly sniHosts: readonly string[];
  /** Absent: everybody. */
  readonly callers?: Callers;
  readonly destinations: readonly WeightedDestination[];
}

/** The routes of one opaque port of a service. */
export interface ConnectionTable extends Visibility {
  readonly source: string;
  readonly host: string;
  readonly port: number;
  readonly routes: readonly ConnectionRoute[];
}

/** What a Gateway opens at the proxies of type router that it selects. */
export interface Gateway {
  readonly source: string;
  /** `namespace/name`. */
  readonly name: string;
  readonly namespace: string;
  /** Empty: every router. */
  readonly selector: ReadonlyMap<string, string>;
  /** Only those that can be served. */
  readonly servers: readonly GatewayServer[];
}

export interface GatewayServer {
  /** In the resource's list. */
  readonly index: number;
  readonly port: number;
  readonly portName: string;
  /** null: every address. */
  readonly bind: string | null;
  readonly protocol: Exclude<PortProtocol, { kind: 'unsupported' }>;
  readonly hosts: readonly GatewayHost[];
  /** null: plaintext. */
  readonly tls: 'passthrough' | ServerTls | null;
  /** Requests are sent to https. */
  readonly httpsRedirect: boolean;
}

export interface GatewayHost {
  /** Of the VirtualServices that may use it; `*` = any. */
  readonly namespace: string;
  /** Exact, `*.suffix` or `*`; lower case. */
  readonly host: string;
}

export interface ServerTls {
  /** Files of the proxy's machine. */
  readonly certificates: readonly { readonly certificateFile: string; readonly keyFile: string }[];
  /** Names of Secrets of the proxy's namespace, instead of files. */
  readonly credentials: readonly string[];
  readonly minimumVersion: TlsVersion;
  /** null: the newest. */
  readonly maximumVersion: TlsVersion | null;
  /** Empty: the proxy's own. */
  readonly cipherSuites: readonly string[];
}

export type TlsVersion = 'TLSv1_0' | 'TLSv1_1' | 'TLSv1_2' | 'TLSv1_3';

/** What one resource gives one server of a Gateway. */
export interface GatewayRoutes extends Visibility {
  readonly source: string;
  /** Key of the Gateway. */
  readonly gateway: string;
  readonly server: number;
  readonly routes:
    | { readonly kind: 'http'; readonly hosts: readonly string[]; readonly routes: readonly Route[] }
    | { readonly kind: 'connections'; readonly routes: readonly ConnectionRoute[] }
    | { readonly kind: 'table'; readonly table: RouteTable };
}

export interface Mutation {
  readonly set: readonly (readonly [key: string, value: string])[];
  readonly add: readonly (readonly [key: string, value: string])[];
  readonly remove: readonly string[];
}

/** What a Sidecar resource says of the proxies it selects. */
export interface SidecarPolicy {
  readonly source: string;
  readonly namespace: string;
  /** null: every workload of the namespace. */
  readonly selector: ReadonlyMap<string, string> | null;
  readonly ingress: readonly IngressPort[];
}

export interface IngressPort {
  readonly port: number;
  readonly protocol: PortProtocol;
  /** null: the proxy's first address. */
  readonly bind: string | null;
  readonly endpoint: { readonly address: string; readonly port: number };
}

export interface Mesh {
  readonly rootNamespace: string;
  /** In order of precedence. */
  readonly services: readonly Service[];
  readonly policies: readonly DestinationPolicy[];
  /** In order of precedence: of several visible tables for one host and port the first is used. */
  readonly tables: readonly RouteTable[];
  /** The same for opaque ports. */
  readonly connections: readonly ConnectionTable[];
  /** In order of precedence. */
  readonly gateways: readonly Gateway[];
  /** In order of precedence. */
  readonly gatewayRoutes: readonly GatewayRoutes[];
  readonly credentials: Credentials;
  readonly sidecars: readonly SidecarPolicy[];
  /** By host. */
  readonly upstreams: ReadonlyMap<string, UpstreamSettings>;
}

/** How the servers of one host are connected to where they speak `codec`, over what a DestinationRule says. */
export interface UpstreamSettings {
  readonly source: string;
  readonly codec: string;
  readonly maxConnections: number | null;
  readonly connectTimeoutMs: number | null;
  /** Beside those of the port's protocol. */
  readonly codecOptions: CodecOptions;
}
